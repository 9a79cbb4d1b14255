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

_BEGIN, _NOW, _END = (datetime(year, 1, 1, tzinfo=UTC) for year in (2000, 2050, 2100))
_EXPECTED: Final = Expected(f"{{{NS['saml20']}}}Assertion", "ID", _NOW)


class _Decoy(NamedTuple):
    """A signed assertion in two halves, between which nothing belongs, and the certificate of its signature."""

    before: bytes
    after: bytes
    certificate: bytes


def verify_decoy(length: int) -> None:
    """Parse and verify an assertion of about so many bytes, to no effect; what it says was changed after signing."""
    decoy = _decoy()
    filler = b"x" * max(length - len(decoy.before) - len(decoy.after), 1)
    try:
        verify(decoy.before + filler + decoy.after, (decoy.certificate,), _EXPECTED)
    except InvalidSignature:
        return


@lru_cache(maxsize=1)
def _decoy() -> _Decoy:
    key, certificate = generate("CN=decoy", KeyType.P256, _BEGIN, _END, Purpose.SIGNING)
    after = "<Subject></Subject></Assertion>"
    before = f'<Assertion xmlns="{NS["saml20"]}" ID="_decoy" Version="2.0"><Issuer></Issuer>'
    signed = sign_canonical(before, after, "_decoy", SoftwareSigner.from_private_key(key, certificate))
    return _Decoy(signed[: -len(after)], after.encode(), certificate)
