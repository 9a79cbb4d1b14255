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
Read = Callable[[str, bytes], VerifiedToken]


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


def _by_reader(name: str, document: bytes) -> VerifiedToken:
    return READERS[name].read(document, TRUSTED, NOW)


def _after_a_look(name: str, document: bytes) -> VerifiedToken:
    """What the look left behind is read; it names the issuer that the verified assertion has."""
    claimed = READERS[name].claimed(document)
    read = claimed.read(TRUSTED, NOW)
    if claimed.issuer != read.issuer:
        raise Forged(f"the look says {claimed.issuer}: {read}")
    return read


WAYS: dict[str, tuple[Forge, Read]] = {
    "plain": (plain, _by_reader),
    "encrypted": (encrypted, _by_reader),
    "looked at": (plain, _after_a_look),
}


def _reading(forge: Forge, read: Read) -> Execute:
    def execute(random: Random) -> str:
        try:
            _read(*forge(Mutator(random, DONORS)), read)
        except InvalidToken as refused:
            return (refused.detail or "").partition(":")[0]
        return ""

    return execute


KINDS: dict[str, Execute] = {name: _reading(*way) for name, way in WAYS.items()}


def _read(name: str, document: bytes, read: Read) -> None:
    try:
        require_honest(name, read(name, document))
    except InvalidToken:
        raise
    except Exception as error:
        error.add_note(f"from {document!r}")
        raise


def require_honest(name: str, read: VerifiedToken) -> None:
    """Return if an identity provider said just this; raises Forged."""
    if read not in IDENTITIES[name]:
        raise Forged(str(read))
