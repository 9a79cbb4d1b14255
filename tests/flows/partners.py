"""Partners that keep what they read last, and verify with foreign libraries."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509 import load_der_x509_certificate
from lxml import etree

from sts.core.model import TokenFormat
from tests.flows.tokens import KEY_PARTIES, READERS, Unverified, verified_document
from tests.flows.world import World
from tests.interop.metadata import METADATA, signing_certificates

JWKS = ".well-known/jwks.json"
OAEP = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)
_ENCRYPTION = (
    "{urn:oasis:names:tc:SAML:2.0:metadata}RoleDescriptor/{urn:oasis:names:tc:SAML:2.0:metadata}KeyDescriptor"
    "[@use='encryption']//{http://www.w3.org/2000/09/xmldsig#}X509Certificate"
)


@dataclass(frozen=True)
class Documents:
    """What a partner read."""

    metadata: bytes
    key_set: Mapping[str, Any]

    @property
    def signing(self) -> list[bytes]:
        """The certificates (DER) that may sign."""
        return signing_certificates(self.metadata)

    @property
    def encryption(self) -> bytes:
        """The certificate (DER) to encrypt to: the first that the metadata names."""
        element = etree.fromstring(self.metadata).find(_ENCRYPTION)
        assert element is not None
        return base64.b64decode(element.text or "")


@dataclass
class Library:
    """What the service published, and since when."""

    shelf: list[tuple[datetime, Documents]] = field(default_factory=list)

    def add(self, at: datetime, documents: Documents) -> None:
        """Note what is published now."""
        if not self.shelf or self.shelf[-1][1] != documents:
            self.shelf.append((at, documents))

    def read(self, at: datetime) -> Documents:
        """What a reader got at an instant that has passed."""
        return next(documents for since, documents in reversed(self.shelf) if since <= at)


@dataclass
class Partner:
    """Reads the documents now and then, and judges tokens by what it read last."""

    name: str
    interval: timedelta
    next_read: datetime
    documents: Documents

    def catch_up(self, library: Library, now: datetime) -> None:
        """Read all that it would have read by now; metadata must be signed by what it trusts already."""
        while self.next_read <= now:
            found = library.read(self.next_read)
            if found.metadata != self.documents.metadata:
                trusted = verifies_document(found.metadata, self.documents, self.next_read)
                assert trusted, f"{self.name} trusts no signer"
            self.documents = found
            self.next_read += self.interval


def published(world: World) -> Documents:
    """What the service publishes now."""
    metadata, key_set = world.get(METADATA), world.get(JWKS)
    assert (metadata.status_code, key_set.status_code) == (200, 200)
    return Documents(metadata.data, key_set.get_json())


def verifies_document(metadata: bytes, known: Documents, now: datetime) -> bool:
    """Whether one of the certificates that are known signed a metadata document."""
    return any(_verifies_document(metadata, certificate, now) for certificate in known.signing)


def _verifies_document(metadata: bytes, certificate: bytes, now: datetime) -> bool:
    try:
        verified_document(metadata, certificate, now)
    except Unverified:
        return False
    return True


def accepts(documents: Documents, keys: list[bytes], party: str, token: bytes, now: datetime) -> bool:
    """Whether a relying party that knows these documents, and was handed these keys, takes a token."""
    if party == "jwt":
        return _accepts_jwt(documents, token)
    read = READERS[TokenFormat.JWT if party == "hs256" else TokenFormat(party)]
    for key in keys if party in KEY_PARTIES else documents.signing:
        try:
            read(token, key, now)
        except Unverified:
            continue
        return True
    return False


def _accepts_jwt(documents: Documents, token: bytes) -> bool:
    """As PyJWT's users do it: the key of the token's `kid`; times are judged by the test's clock."""
    keys = {key["kid"]: key for key in documents.key_set["keys"]}
    key = keys.get(jwt.get_unverified_header(token)["kid"])
    if key is None:
        return False
    unjudged = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
    jwt.decode(token, jwt.PyJWK(key), ["RS256"], audience="https://jwt.example/", options=unjudged)
    return True


def encrypt(documents: Documents, secret: bytes) -> bytes:
    """Encrypt a content key to what the metadata says, as an identity provider does."""
    key = load_der_x509_certificate(documents.encryption).public_key()
    assert isinstance(key, RSAPublicKey)
    return key.encrypt(secret, OAEP)
