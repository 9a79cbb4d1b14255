"""UsernameToken: a password in the clear, which only TLS protects, or a digest of it (UsernameToken Profile 1.1)."""

from base64 import b64encode
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from lxml import etree

from sts.core.errors import AuthenticationFailed
from sts.core.exchange import DigestProof, PasswordProof
from sts.protocols.wstrust.errors import BadSecurity, MessageExpired
from sts.protocols.wstrust.header_elements import instant, octets, only_children, text
from sts.protocols.wstrust.names import PASSWORD_DIGEST, PASSWORD_TEXT, WSSE, WSU

LONGEST_NONCE: Final = 128  # bytes
_SHA1_SIZE: Final = 20
_USERNAME: Final = f"{{{WSSE}}}Username"
_PASSWORD: Final = f"{{{WSSE}}}Password"
_NONCE: Final = f"{{{WSSE}}}Nonce"
_CREATED: Final = f"{{{WSU}}}Created"


class UsernameToken(NamedTuple):
    """What a UsernameToken proves, and the nonce (base64) by which it may come once."""

    proof: PasswordProof | DigestProof
    nonce: str | None


def read(token: etree._Element, window: timedelta, now: datetime) -> UsernameToken:
    """Read a UsernameToken whose Created, where it has one, is not further than `window` from our clock.

    A digest needs both Nonce and Created. Raises BadSecurity, MessageExpired, AuthenticationFailed.
    """
    found = only_children(token, (_USERNAME, _PASSWORD), (_NONCE, _CREATED))
    name, password, created = text(found[_USERNAME]), found[_PASSWORD], found.get(_CREATED)
    if created is not None and abs(instant(created) - now) > window:
        raise MessageExpired("the UsernameToken was created too long ago, or in the future")
    nonce = octets(found[_NONCE], LONGEST_NONCE) if _NONCE in found else None
    told = None if nonce is None else b64encode(nonce).decode()
    kind = password.get("Type", PASSWORD_TEXT)
    if kind == PASSWORD_TEXT:
        return UsernameToken(PasswordProof(name, text(password).encode()), told)
    if kind != PASSWORD_DIGEST:
        raise BadSecurity(f"the Type of a Password is {PASSWORD_TEXT} or {PASSWORD_DIGEST}")
    if nonce is None or created is None:
        raise BadSecurity("a PasswordDigest needs a Nonce and Created")
    digest = octets(password, LONGEST_NONCE)
    if len(digest) != _SHA1_SIZE:
        raise AuthenticationFailed(detail=f"a PasswordDigest of {len(digest)} bytes")
    return UsernameToken(DigestProof(name, nonce, text(created), instant(created), digest), told)
