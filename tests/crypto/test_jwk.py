"""Public keys as JSON Web Keys; what PyJWT makes of them is in the tests of discovery."""

from base64 import urlsafe_b64decode

import pytest

from sts.core.errors import InvalidCertificate
from sts.crypto.jwk import public_members
from tests.crypto.identities import certificate


@pytest.mark.parametrize(("kind", "size"), [("p256", 32), ("p384", 48), ("p521", 66)])
def test_coordinates_have_the_full_length_of_the_curve(kind: str, size: int) -> None:
    for number in range(3 if kind == "p521" else 20):
        members = public_members(certificate(kind, f"jwk{number}"))
        assert {len(urlsafe_b64decode(members[name] + "==")) for name in ("x", "y")} == {size}


def test_modulus_has_no_leading_zero() -> None:
    modulus = urlsafe_b64decode(public_members(certificate("rsa2048"))["n"] + "==")
    assert (len(modulus), modulus[0] >> 7) == (256, 1)


@pytest.mark.parametrize("kind", ["secp256k1", "ed25519"])
def test_key_without_a_signature_algorithm_here_is_refused(kind: str) -> None:
    with pytest.raises(InvalidCertificate):
        public_members(certificate(kind))
