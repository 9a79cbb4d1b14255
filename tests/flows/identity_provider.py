"""A small identity provider: it signs, and encrypts if it is told to, with keys of its own."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

from sts.core.claims import EMAIL_ADDRESS, NAME_IDENTIFIER, ROLE
from sts.core.exchange import TokenDescriptor
from sts.core.model import Claim, ContentEncryption, Credential, KeyType, TokenFormat
from sts.core.uris import AuthenticationMethod
from sts.crypto.certificates import Purpose, generate
from sts.crypto.signer import SoftwareSigner
from sts.tokens import saml11, saml20
from tests.flows.people import Page
from tests.flows.world import START, World
from tests.protocols.wresults import adfs as response

MODULES: dict[TokenFormat, ModuleType] = {TokenFormat.SAML11: saml11, TokenFormat.SAML20: saml20}
ALICE = ((NAME_IDENTIFIER, "alice"), (EMAIL_ADDRESS, "alice@adfs.example"), (ROLE, "reader"))

_ids = count(1)


@cache
def signer(name: str) -> SoftwareSigner:
    """The key of an identity provider, the same in every test."""
    begin = START - timedelta(days=1)
    key, certificate = generate(f"CN={name}", KeyType.RSA2048, begin, begin + timedelta(days=730), Purpose.SIGNING)
    return SoftwareSigner.from_private_key(key, certificate)


@dataclass(frozen=True)
class Encryption:
    """To whom and how."""

    certificate: bytes
    algorithm: ContentEncryption = ContentEncryption.AES256_GCM

    @classmethod
    def to(cls, credential: Credential) -> "Encryption":
        """To a decryption certificate of the service."""
        assert credential.certificate is not None
        return cls(credential.certificate)


@dataclass(frozen=True)
class IdentityProvider:
    """Who it is and what it sends."""

    name: str = "adfs"
    token_format: TokenFormat = TokenFormat.SAML20
    encryption: Encryption | None = None
    claims: tuple[tuple[str, str], ...] = ALICE
    changes: dict[str, Any] = field(default_factory=dict)  # of what the token says

    @property
    def issuer(self) -> str:
        """How its tokens name it."""
        return f"https://{self.name}.example/"

    def write_certificate(self, home: Path) -> None:
        """Lay its certificate beside the configuration."""
        certificate = signer(self.name).certificate
        assert certificate is not None
        (home / f"{self.name}.cer").write_bytes(certificate)

    def sending(self, **changes: Any) -> "IdentityProvider":
        """The same, sending tokens of which something is different."""
        return replace(self, changes={**self.changes, **changes})

    def token(self, world: World) -> bytes:
        """A signed assertion about somebody who has just signed in."""
        descriptor = TokenDescriptor(
            id=f"{next(_ids):032x}",
            issuer=self.issuer,
            audience=world.namespace.issuer,
            issued_at=world.now,
            not_before=world.now,
            expires_at=world.now + timedelta(minutes=5),
            claims=tuple(Claim(kind, value, self.issuer) for kind, value in self.claims),
            authenticated_at=world.now,
            authentication_method=AuthenticationMethod.PASSWORD,
        )
        written: bytes = MODULES[self.token_format].write(descriptor._replace(**self.changes), signer(self.name))
        return written

    def encrypted(self, token: bytes) -> bytes:
        """The token as it travels."""
        if self.encryption is None:
            return token
        encrypt = MODULES[self.token_format].encrypt
        sealed: bytes = encrypt(token, self.encryption.certificate, self.encryption.algorithm)
        return sealed

    def answer(self, world: World) -> str:
        """A response that carries such a token."""
        return response(self.encrypted(self.token(world)).decode())

    def asked_by(self, page: Page) -> str:
        """The state with which a browser was sent here."""
        assert page.status == 302, page.text
        assert page.location.startswith(f"{self.issuer}ls?"), page.location
        return page.asked["wctx"]
