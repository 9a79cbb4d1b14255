"""Searches for the assertion that costs most before its signature is known to be wrong (goal: 20 ms).

Documents grow out of genes, within and around the limits of `sts.crypto.xml`; what costs more survives. None is signed
by a certificate that is trusted, so everything measured is what any stranger can make the service do.
"""

import argparse
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from random import Random

from sts.core.errors import InvalidToken
from sts.core.exchange import Trusted, VerificationKey
from sts.core.model import ContentEncryption, KeyType, Kind
from sts.crypto import certificates, xmlenc
from sts.crypto.certificates import Purpose
from sts.crypto.decrypter import SoftwareDecrypter
from sts.crypto.xml import MESSAGE, NS
from sts.tokens import saml20

GOAL = 0.020  # seconds
POPULATION = 12
REPEATS = 3
TEXTS = ("x", "&amp;", "&#60;", "&#x1F600;", "\u00e4", "\U0001f600", "&lt;", " ", "A", "\n")
DAY = timedelta(days=1)

_TRANSFORM = f'<ds:Transform Algorithm="{NS["ec"]}"/>'
_SIGNED_INFO = (
    f'<ds:SignedInfo><ds:CanonicalizationMethod Algorithm="{NS["ec"]}"/>'
    '<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/><ds:Reference URI="#_a">'
    f'<ds:Transforms><ds:Transform Algorithm="{NS["ds"]}enveloped-signature"/>{_TRANSFORM}</ds:Transforms>'
    f'<ds:DigestMethod Algorithm="{NS["xenc"]}sha256"/><ds:DigestValue>'
)
_VALUE = b64encode(bytes(255) + b"\x01").decode()


@dataclass(frozen=True, slots=True)
class Genes:
    """How many of what a document has, and where; the document is cut to the size that is allowed."""

    elements: int = 100  # beside each other
    depth: int = 1  # of the elements around them
    attributes: int = 0  # of each element
    identifiers: int = 0  # of each element, at most four
    declarations: int = 0  # of namespaces at the root
    nested: int = 0  # declarations, one on each level
    prefix: int = 0  # which declared prefix the elements have; 0: none
    text: int = 0  # characters in each element
    padding: int = 0  # characters in one place
    kind: int = 0  # of text
    place: int = 0  # of the padding: text, attribute, digest, signature value, KeyInfo, ID
    in_key_info: int = 0  # 1: the elements stand in KeyInfo


RANGES = Genes(
    elements=MESSAGE.elements,
    depth=250,
    attributes=MESSAGE.attributes,
    identifiers=4,
    declarations=MESSAGE.declarations - 2,
    nested=MESSAGE.declarations - 2,
    prefix=MESSAGE.declarations - 2,
    text=200,
    padding=MESSAGE.size,
    kind=len(TEXTS) - 1,
    place=5,
    in_key_info=1,
)


def document(genes: Genes) -> bytes:
    """The assertion that grows out of them."""
    text = TEXTS[genes.kind]
    room = MESSAGE.size - 4000
    padding = text * min(genes.padding // len(text.encode()), room // len(text.encode()))
    padded = ["", "", "", "", "", ""]
    padded[genes.place] = padding
    filler = _filler(genes, (room - len(padding.encode())))
    content, key_info = ("", filler) if genes.in_key_info else (filler, "")
    declared = "".join(f' xmlns:p{n}="urn:{n}"' for n in range(1, genes.declarations + 1))
    identifier = "_a" + "".join(character for character in padded[5] if character not in "<&\n ")
    return (
        f'<saml:Assertion xmlns:saml="{NS["saml20"]}"{declared} ID="{identifier}" Version="2.0"'
        f' a="{padded[1]}"><saml:Issuer/><ds:Signature xmlns:ds="{NS["ds"]}">'
        f"{_SIGNED_INFO.replace('#_a', '#' + identifier)}{padded[2]}</ds:DigestValue></ds:Reference></ds:SignedInfo>"
        f"<ds:SignatureValue>{_VALUE}{padded[3]}</ds:SignatureValue><ds:KeyInfo>{padded[4]}{key_info}</ds:KeyInfo>"
        f"</ds:Signature><saml:Advice>{content}{padded[0]}</saml:Advice></saml:Assertion>"
    ).encode()


def _filler(genes: Genes, room: int) -> str:
    prefix = f"p{genes.prefix}:" if 0 < genes.prefix <= genes.declarations else ""
    attributes = "".join(f' b{n}=""' for n in range(genes.attributes))
    text = TEXTS[genes.kind] * (genes.text // len(TEXTS[genes.kind]))
    parts, used = [], 0
    for number in range(genes.elements):
        names = ("ID", "Id", "id", "AssertionID")[: genes.identifiers]
        identifiers = "".join(f' {name}="{name[0]}{len(name)}{number}"' for name in names)
        part = f"<{prefix}a{identifiers}{attributes}>{text}</{prefix}a>"
        used += len(part.encode())
        if used > room:
            break
        parts.append(part)
    levels = [f' xmlns:q{n}="urn:q{n}"' if n < genes.nested else "" for n in range(genes.depth)]
    return "".join(f"<c{level}>" for level in levels) + "".join(parts) + "</c>" * len(levels)


@dataclass(frozen=True, slots=True)
class Victim:
    """A reader with as many pinned certificates as are ever tried, and decryption keys."""

    trusted: Trusted
    decrypters: Sequence[SoftwareDecrypter]
    recipient: bytes
    now: datetime

    @classmethod
    def make(cls) -> "Victim":
        """One with keys of its own."""
        now = datetime.now(UTC)
        pairs = [
            certificates.generate(f"CN={n}", KeyType.RSA2048, now - DAY, now + DAY, Purpose.DECRYPTION)
            for n in range(8)
        ]
        keys = tuple(VerificationKey("", Kind.CERTIFICATE, certificate) for _, certificate in pairs)
        decrypters = [SoftwareDecrypter.from_private_key(key) for key, _ in pairs[:2]]
        return cls(Trusted("urn:idp", "urn:us", keys), decrypters, pairs[0][1], now)

    def read(self, token: bytes) -> None:
        """Refuse a plain one."""
        saml20.read(token, self.trusted, self.now)

    def seal(self, token: bytes) -> bytes:
        """Encrypt it, cut so that the whole is as large as is allowed."""
        return saml20.encrypt(token[: MESSAGE.size * 3 // 4 - 3000], self.recipient, ContentEncryption.AES256_CBC)

    def open(self, sealed: bytes) -> None:
        """Refuse an encrypted one."""
        self.read(xmlenc.decrypt(sealed, self.decrypters, ContentEncryption.AES256_CBC))


def cost(refuse: Callable[[bytes], None], token: bytes) -> float:
    """Seconds of processor time to refuse it, the least of a few times."""
    spent = []
    for _ in range(REPEATS):
        begun = time.thread_time()
        try:
            refuse(token)
        except InvalidToken:
            spent.append(time.thread_time() - begun)
        else:
            raise AssertionError("a token that nobody signed was accepted")
    return min(spent)


def mutated(genes: Genes, random: Random) -> Genes:
    """A neighbour: one gene or two moved a little, doubled, or thrown anew."""
    changes = {}
    for field in random.sample(fields(Genes), random.choice((1, 1, 2))):
        most, value = getattr(RANGES, field.name), getattr(genes, field.name)
        moved = random.choice((random.randint(0, most), value * 2, value // 2, value + random.randint(-3, 3), most))
        changes[field.name] = max(0, min(most, moved))
    return replace(genes, **changes)


def search(measure: Callable[[Genes], float], seconds: float, random: Random) -> list[tuple[float, Genes]]:
    """The dearest that were found, the dearest first."""
    found = {Genes(): measure(Genes()), RANGES: measure(RANGES)}
    end, tried = time.monotonic() + seconds, 2
    while time.monotonic() < end:
        genes = mutated(random.choice(list(found)), random)
        if genes in found:
            continue
        found[genes] = measure(genes)
        tried += 1
        for cheap in sorted(found, key=lambda each: found[each], reverse=True)[POPULATION:]:
            del found[cheap]
    print(f"  {tried:,} documents tried", file=sys.stderr)
    return sorted(((spent, genes) for genes, spent in found.items()), key=lambda pair: -pair[0])


def main() -> int:
    """Print the worst of both kinds; the status says whether they are within the goal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="of each search")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    victim, worst = Victim.make(), 0.0
    for kind, measure in (
        ("plain", lambda genes: cost(victim.read, document(genes))),
        ("encrypted", lambda genes: cost(victim.open, victim.seal(document(genes)))),
    ):
        spent, genes = search(measure, given.seconds, Random(given.seed))[0]
        spent = min(measure(genes) for _ in range(10))  # again, since a search for the worst finds disturbances first
        worst = max(worst, spent)
        print(f"{kind}: {spent * 1000:.1f} ms for {len(document(genes)):,} bytes (goal {GOAL * 1000:.0f} ms): {genes}")
    return int(worst > GOAL)


if __name__ == "__main__":
    sys.exit(main())
