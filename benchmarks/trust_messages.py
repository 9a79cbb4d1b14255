"""Messages of WS-Trust 1.3 as clients send them, each with a MessageID of its own."""

import os
import secrets
import uuid
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sts.core.claims import EMAIL_ADDRESS, NAME_IDENTIFIER, ROLE
from sts.core.exchange import TokenDescriptor
from sts.core.model import Claim
from sts.core.uris import AuthenticationMethod
from sts.crypto.signer import SoftwareSigner
from sts.crypto.xml import NS, instant
from sts.protocols.rstr import TRUST_13
from sts.tokens import saml20

PROVIDER: Final = "https://idp.example/"
ENTROPY: Final = 32  # bytes

_WSU: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
_TEXT: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordText"
_LIFE: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Correspondent:
    """Somebody who asks: where, under which name, and with which identity provider behind him."""

    issuer: str  # of the namespace
    name: str
    password: str = field(repr=False)
    provider: SoftwareSigner = field(repr=False)

    def by_password(self, realm: str, now: datetime, *parts: str) -> bytes:
        """A message to the endpoint for passwords."""
        token = (
            f"<o:UsernameToken><o:Username>{self.name}</o:Username>"
            f'<o:Password Type="{_TEXT}">{self.password}</o:Password></o:UsernameToken>'
        )
        return self._message("username", token, _request(realm, *parts), now)

    def by_assertion(self, realm: str, now: datetime) -> bytes:
        """A message to the endpoint for bearer tokens, with an assertion that the identity provider has just made."""
        return self._message("issuedtoken-bearer", self._assertion(now), _request(realm), now)

    def _message(self, endpoint: str, token: str, body: str, now: datetime) -> bytes:
        return (
            f'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="{NS["wsa"]}" xmlns:u="{_WSU}">'
            f'<s:Header><a:Action s:mustUnderstand="1">{TRUST_13}/RST/Issue</a:Action>'
            f"<a:MessageID>urn:uuid:{uuid.uuid4()}</a:MessageID>"
            f"<a:ReplyTo><a:Address>{NS['wsa']}/anonymous</a:Address></a:ReplyTo>"
            f'<a:To s:mustUnderstand="1">{self.issuer}v2/wstrust/13/{endpoint}</a:To>'
            f'<o:Security s:mustUnderstand="1" xmlns:o="{NS["wsse"]}"><u:Timestamp u:Id="_0">'
            f"<u:Created>{instant(now)}</u:Created><u:Expires>{instant(now + _LIFE)}</u:Expires></u:Timestamp>"
            f"{token}</o:Security></s:Header><s:Body>{body}</s:Body></s:Envelope>"
        ).encode()

    def _assertion(self, now: datetime) -> str:
        told = ((NAME_IDENTIFIER, "alice"), (EMAIL_ADDRESS, "alice@idp.example"), (ROLE, "reader"), (ROLE, "sender"))
        begin = now.replace(microsecond=0)
        descriptor = TokenDescriptor(
            id=secrets.token_hex(16),
            issuer=PROVIDER,
            audience=self.issuer,
            issued_at=now,
            not_before=begin,
            expires_at=begin + timedelta(hours=1),
            claims=tuple(Claim(kind, value, PROVIDER) for kind, value in told),
            authenticated_at=now,
            authentication_method=AuthenticationMethod.PASSWORD,
        )
        return saml20.write(descriptor, self.provider).decode()


def symmetric() -> tuple[str, ...]:
    """What asks for a symmetric key of which either side makes a part."""
    secret = b64encode(os.urandom(ENTROPY)).decode()
    return (
        f"<t:KeyType>{TRUST_13}/SymmetricKey</t:KeyType><t:KeySize>{8 * ENTROPY}</t:KeySize>",
        f'<t:Entropy><t:BinarySecret Type="{TRUST_13}/Nonce">{secret}</t:BinarySecret></t:Entropy>',
        f"<t:ComputedKeyAlgorithm>{TRUST_13}/CK/PSHA1</t:ComputedKeyAlgorithm>",
    )


def _request(realm: str, *parts: str) -> str:
    return (
        f'<t:RequestSecurityToken xmlns:t="{TRUST_13}"><t:RequestType>{TRUST_13}/Issue</t:RequestType>'
        '<p:AppliesTo xmlns:p="http://schemas.xmlsoap.org/ws/2004/09/policy"><a:EndpointReference>'
        f"<a:Address>{realm}</a:Address></a:EndpointReference></p:AppliesTo>{''.join(parts)}</t:RequestSecurityToken>"
    )
