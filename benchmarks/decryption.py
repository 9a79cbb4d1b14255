"""How long the refusal of each kind of encrypted assertion takes: all of one mode should look alike from outside."""

import re
import time
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from statistics import median

from sts.core.claims import NAME_IDENTIFIER
from sts.core.errors import InvalidToken
from sts.core.exchange import TokenDescriptor, Trusted, VerificationKey
from sts.core.model import Claim, ContentEncryption, KeyType, Kind
from sts.crypto import certificates, xmlenc
from sts.crypto.certificates import Purpose
from sts.crypto.decrypter import SoftwareDecrypter
from sts.crypto.signer import SoftwareSigner
from sts.tokens import saml20

ROUNDS = 300
DAY = timedelta(days=1)
NOW = datetime.now(UTC)


def made(purpose: Purpose) -> tuple[SoftwareDecrypter, SoftwareSigner, bytes]:
    """A key behind both of its ports, and its certificate."""
    key, certificate = certificates.generate("CN=benchmark", KeyType.RSA2048, NOW - DAY, NOW + DAY, purpose)
    return SoftwareDecrypter.from_private_key(key), SoftwareSigner.from_private_key(key, certificate), certificate


PRIMARY, SECOND, STRANGER, PROVIDER = (
    made(purpose) for purpose in (Purpose.DECRYPTION, Purpose.DECRYPTION, Purpose.DECRYPTION, Purpose.SIGNING)
)
TRUSTED = Trusted("urn:idp", "urn:us", (VerificationKey("", Kind.CERTIFICATE, PROVIDER[2]),))


def token(signer: SoftwareSigner) -> bytes:
    """An assertion that is good if the identity provider signed it."""
    claims = tuple(Claim(f"urn:claim:{number}", "x" * 60, "urn:idp") for number in range(8))
    named = (Claim(NAME_IDENTIFIER, "alice", "urn:idp"), *claims)
    ends = NOW + timedelta(minutes=10)
    return saml20.write(TokenDescriptor("0" * 32, "urn:idp", "urn:us", NOW, NOW, ends, named, NOW), signer)


def changed(which: int, change: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """Change the wrapped key (0) or the content (1)."""

    def on(sealed: bytes) -> bytes:
        values = re.findall(b"<xenc:CipherValue>([^<]+)", sealed)
        return sealed.replace(values[which], b64encode(change(b64decode(values[which]))))

    return on


def cases(algorithm: ContentEncryption) -> dict[str, bytes]:
    """Encrypted assertions by what is wrong with them."""
    honest = token(PROVIDER[1])
    unsigned = honest[: honest.index(b"<ds:Signature")] + honest[honest.index(b"</ds:Signature>") + 15 :]
    sealed = saml20.encrypt(honest, PRIMARY[2], algorithm)

    def flipped(data: bytes) -> bytes:
        return data[:-1] + bytes([data[-1] ^ 1])

    return {
        "nothing, under the primary": sealed,
        "nothing, under the second": saml20.encrypt(honest, SECOND[2], algorithm),
        "signed by a stranger": saml20.encrypt(token(STRANGER[1]), PRIMARY[2], algorithm),
        "changed after signing": saml20.encrypt(honest.replace(b"alice", b"admin"), PRIMARY[2], algorithm),
        "not signed": saml20.encrypt(unsigned, PRIMARY[2], algorithm),
        "no XML": saml20.encrypt(b"x" * len(honest), PRIMARY[2], algorithm),
        "last byte of the content": changed(1, flipped)(sealed),
        "first byte of the content": changed(1, lambda data: bytes([data[0] ^ 1]) + data[1:])(sealed),
        "last byte of the key": changed(0, flipped)(sealed),
        "encrypted to a stranger": saml20.encrypt(honest, STRANGER[2], algorithm),
    }


def spent(sealed: bytes, algorithm: ContentEncryption) -> float:
    """Seconds of processor time until it is read or refused."""
    begun = time.thread_time()
    try:
        saml20.read(xmlenc.decrypt(sealed, (PRIMARY[0], SECOND[0]), algorithm), TRUSTED, NOW)
    except InvalidToken:
        return time.thread_time() - begun
    return time.thread_time() - begun


def main() -> None:
    """Print the medians, taken in turns so that what disturbs one case disturbs all."""
    for algorithm in ContentEncryption:
        tokens = cases(algorithm)
        times: dict[str, list[float]] = {name: [] for name in tokens}
        for _ in range(ROUNDS):
            for name, sealed in tokens.items():
                times[name].append(spent(sealed, algorithm))
        print(f"{algorithm}: microseconds of processor time until the answer, by what is wrong")
        for name, seconds in times.items():
            print(f"  {name:28}{median(seconds) * 1e6:8.0f}")


if __name__ == "__main__":
    main()
