"""npm wsfed and saml as identity provider: their tokens are cut, decrypted and read, plain and encrypted."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

import pytest
from cryptography.hazmat.primitives import serialization

from sts.core.claims import EMAIL_ADDRESS, NAME_IDENTIFIER
from sts.core.errors import InvalidToken
from sts.core.exchange import Trusted, VerificationKey, VerifiedToken
from sts.core.model import ContentEncryption, KeyType, Kind, TokenFormat
from sts.crypto.certificates import Purpose, generate, pem
from sts.crypto.decrypter import SoftwareDecrypter
from sts.crypto.signer import PrivateKey
from sts.crypto.xmlenc import decrypt
from sts.protocols import rstr
from sts.tokens import saml11, saml20
from tests.interop.node import run_node

ISSUER = "https://idp.example/"
REALM = "https://sts.example/contoso/"
REPLY = "https://sts.example/contoso/v2/wsfederation"
MODULES = {TokenFormat.SAML11: saml11, TokenFormat.SAML20: saml20}
VERSIONS = pytest.mark.parametrize("version", [TokenFormat.SAML11, TokenFormat.SAML20])
METHODS = {
    ContentEncryption.AES256_CBC: "http://www.w3.org/2001/04/xmlenc#aes256-cbc",
    ContentEncryption.AES256_GCM: "http://www.w3.org/2009/xmlenc11#aes256-gcm",
}


class Pair(NamedTuple):
    """A key and its certificate, good today: the software looks at the clock."""

    private: PrivateKey
    der: bytes


@lru_cache
def pair(owner: str) -> Pair:
    """The owner's own."""
    now = datetime.now(UTC).replace(microsecond=0)
    begin, end = now - timedelta(days=1), now + timedelta(days=1)
    return Pair(*generate(f"CN={owner}", KeyType.RSA2048, begin, end, Purpose.SIGNING))


def private_pem(key: PrivateKey) -> str:
    """A private key as Node reads it."""
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def public_pem(key: PrivateKey) -> str:
    """A public key as Node reads it."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def wresult(version: TokenFormat, **more: object) -> bytes:
    """What the identity provider posts to us for alice."""
    options = {
        "issuer": ISSUER,
        "cert": pem(pair("idp").der).decode(),
        "key": private_pem(pair("idp").private),
        "signatureAlgorithm": "rsa-sha256",
        "digestAlgorithm": "sha256",
        "nameIdentifier": "alice",
        "attributes": {EMAIL_ADDRESS: "alice@idp.example"},
        "recipient": REPLY,
    }
    message = {
        "version": version.value,
        "options": options | more,
        "query": {"wtrealm": REALM, "wreply": REPLY, "wctx": "the state"},
        "user": {"id": "alice", "displayName": "Alice", "emails": [{"value": "alice@idp.example"}]},
    }
    answer = run_node("identity_provider.js", message)
    assert "wresult" in answer, answer
    written: str = answer["wresult"]
    return written.encode()


def read(token: bytes, version: TokenFormat) -> VerifiedToken:
    """What we make of a token."""
    key = VerificationKey("", Kind.CERTIFICATE, pair("idp").der)
    trusted = Trusted(ISSUER, REALM, (key,), recipients=frozenset({REPLY}))
    return MODULES[version].read(token, trusted, datetime.now(UTC))


def values(token: VerifiedToken) -> dict[str, str]:
    """The claims of a token by type."""
    return {claim.type: claim.value for claim in token.claims}


@VERSIONS
def test_plain_token_is_cut_and_read(version: TokenFormat) -> None:
    proof = rstr.cut(wresult(version))
    assert proof.format is version
    said = values(read(proof.token, version))
    assert said[NAME_IDENTIFIER] == "alice"
    assert said[EMAIL_ADDRESS] == "alice@idp.example"


@pytest.mark.parametrize(
    ("version", "algorithm"),
    [
        (TokenFormat.SAML11, ContentEncryption.AES256_CBC),  # all that `wsfed` can do
        (TokenFormat.SAML20, ContentEncryption.AES256_CBC),
        (TokenFormat.SAML20, ContentEncryption.AES256_GCM),
    ],
)
@pytest.mark.parametrize("recipient", ["primary", "older"])
def test_encrypted_token_is_cut_decrypted_and_read(
    version: TokenFormat, algorithm: ContentEncryption, recipient: str
) -> None:
    """To the certificate that we publish first, and to one that came before it."""
    held = [SoftwareDecrypter.from_private_key(pair(owner).private) for owner in ("primary", "older")]
    proof = rstr.cut(wresult(version, **encryption(recipient, algorithm)))
    assert proof.format is None
    plaintext = decrypt(proof.token, held, algorithm)
    assert values(read(plaintext, version))[NAME_IDENTIFIER] == "alice"


def encryption(recipient: str, algorithm: ContentEncryption) -> dict[str, Any]:
    """The options with which the software encrypts to one of our certificates."""
    return {
        "encryptionCert": pem(pair(recipient).der).decode(),
        "encryptionPublicKey": public_pem(pair(recipient).private),
        "encryptionAlgorithm": METHODS[algorithm],
        "disallowEncryptionWithInsecureAlgorithm": False,
        "warnOnInsecureEncryptionAlgorithm": False,
    }


@VERSIONS
def test_token_that_was_changed_on_the_way_is_refused(version: TokenFormat) -> None:
    proof = rstr.cut(wresult(version).replace(b">alice<", b">admin<"))
    with pytest.raises(InvalidToken):
        read(proof.token, version)
