"""Which certificates of clients are believed, and which prove that somebody holds the key of a CA."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from sts.core.errors import AuthenticationFailed, InvalidCertificate
from sts.crypto.certificates import pem
from sts.crypto.issued import certified_client, proved_code
from tests.crypto.authorities import DAY, NOW, SELF, Issuer, authority, certificate, elliptic_key, key_usage
from tests.crypto.factories import (
    ANY_USAGE,
    CLIENT_AUTH,
    FACTORY,
    NAMESAKE,
    OF_A_CA,
    SERVER_AUTH,
    STRANGER,
    Factory,
)

CODE = "0123456789ABCDEF" * 3
TRUSTED = (STRANGER.certificate(), FACTORY.certificate())
SECOND = timedelta(seconds=1)


def certified_name(leaf: bytes, authorities: Sequence[bytes], now: datetime) -> str:
    return certified_client(leaf, authorities, now).name


RSA_SHA256, RSA_SHA1 = (bytes.fromhex(f"06092a864886f70d0101{arc}") for arc in ("0b", "05"))


@pytest.mark.parametrize(
    "leaf",
    [
        pytest.param(FACTORY.issue(), id="of the usual kind"),
        pytest.param(FACTORY.issue(extensions=()), id="without extensions"),
        pytest.param(FACTORY.issue(extensions=(ANY_USAGE,)), id="any extended key usage"),
        pytest.param(FACTORY.issue(extensions=(CLIENT_AUTH, key_usage("key_agreement"))), id="key agreement"),
        pytest.param(FACTORY.issue("CN=worker,OU=line 4,O=Factories"), id="more in its subject"),
    ],
)
def test_certificate_of_a_trusted_ca_names_its_owner(leaf: bytes) -> None:
    assert certified_name(leaf, TRUSTED, NOW) == "worker"


@pytest.mark.parametrize("name", ["Worker", "w\u00f6rker", "w" * 64, "worker@contoso", "  worker"])
def test_names_are_taken_as_they_stand(name: str) -> None:
    assert certified_name(FACTORY.issue(f"CN={name.replace('  ', chr(92) + '  ')}"), TRUSTED, NOW) == name


def test_an_intermediate_is_trusted_for_itself() -> None:
    intermediate = FACTORY.certificate(STRANGER.issuer)
    assert certified_name(FACTORY.issue(), (intermediate,), NOW) == "worker"


def test_the_old_and_the_next_ca_of_one_name_are_both_held_against_it() -> None:
    both = (NAMESAKE.certificate(), FACTORY.certificate())
    for factory, issuer in ((FACTORY, both[1]), (NAMESAKE, both[0])):
        assert certified_name(factory.issue(), both, NOW) == "worker"
        assert certified_client(factory.issue(), both, NOW).authority == issuer
        assert certified_name(factory.issue(), both[::-1], NOW) == "worker"


def _rsa_1024() -> bytes:
    return FACTORY.issue(key=rsa.generate_private_key(65537, 1024).public_key())


def _ed25519() -> bytes:
    return FACTORY.issue(key=ed25519.Ed25519PrivateKey.generate().public_key())


def _sha1() -> bytes:
    return certificate(issuer=Issuer(FACTORY.issuer.subject, SELF.key)).replace(RSA_SHA256, RSA_SHA1)


UNKNOWN = (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True)

# (a certificate, what the log says)
REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "self-made": (lambda: certificate(), "is its issuer"),
    "self-made with the CA's name": (
        lambda: certificate(issuer=Issuer(FACTORY.issuer.subject, elliptic_key("forger"))),
        "was not issued by the CA",
    ),
    "another CA's": (lambda: Factory("other").issue(), "is its issuer"),
    "expired": (lambda: FACTORY.issue(not_after=NOW - SECOND), "not valid now"),
    "not yet valid": (lambda: FACTORY.issue(not_before=NOW + SECOND), "not valid now"),
    "the CA's own": (lambda: FACTORY.certificate(), "a CA's own"),
    "of a CA below": (lambda: FACTORY.issue(extensions=OF_A_CA), "a CA's own"),
    "CA:TRUE and nothing else": (lambda: FACTORY.issue(extensions=(authority(),)), "a CA's own"),
    "for servers": (lambda: FACTORY.issue(extensions=(SERVER_AUTH,)), "extended key usage"),
    "for key encipherment": (lambda: FACTORY.issue(extensions=(key_usage("key_encipherment"),)), "key usage"),
    "without a name": (lambda: FACTORY.issue("O=Factories"), "0 common names"),
    "with two names": (lambda: FACTORY.issue("CN=worker,CN=admin"), "2 common names"),
    "with one name twice": (lambda: FACTORY.issue("CN=worker+CN=admin"), "2 common names"),
    "with an unknown critical extension": (lambda: FACTORY.issue(extensions=(UNKNOWN,)), "1.2.3.4"),
    "RSA-1024": (_rsa_1024, "1024 bits"),
    "Ed25519": (_ed25519, "neither RSA nor ECDSA"),
    "SHA-1": (_sha1, "SHA1"),
    "trailing byte": (lambda: FACTORY.issue() + b"\0", "after its end"),
    "cut": (lambda: FACTORY.issue()[:-5], "cut off"),
    "PEM": (lambda: pem(FACTORY.issue()), "not in DER"),
    "empty": (lambda: b"", "not a DER certificate"),
    "garbage": (lambda: b"\x30\x03\x02\x01\x01", "private key"),
}


@pytest.mark.parametrize(("make", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_certificate_that_is_not_a_clients_of_a_trusted_ca_is_refused(make: Callable[[], bytes], reason: str) -> None:
    with pytest.raises(AuthenticationFailed) as refused:
        certified_name(make(), TRUSTED, NOW)
    assert reason in (refused.value.detail or "")
    assert refused.value.message == "Authentication failed."


def test_certificate_below_an_intermediate_is_refused_without_that_intermediate() -> None:
    below = Factory("below")
    with pytest.raises(AuthenticationFailed):
        certified_name(below.issue(), (FACTORY.certificate(),), NOW)


@pytest.mark.parametrize(
    "ca",
    [
        FACTORY.certificate(not_after=NOW - SECOND),
        FACTORY.certificate(not_before=NOW + SECOND),
        FACTORY.certificate(extensions=()),
        FACTORY.certificate(extensions=(authority(), key_usage("crl_sign"))),
        FACTORY.certificate(extensions=(OF_A_CA[1],)),
    ],
    ids=["expired", "not yet valid", "no basic constraints", "may not sign certificates", "key usage alone"],
)
def test_certificate_of_what_may_not_issue_is_refused(ca: bytes) -> None:
    with pytest.raises(AuthenticationFailed):
        certified_name(FACTORY.issue(), (ca,), NOW)
    with pytest.raises(InvalidCertificate):
        proved_code(FACTORY.prove(CODE), ca, NOW)


@pytest.mark.parametrize("moment", [NOW - 10 * DAY, NOW + 10 * DAY, NOW + 10 * DAY + timedelta(microseconds=999_999)])
def test_certificate_is_good_from_its_first_to_its_last_second(moment) -> None:
    ca = FACTORY.certificate(not_before=NOW - 20 * DAY)
    assert certified_name(FACTORY.issue(), (ca,), moment) == "worker"


def test_a_ca_that_may_give_certain_names_only_is_refused_since_nobody_checks_them() -> None:
    limits = x509.NameConstraints([x509.DirectoryName(x509.Name.from_rfc4514_string("O=Elsewhere"))], None)
    ca = FACTORY.certificate(extensions=(*OF_A_CA, (limits, True)))
    with pytest.raises(AuthenticationFailed, match="failed") as refused:
        certified_name(FACTORY.issue(), (ca,), NOW)
    assert "name constraints" in (refused.value.detail or "")


@given(st.integers(0, len(FACTORY.issue()) - 1), st.integers(1, 255))
def test_a_changed_certificate_is_refused_and_nothing_else_happens(position: int, change: int) -> None:
    damaged = bytearray(FACTORY.issue())
    damaged[position % len(damaged)] ^= change
    with pytest.raises(AuthenticationFailed):
        certified_name(bytes(damaged), TRUSTED, NOW)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(AuthenticationFailed):
        certified_name(data, TRUSTED, NOW)


@pytest.mark.parametrize("form", [bytes, pem])
def test_proof_tells_the_code_in_der_and_pem(form: Callable[[bytes], bytes]) -> None:
    assert proved_code(form(FACTORY.prove(CODE)), FACTORY.certificate(), NOW) == CODE


# (a proof, what the operator is told)
NO_PROOFS: dict[str, tuple[Callable[[], bytes], str]] = {
    "another CA's": (lambda: STRANGER.prove(CODE), "was not issued by the CA"),
    "a namesake's": (lambda: NAMESAKE.prove(CODE), "was not issued by the CA"),
    "self-made": (lambda: certificate(issuer=Issuer(f"CN={CODE}", SELF.key)), "was not issued by the CA"),
    "expired": (lambda: FACTORY.prove(CODE, not_after=NOW - SECOND), "not valid now"),
    "not yet valid": (lambda: FACTORY.prove(CODE, not_before=NOW + SECOND), "not valid now"),
    "a CA's": (lambda: FACTORY.prove(CODE, extensions=(authority(),)), "a CA's own"),
    "the CA itself": (lambda: FACTORY.certificate(), "a CA's own"),
    "two names": (lambda: FACTORY.prove(f"{CODE},CN=x"), "2 common names"),
    "SHA-1": (_sha1, "SHA1"),
    "RSA-1024": (_rsa_1024, "1024 bits"),
    "no certificate": (lambda: b"proof", "no certificate"),
}


@pytest.mark.parametrize(("make", "reason"), NO_PROOFS.values(), ids=NO_PROOFS.keys())
def test_what_does_not_prove_that_the_ca_holds_its_key_is_refused(make: Callable[[], bytes], reason: str) -> None:
    with pytest.raises(InvalidCertificate) as refused:
        proved_code(make(), FACTORY.certificate(), NOW)
    assert reason in refused.value.message
