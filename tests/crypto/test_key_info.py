"""Which public key a KeyInfo names, and which names are refused."""

import pytest

from sts.core.errors import BadRequest
from sts.crypto.key_info import NamedKey, named_key
from sts.crypto.xml import parse
from tests.crypto.identities import certificate
from tests.crypto.key_infos import key_info, key_value, rsa_key_value, spki, x509_data

GOOD = ("rsa2048", "p256", "p384", "p521")


@pytest.mark.parametrize("kind", GOOD)
def test_a_certificate_names_its_key(kind: str) -> None:
    read = named_key(parse(key_info(x509_data(certificate(kind)))))
    assert read == NamedKey(spki(kind), certificate(kind))


@pytest.mark.parametrize("kind", GOOD)
def test_a_key_value_is_the_key(kind: str) -> None:
    assert named_key(parse(key_info(key_value(kind)))) == NamedKey(spki(kind))


def test_a_key_that_is_named_twice_is_one_key() -> None:
    both = key_info("<ds:KeyName>mine</ds:KeyName>", key_value("rsa2048"), x509_data(certificate("rsa2048")))
    assert named_key(parse(both)).certificate == certificate("rsa2048")


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (key_info(), "neither an X509Certificate nor a KeyValue"),
        (key_info("<ds:KeyName>mine</ds:KeyName>"), "neither an X509Certificate nor a KeyValue"),
        (key_info("<ds:X509Data><ds:X509SubjectName>CN=a</ds:X509SubjectName></ds:X509Data>"), "neither"),
        (key_info(key_value("p256"), x509_data(certificate("rsa2048"))), "more than one key"),
        (key_info(x509_data(certificate("rsa2048"), certificate("p256"))), "more than one certificate"),
        (key_info(x509_data(certificate("rsa2048") + b"\0")), "KeyInfo cannot be used"),
        (key_info(x509_data(certificate("rsa1024"))), "1024 bits"),
        (key_info(x509_data(certificate("ed25519"))), "signed with no hash"),
        (key_info(key_value("rsa1024")), "1024 bits"),
        (key_info(key_value("secp256k1")), "on none of the curves"),
        (key_info(rsa_key_value(2**2047 + 1, 3)), "exponent"),
        (key_info(rsa_key_value(2**2047, 65537)), "KeyInfo cannot be used"),
        (key_info(rsa_key_value(2**40_000 + 1, 65537)), "more than 16384 bits"),
        (key_info(rsa_key_value(0, 0)), "no RSA key"),
        (key_info("<ds:KeyValue/>"), "exactly one key"),
        (key_info("<ds:KeyValue><ds:DSAKeyValue/></ds:KeyValue>"), "neither an RSAKeyValue nor an ECKeyValue"),
        (key_info("<ds:KeyValue><ds:RSAKeyValue/></ds:KeyValue>"), "0 of Modulus"),
        (key_info("<ds:X509Data><ds:X509Certificate>?</ds:X509Certificate></ds:X509Data>"), "not base64"),
        (key_info("<ds:X509Data><ds:X509Certificate><a/></ds:X509Certificate></ds:X509Data>"), "holds elements"),
        (key_info(key_value("p256").replace("PublicKey>B", "PublicKey>C")), "no point on the curve"),
    ],
)
def test_what_names_no_good_key_is_refused(content: bytes, fault: str) -> None:
    with pytest.raises(BadRequest, match=fault):
        named_key(parse(content))
