"""What is fuzzed: assertions of both versions, and encrypted ones, against the reader that a sign-in uses."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
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


class Forged(AssertionError):
    """A document that was read as something no identity provider said."""


@dataclass(slots=True)
class Tally:
    """What became of the executions."""

    executions: int = 0
    read: int = 0  # as exactly what the identity provider said
    refusals: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Tally") -> None:
        """Count these too."""
        self.executions += other.executions
        self.read += other.read
        self.refusals.update(other.refusals)


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


def fuzz(name: str, seed: int, executions: int) -> Tally:
    """Read so many changed documents; raises Forged, or whatever came out that is no refusal, with seed and number."""
    tally = Tally()
    for number in range(executions):
        mutator = Mutator(Random(f"{name} {seed} {number}"), DONORS)
        tally.executions += 1
        try:
            _read(*FORGES[name](mutator))
        except InvalidToken as refused:
            tally.refusals[(refused.detail or "").partition(":")[0]] += 1
        except Exception as error:
            error.add_note(f"execution {number} of '{name}' with seed {seed}")
            raise
        else:
            tally.read += 1
    return tally


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


def summary(tallies: dict[str, Tally]) -> Sequence[str]:
    """Lines for people."""
    lines = []
    for name, tally in tallies.items():
        lines.append(f"{name}: {tally.executions:,} executions, {tally.read:,} read as said, no identity forged")
        lines += [f"  {count:10,} refused: {reason}" for reason, count in tally.refusals.most_common(12)]
    return lines
