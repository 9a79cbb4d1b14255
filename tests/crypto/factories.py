"""CAs of others and what they issue: certificates of devices, and proofs that they hold their keys."""

from dataclasses import dataclass, replace
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.crypto.authorities import DAY, NOW, Issuer, Leaf, authority, certificate, elliptic_key, key_usage

CLIENT_AUTH = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False)
SERVER_AUTH = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
ANY_USAGE = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]), False)
OF_A_CA = (authority(), key_usage("key_cert_sign", "crl_sign"))
OF_A_CLIENT = ((x509.BasicConstraints(ca=False, path_length=None), True), key_usage("digital_signature"), CLIENT_AUTH)


@dataclass(frozen=True)
class Factory:
    """A CA: two of one name and different generations share the subject, not the key."""

    name: str = "factory"
    generation: int = 1

    @property
    def key(self) -> ec.EllipticCurvePrivateKey:
        """Its private key."""
        return elliptic_key(f"{self.name} {self.generation}")

    @property
    def issuer(self) -> Issuer:
        """Its name and key, for what it issues."""
        return Issuer(f"CN={self.name},O=Factories", self.key)

    def certificate(self, issuer: Issuer | None = None, **changes: Any) -> bytes:
        """Its own certificate, self-signed unless another issued it."""
        usual = Leaf(self.key.public_key(), self.issuer.subject, not_after=NOW + 3650 * DAY, extensions=OF_A_CA)
        return certificate(replace(usual, **changes), issuer or self.issuer)

    def issue(self, subject: str = "CN=worker", **changes: Any) -> bytes:
        """A certificate for one of its clients."""
        usual = Leaf(elliptic_key("client").public_key(), subject, extensions=OF_A_CLIENT)
        return certificate(replace(usual, **changes), self.issuer)

    def prove(self, code: str, **changes: Any) -> bytes:
        """The proof that it holds its key."""
        return self.issue(f"CN={code}", **{"extensions": (), **changes})


def self_made(name: str = "own") -> bytes:
    """A certificate that nobody vouches for, to be pinned."""
    key = elliptic_key(f"self-made {name}")
    return certificate(Leaf(key.public_key(), f"CN={name}"), Issuer(f"CN={name}", key))


FACTORY = Factory()
STRANGER = Factory("stranger")
NAMESAKE = Factory(generation=2)
