"""npm wsfed and saml as identity provider: their tokens are cut, decrypted and read, plain and encrypted."""

from datetime import UTC, datetime

import pytest

from sts.core.claims import EMAIL_ADDRESS, NAME_IDENTIFIER
from sts.core.errors import InvalidToken
from sts.core.exchange import Trusted, VerificationKey, VerifiedToken
from sts.core.model import ContentEncryption, Kind, TokenFormat
from sts.crypto.decrypter import SoftwareDecrypter
from sts.crypto.xmlenc import decrypt
from sts.protocols import rstr
from sts.tokens import saml11, saml20
from tests.interop.npm_identity_provider import Asked, encryption, pair, wresult

ASKED = Asked("https://sts.example/contoso/", "https://sts.example/contoso/v2/wsfederation")
MODULES = {TokenFormat.SAML11: saml11, TokenFormat.SAML20: saml20}
VERSIONS = pytest.mark.parametrize("version", [TokenFormat.SAML11, TokenFormat.SAML20])


def read(token: bytes, version: TokenFormat) -> VerifiedToken:
    """What we make of a token."""
    key = VerificationKey("", Kind.CERTIFICATE, pair("idp").der)
    trusted = Trusted(ASKED.issuer, ASKED.realm, (key,), recipients=frozenset({ASKED.reply}))
    return MODULES[version].read(token, trusted, datetime.now(UTC))


def values(token: VerifiedToken) -> dict[str, str]:
    """The claims of a token by type."""
    return {claim.type: claim.value for claim in token.claims}


@VERSIONS
def test_plain_token_is_cut_and_read(version: TokenFormat) -> None:
    proof = rstr.cut(wresult(version, ASKED))
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
    proof = rstr.cut(wresult(version, ASKED, **encryption(pair(recipient).der, algorithm)))
    assert proof.format is None
    plaintext = decrypt(proof.token, held, algorithm)
    assert values(read(plaintext, version))[NAME_IDENTIFIER] == "alice"


@VERSIONS
def test_token_that_was_changed_on_the_way_is_refused(version: TokenFormat) -> None:
    proof = rstr.cut(wresult(version, ASKED).replace(b">alice<", b">admin<"))
    with pytest.raises(InvalidToken):
        read(proof.token, version)
