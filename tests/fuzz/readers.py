"""What is fuzzed: assertions of both versions, and encrypted ones, against the reader that a sign-in uses."""

from collections.abc import Callable
from random import Random

from lxml import etree

from sts.core.claims import NAME_IDENTIFIER, ROLE
from sts.core.errors import InvalidToken
from sts.core.exchange import TokenDescriptor, VerifiedToken
from sts.crypto import xmlenc
from sts.crypto.xml import NS
from sts.crypto.xmldsig import sign_element
from sts.tokens import saml11, saml20
from tests.crypto.identities import NOW, certificate, signer
from tests.fuzz.mutations import Mutator
from tests.fuzz.running import Execute, Forged
from tests.threats.encryption import CBC, GCM, decrypters
from tests.tokens.assertions import DESCRIPTOR, TRUSTED, claims, written

READERS = {"saml11": saml11, "saml20": saml20}
ALICE = DESCRIPTOR
BOB = DESCRIPTOR._replace(id="b" * 32, claims=claims((NAME_IDENTIFIER, "bob"), (ROLE, "reader")))
ADMIN = claims((NAME_IDENTIFIER, "admin"))
ELSEWHERE = DESCRIPTOR._replace(id="c" * 32, audience="https://other.example/", claims=ADMIN)
METADATA = (
    f'<EntityDescriptor xmlns="{NS["md"]}" ID="_m" entityID="{DESCRIPTOR.issuer}"><Extensions>'
    "<b>admin</b></Extensions></EntityDescriptor>"
)
KEYS = decrypters("sts", "old")

Forge = Callable[[Mutator], tuple[str, bytes]]


def _by_attacker(descriptor: TokenDescriptor) -> list[bytes]:
    return [module.write(descriptor, signer("rsa2048", "attacker")) for module in READERS.values()]


HONEST = {name: [written(module, who) for who in (ALICE, BOB)] for name, module in READERS.items()}
DONORS = [
    *(token for tokens in HONEST.values() for token in tokens),
    *(written(module, ELSEWHERE) for module in READERS.values()),
    *_by_attacker(DESCRIPTOR._replace(claims=ADMIN)),
    sign_element(etree.fromstring(METADATA), "_m", signer("rsa2048"), 0),
    saml20.encrypt(HONEST["saml20"][0], certificate("rsa2048", "sts"), CBC),
]
IDENTITIES = {name: [module.read(token, TRUSTED, NOW) for token in HONEST[name]] for name, module in READERS.items()}


def plain(mutator: Mutator) -> tuple[str, bytes]:
    """A changed assertion."""
    name = mutator.random.choice(list(READERS))
    return name, mutator.changed(mutator.random.choice(HONEST[name]))


def encrypted(mutator: Mutator) -> tuple[str, bytes]:
    """What comes out of decrypting a changed assertion, or a changed encryption of an honest one."""
    name, algorithm = mutator.random.choice(list(READERS)), mutator.random.choice((CBC, GCM))
    token = mutator.random.choice(HONEST[name])
    recipient = certificate("rsa2048", mutator.random.choice(("sts", "old")))
    if mutator.random.random() < 0.3:
        sealed = READERS[name].encrypt(mutator.changed(token), recipient, algorithm)
    else:
        sealed = mutator.changed(READERS[name].encrypt(token, recipient, algorithm))
    return name, xmlenc.decrypt(sealed, KEYS, algorithm)


FORGES: dict[str, Forge] = {"plain": plain, "encrypted": encrypted}


def _reading(forge: Forge) -> Execute:
    def execute(random: Random) -> str:
        try:
            _read(*forge(Mutator(random, DONORS)))
        except InvalidToken as refused:
            return (refused.detail or "").partition(":")[0]
        return ""

    return execute


KINDS: dict[str, Execute] = {name: _reading(forge) for name, forge in FORGES.items()}


def _read(name: str, document: bytes) -> None:
    try:
        require_honest(name, READERS[name].read(document, TRUSTED, NOW))
    except InvalidToken:
        raise
    except Exception as error:
        error.add_note(f"from {document!r}")
        raise


def require_honest(name: str, read: VerifiedToken) -> None:
    """Return if an identity provider said just this; raises Forged."""
    if read not in IDENTITIES[name]:
        raise Forged(str(read))
