"""What unwraps content keys: the three forms of OAEP, and silence about whatever does not fit."""

import os

import pytest
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA512

from sts.core.errors import KeyUnreadable
from sts.core.model import KeyTransport, KeyType
from sts.crypto.decrypter import SoftwareDecrypter
from sts.crypto.keys import generate_key

CONTENT_KEY = bytes(range(32))
FORMS = {
    KeyTransport.RSA_OAEP_MGF1P_SHA1: OAEP(MGF1(SHA1()), SHA1(), None),
    KeyTransport.RSA_OAEP_MGF1P_SHA256: OAEP(MGF1(SHA1()), SHA256(), None),
    KeyTransport.RSA_OAEP_11_SHA256: OAEP(MGF1(SHA256()), SHA256(), None),
}


@pytest.fixture(scope="module")
def key() -> RSAPrivateKey:
    made = generate_key(KeyType.RSA2048)
    assert isinstance(made, RSAPrivateKey)
    return made


@pytest.mark.parametrize("sent", FORMS)
@pytest.mark.parametrize("declared", KeyTransport)
def test_a_content_key_is_unwrapped_in_the_form_that_it_was_wrapped_in(
    key: RSAPrivateKey, sent: KeyTransport, declared: KeyTransport
) -> None:
    wrapped = key.public_key().encrypt(CONTENT_KEY, FORMS[sent])
    unwrapped = SoftwareDecrypter.from_private_key(key).unwrap(wrapped, declared)
    assert unwrapped == (CONTENT_KEY if sent is declared else None)


def test_what_does_not_fit_is_nothing_and_no_error(key: RSAPrivateKey) -> None:
    decrypter = SoftwareDecrypter.from_private_key(key)
    public = key.public_key()
    hostile = {
        "empty": b"",
        "one byte": b"x",
        "too short": os.urandom(255),
        "too long": os.urandom(257),
        "above the modulus": b"\xff" * 256,
        "zero": bytes(256),
        "PKCS #1 v1.5": public.encrypt(CONTENT_KEY, padding.PKCS1v15()),
        "another digest": public.encrypt(CONTENT_KEY, OAEP(MGF1(SHA512()), SHA512(), None)),
        "a label": public.encrypt(CONTENT_KEY, OAEP(MGF1(SHA1()), SHA1(), b"label")),
        "megabyte": bytes(1_000_000),
    }
    for transport in KeyTransport:
        assert {name: decrypter.unwrap(wrapped, transport) for name, wrapped in hostile.items()} == dict.fromkeys(
            hostile
        )


def test_only_rsa_transports_keys() -> None:
    with pytest.raises(KeyUnreadable, match="must be RSA"):
        SoftwareDecrypter.from_private_key(generate_key(KeyType.P256))


def test_a_decrypter_shows_nothing_of_its_key(key: RSAPrivateKey) -> None:
    assert repr(SoftwareDecrypter.from_private_key(key)) == "SoftwareDecrypter()"
