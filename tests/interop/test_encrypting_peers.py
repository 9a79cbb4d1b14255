"""We decrypt what foreign software encrypts: xmlsec1 whole elements, OpenSSL content keys in every form of OAEP."""

from pathlib import Path
from types import ModuleType

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sts.core.model import KeyTransport
from sts.crypto.xmlenc import decrypt
from sts.tokens import saml11, saml20
from tests.crypto.identities import NOW, certificate, rsa_key
from tests.openssl import openssl
from tests.threats.encryption import (
    CBC,
    CONTENT,
    DS,
    GCM,
    SHA1_DIGEST,
    TRANSPORTS,
    XENC,
    Sealing,
    decrypters,
    sealed,
)
from tests.tokens.assertions import TRUSTED, written
from tests.tools import encrypt_with_xmlsec1

VERSIONS = pytest.mark.parametrize("module", [saml11, saml20], ids=["saml11", "saml20"])
BOTH = pytest.mark.parametrize("algorithm", [CBC, GCM])
TEMPLATE = (
    f'<xenc:EncryptedData xmlns:xenc="{XENC}" xmlns:ds="{DS}" Type="{XENC}Element">'
    '<xenc:EncryptionMethod Algorithm="{content}"/><ds:KeyInfo><xenc:EncryptedKey>'
    f'<xenc:EncryptionMethod Algorithm="{XENC}rsa-oaep-mgf1p">{SHA1_DIGEST}</xenc:EncryptionMethod>'
    "<xenc:CipherData><xenc:CipherValue/></xenc:CipherData></xenc:EncryptedKey></ds:KeyInfo>"
    "<xenc:CipherData><xenc:CipherValue/></xenc:CipherData></xenc:EncryptedData>"
)
DIGESTS = {  # the digest and that of the mask, as `openssl pkeyutl` names them
    KeyTransport.RSA_OAEP_MGF1P_SHA1: ("sha1", "sha1"),
    KeyTransport.RSA_OAEP_MGF1P_SHA256: ("sha256", "sha1"),
    KeyTransport.RSA_OAEP_11_SHA256: ("sha256", "sha256"),
}


@VERSIONS
@BOTH
@pytest.mark.parametrize("owner", ["sts", "old"])
def test_what_xmlsec1_encrypts_is_decrypted_and_read(
    module: ModuleType, algorithm: str, owner: str, tmp_path: Path
) -> None:
    template = TEMPLATE.format(content=CONTENT[algorithm])
    encrypted = encrypt_with_xmlsec1(written(module), template, certificate("rsa2048", owner), tmp_path)
    plaintext = decrypt(encrypted, decrypters("sts", "old"), algorithm)
    assert module.read(plaintext, TRUSTED, NOW) == module.read(written(module), TRUSTED, NOW)


@BOTH
@pytest.mark.parametrize("transport", DIGESTS)
def test_a_content_key_that_openssl_wraps_opens(algorithm: str, transport: KeyTransport, tmp_path: Path) -> None:
    digest, mask = DIGESTS[transport]
    public = rsa_key("sts").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "public.pem").write_bytes(public)
    (tmp_path / "key").write_bytes(Sealing().content_key)
    wrapped = openssl(
        tmp_path,
        *("pkeyutl", "-encrypt", "-pubin", "-inkey", "public.pem", "-in", "key"),
        *("-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", f"rsa_oaep_md:{digest}"),
        *("-pkeyopt", f"rsa_mgf1_md:{mask}"),
    )
    sealing = Sealing(algorithm, TRANSPORTS[transport], change_key=lambda ours: wrapped)
    assert decrypt(sealed(written(saml20), sealing), decrypters("old", "sts"), algorithm) == written(saml20)
