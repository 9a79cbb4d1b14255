"""Certification requests: what they prove and ask for."""

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sts.core.errors import InvalidCertificate
from sts.crypto import certification_requests
from sts.crypto.certification_requests import load
from tests.crypto.authorities import elliptic_key, rsa_key
from tests.crypto.wishes import ASKING_FOR_A_CA, bad_requests, request
from tests.openssl import certification_request

MALFORMED = {name: each for name, each in bad_requests().items() if "must name" not in each[1]}


@pytest.mark.parametrize("key", [rsa_key(), elliptic_key(), ec.generate_private_key(ec.SECP521R1())])
def test_a_request_says_whose_key_it_is_for(key: object) -> None:
    made = load(request(key=key))
    assert made.common_names == ("worker",)
    assert made.public_key == key.public_key()  # type: ignore[attr-defined]  # one of the kinds above


@pytest.mark.parametrize("digest", [hashes.SHA256(), hashes.SHA384(), hashes.SHA512()])
def test_a_request_may_be_signed_with_any_digest_of_the_family(digest: object) -> None:
    assert load(request(key=rsa_key(), digest=digest)).common_names == ("worker",)


def test_a_request_that_names_nobody_is_read() -> None:
    assert load(request(names=[])).common_names == ()


def test_of_the_subject_only_common_names_are_read() -> None:
    beside = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Contoso"), x509.NameAttribute(NameOID.COUNTRY_NAME, "CH")]
    assert load(request(beside=beside)).common_names == ("worker",)


def test_what_extensions_a_request_wishes_for_is_not_looked_at() -> None:
    assert load(request(extensions=ASKING_FOR_A_CA)).common_names == ("worker",)


@pytest.mark.parametrize(("data", "reason"), MALFORMED.values(), ids=MALFORMED.keys())
def test_a_bad_request_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(InvalidCertificate, match=reason):
        load(data)


def test_a_request_that_is_cut_anywhere_is_refused() -> None:
    good = request()
    for end in range(len(good)):
        with pytest.raises(InvalidCertificate):
            load(good[:end])


def test_a_request_with_any_byte_changed_is_refused_or_asks_for_the_same() -> None:
    good = request()
    for position in range(len(good)):
        changed = good[:position] + bytes([good[position] ^ 0x55]) + good[position + 1 :]
        with pytest.raises(InvalidCertificate):
            load(changed)


@pytest.mark.parametrize(
    "arguments",
    [("-newkey", "rsa:2048"), ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384")],
    ids=["rsa", "p384"],
)
def test_requests_of_openssl_are_read(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    made = certification_request(tmp_path, *arguments, "-subj", "/C=CH/O=Contoso/CN=worker")
    assert load(made).common_names == ("worker",)
    assert len(made) < certification_requests.SIZE_LIMIT
