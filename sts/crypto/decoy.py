"""An assertion of nobody, verified in place of one that is none, so that refusing takes as long as reading."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, NamedTuple

from sts.core.errors import InvalidSignature
from sts.core.model import KeyType
from sts.crypto.certificates import Purpose, generate
from sts.crypto.signer import SoftwareSigner
from sts.crypto.xml import NS
from sts.crypto.xmldsig import Expected, sign_canonical, verify

LARGEST: Final = 64 * 1024  # no identity provider sends as much; what strangers send may cost less than it could

_BEGIN, _NOW, _END = (datetime(year, 1, 1, tzinfo=UTC) for year in (2000, 2050, 2100))
_EXPECTED: Final = Expected(f"{{{NS['saml20']}}}Assertion", "ID", _NOW)
_FILLER: Final = b"<Attribute><AttributeValue>nothing, at the length of a usual claim</AttributeValue></Attribute>"


class _Template(NamedTuple):
    """A signed assertion in two halves, between which nothing belongs, and the certificate of its signature."""

    before: bytes
    after: bytes
    certificate: bytes


def decoy(length: int) -> bytes:
    """An assertion of about so many bytes, with as many elements as usual, which was changed after it was signed."""
    template = _template()
    room = min(length, LARGEST) - len(template.before) - len(template.after)
    return template.before + _FILLER * max(room // len(_FILLER), 1) + template.after


def verify_decoy(length: int) -> None:
    """Parse and verify an assertion of about so many bytes, to no effect."""
    try:
        verify(decoy(length), (_template().certificate,), _EXPECTED)
    except InvalidSignature:
        return


@lru_cache(maxsize=1)
def _template() -> _Template:
    key, certificate = generate("CN=decoy", KeyType.P256, _BEGIN, _END, Purpose.SIGNING)
    after = "<AttributeStatement></AttributeStatement></Assertion>"
    before = f'<Assertion xmlns="{NS["saml20"]}" ID="_decoy" Version="2.0"><Issuer></Issuer>'
    signed = sign_canonical(before, after, "_decoy", SoftwareSigner.from_private_key(key, certificate))
    return _Template(signed[: -len(after)], after.encode(), certificate)
