"""What is fuzzed at the import of partners' metadata: no document has a certificate trusted that nobody vouched for."""

import atexit
from contextlib import ExitStack
from functools import cache
from random import Random

from sts.core.errors import StsError
from tests import partner_documents as documents
from tests.crypto.identities import certificate, signer
from tests.fuzz.mutations import Mutator
from tests.fuzz.running import Execute, Forged, home
from tests.operations.partners import Partnership, partnership
from tests.partner_documents import ADFS, Shape, several, signed

OURS, STRANGER = certificate("rsa2048"), certificate("rsa2048", "attacker")
EVIL = Shape(signing=(STRANGER,), address="https://evil.example/", id="_evil")
HONEST = (
    documents.adfs(),
    documents.azure(Shape()),
    documents.shibboleth(Shape(address="https://adfs.contoso.example/adfs/ls")),
    signed(documents.adfs(), signer("rsa2048")),
    several(documents.adfs(), documents.azure(Shape("urn:other", id="_other"))),
)
DONORS = (
    *HONEST,
    documents.adfs(EVIL),
    signed(documents.adfs(EVIL), signer("rsa2048", "attacker")),
    signed(documents.application(Shape("urn:portal", address="https://portal.example/")), signer("rsa2048")),
)


@cache
def _partners() -> Partnership:
    """The installation of this process, with a partner that is registered by its honest document."""
    stack = ExitStack()
    made = stack.enter_context(partnership(home()))
    atexit.register(stack.close)
    made.bring(documents.adfs())
    return made


def _imported(random: Random) -> str:
    """Bring a changed document of a partner that is known, without the consent of a person."""
    partners = _partners()
    document = Mutator(random, DONORS).changed(random.choice(HONEST))
    try:
        partners.bring(document, entity_id=ADFS)
    except StsError as refused:
        return refused.message.partition(":")[0][:60]
    except Exception as error:
        error.add_note(f"from {document!r}")
        raise
    require_nobody_new(partners)
    return ""


def require_nobody_new(partners: Partnership) -> None:
    """Return if the certificates of the partner are those that it was registered with; raises Forged."""
    if partners.trusted() != (OURS,):
        raise Forged(", ".join(found.subject for found in partners.provider().certificates))


KINDS: dict[str, Execute] = {"metadata of a partner": _imported}
