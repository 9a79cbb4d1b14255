"""Sign-ins: an identity provider's signed answer comes in, a token of ours goes out, in process and over HTTP.

Each answer is for once: a token and a state of its own, made before the clock runs.
"""

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Final
from urllib.parse import urlencode

from benchmarks.load import form_post
from benchmarks.over_http import Target
from benchmarks.raw import Operation, Rate, operation, repeat
from benchmarks.server import HOST
from benchmarks.service import Installation, run
from sts.assemble import Service
from sts.core import sign_in
from sts.core.claims import EMAIL_ADDRESS, NAME_IDENTIFIER, ROLE
from sts.core.credentials import decryption_credentials
from sts.core.exchange import IssuedToken, TokenDescriptor, TokenProof
from sts.core.model import Claim, ContentEncryption, KeyType, TokenFormat
from sts.core.sign_in_steps import Browser, PendingSignIn, Returned, Visit
from sts.core.uris import AuthenticationMethod
from sts.crypto import certificates
from sts.crypto.certificates import Purpose
from sts.crypto.signer import SoftwareSigner
from sts.protocols import rstr
from sts.tokens import saml20

NAMESPACE: Final = "people"
ISSUER: Final = "https://idp.example/"
RELYING_PARTY: Final = "https://orders.example/"
REPLY: Final = f"{RELYING_PARTY}signin"
WAYS: Final = {"sign-in": Operation.SIGN_IN, "sign-in-encrypted": Operation.ENCRYPTED_SIGN_IN}
IN_PROCESS: Final = 250  # answers between two looks at the raw rate
_PROVIDERS: Final = {"sign-in": "plain", "sign-in-encrypted": "sealing"}
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Provider:
    """An identity provider, and where its answers go."""

    service: Service
    signer: SoftwareSigner
    certificate: bytes | None  # to which it encrypts
    name: str

    def proof(self, now: datetime) -> TokenProof:
        """A token of its own about somebody who has just signed in."""
        told = ((NAME_IDENTIFIER, "alice"), (EMAIL_ADDRESS, "alice@idp.example"), (ROLE, "reader"), (ROLE, "sender"))
        descriptor = TokenDescriptor(
            id=secrets.token_hex(16),
            issuer=f"{ISSUER}{self.name}",
            audience=self.service.directory.namespace(NAMESPACE).issuer,
            issued_at=now,
            not_before=now.replace(microsecond=0),
            expires_at=now.replace(microsecond=0) + timedelta(hours=1),
            claims=tuple(Claim(kind, value, ISSUER) for kind, value in told),
            authenticated_at=now,
            authentication_method=AuthenticationMethod.PASSWORD,
        )
        token = saml20.write(descriptor, self.signer)
        if self.certificate is None:
            return TokenProof(TokenFormat.SAML20, token)
        return TokenProof(None, saml20.encrypt(token, self.certificate, ContentEncryption.AES256_GCM))

    def state(self, mark: str, now: datetime) -> str:
        """The state of a sign-in that this browser began."""
        states = self.service.desk.states
        pending = PendingSignIn(
            namespace=NAMESPACE,
            realm=RELYING_PARTY,
            reply=REPLY,
            context="rm=0&id=passive&ru=%2forders",
            provider=self.name,
            nonce=states.new_nonce(),
            browser=mark,
            started_at=now.replace(microsecond=0),
        )
        return states.seal(pending)

    def requests(self, port: int, count: int) -> tuple[bytes, ...]:
        """So many browsers that bring an answer."""
        return tuple(self._request(port) for _ in range(count))

    def _request(self, port: int) -> bytes:
        now, cookie = datetime.now(UTC), secrets.token_urlsafe(32)
        issued = IssuedToken(
            token=self.proof(now).token,
            format=TokenFormat.SAML20,
            id="0" * 32,
            audience=RELYING_PARTY,
            issued_at=now,
            expires_at=now + timedelta(hours=1),
            relying_party="",
            principal="",
            credential_id=0,
            encrypted=self.certificate is not None,
        )
        state = self.state(sha256(cookie.encode()).hexdigest(), now)
        fields = {"wa": "wsignin1.0", "wctx": state, "wresult": rstr.feb2005(issued, None).decode()}
        address = f"/{NAMESPACE}/v2/wsfederation"
        return form_post(f"{HOST}:{port}", address, {"Cookie": f"sts-browser={cookie}"}, urlencode(fields))


def configure(installation: Installation) -> SoftwareSigner:
    """Add the namespace in which people sign in, and answer the key of its identity providers."""
    begin = datetime.now(UTC) - _DAY
    key, certificate = certificates.generate("CN=idp", KeyType.RSA2048, begin, begin + 30 * _DAY, Purpose.SIGNING)
    (installation.home / "idp.cer").write_bytes(certificate)
    configuration = installation.home / "sign_in.yaml"
    configuration.write_text(Path(__file__).with_name("sign_in.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    run(installation, "apply", str(configuration))
    return SoftwareSigner.from_private_key(key, certificate)


def provider(service: Service, signer: SoftwareSigner, way: str) -> Provider:
    """The identity provider of a way to sign in."""
    if WAYS[way] is Operation.SIGN_IN:
        return Provider(service, signer, None, _PROVIDERS[way])
    namespace = service.directory.namespace(NAMESPACE)
    primary = next(iter(decryption_credentials(namespace, service.clock())))
    return Provider(service, signer, primary.certificate, _PROVIDERS[way])


def target(installation: Installation, sender: Provider, way: str, count: int) -> Target:
    """Answers at the sign-in address, so many for each load."""
    return Target(way, b"", WAYS[way], partial(sender.requests, installation.port, count))


def accepting(sender: Provider, count: int) -> list[Callable[[], object]]:
    """So many functions that each take one answer: accept its token, apply the rules, issue, keep the records."""
    return [_accepting(sender) for _ in range(count)]


def _accepting(sender: Provider) -> Callable[[], object]:
    now, mark, desk = sender.service.clock(), os.urandom(32).hex(), sender.service.desk
    visit = Visit(sender.service.directory.namespace(NAMESPACE), Browser(mark, "", HOST), now)
    proof = sender.proof(now)
    return partial(sign_in.take, visit, Returned(sender.state(mark, now), lambda: proof), desk)


def measure(sender: Provider, way: str, turns: int) -> tuple[Rate, float]:
    """The rate of answers in process, and the median over the turns of its ratio to the raw rate around it."""
    raw = partial(repeat, operation(WAYS[way]), 0.25)
    _timed(accepting(sender, 20))
    rates, ratios = [], []
    for _ in range(turns):
        answers = accepting(sender, IN_PROCESS)
        before, rate, after = raw(), _timed(answers), raw()
        rates.append(rate)
        ratios.append(rate.per_cpu_second * 2 / (before.per_cpu_second + after.per_cpu_second))
    seconds, cpu_seconds = (sum(rate.seconds for rate in rates), sum(rate.cpu_seconds for rate in rates))
    return Rate(turns * IN_PROCESS, seconds, cpu_seconds), median(ratios)


def _timed(actions: list[Callable[[], object]]) -> Rate:
    begun, cpu_begun = perf_counter(), process_time()
    for action in actions:
        action()
    return Rate(len(actions), perf_counter() - begun, process_time() - cpu_begun)
