"""The parts behind WS-Trust doors in memory, and callers that a test changes."""

import hashlib
import hmac
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

from sts.core.errors import AuthenticationFailed
from sts.core.exchange import (
    DigestProof,
    HolderOfKey,
    IssuedToken,
    PasswordProof,
    Proof,
    PublicKey,
    TokenProof,
)
from sts.core.model import ClaimPattern, PartnerCertificate, RelyingParty, Rule, TokenFormat
from sts.core.trust import (
    Caller,
    MessageIdentity,
    Possession,
    TrustAction,
    TrustAnswer,
    TrustDesk,
    TrustRequest,
)
from sts.core.trust_service import answer
from sts.crypto.certificates import public_key_info
from sts.crypto.message_signature import verify_possession
from sts.tokens import saml20
from tests.contract.memory import MemoryCancellations
from tests.core.builders import NOW
from tests.core.test_acceptance import GCM, MODULES, Door, provider, said
from tests.core.test_issue import PASSWORD, OnePassword
from tests.crypto.identities import NOT_AFTER, NOT_BEFORE, certificate, signer

ORDERS = "https://orders.example/"
BILLING = "https://billing.example/"
OCTETS = b"<ds:SignedInfo/>"
HMAC_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
CREATED = "2026-06-01T12:00:00Z"


class DigestingPassword(OnePassword):
    """Digests are compared, nobody is counted."""

    def check_digest(self, password: bytes | None, attempt: Any, now: Any) -> None:
        proof = attempt.proof
        made = hashlib.sha1(proof.nonce + proof.created.encode() + (password or b"")).digest()
        if password is None or made != proof.digest:
            raise AuthenticationFailed(detail="the digest is wrong")


class TrustWorld(Door):
    """Two relying parties: orders takes bearer tokens, billing encrypted ones and proof of possession."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = replace(self.parts, passwords=DigestingPassword())
        signing = self.directory.credentials[1][1]
        thumbprint = hashlib.sha1(signing.certificate or b"").hexdigest()  # as tokens name it
        self.directory.credentials[1] = (1, replace(signing, thumbprint=thumbprint))
        self.cancellations = MemoryCancellations()
        self.desk = TrustDesk(
            self.parts, self.cancellations, verify_possession, lambda der: PublicKey(public_key_info(der))
        )
        self.group(Rule(ClaimPattern("LOCAL AUTHORITY")), Rule(ClaimPattern("adfs")))
        self.party(identity_providers=("adfs",), token_format=TokenFormat.SAML20)
        self.billing()
        self.directory.providers[1, "adfs"] = provider()
        self.messages = count(1)

    def billing(self, **changes: Any) -> None:
        """A relying party that takes proof-of-possession tokens."""
        base = RelyingParty(
            8,
            "billing",
            BILLING,
            TokenFormat.SAML20,
            rule_groups=("all",),
            identity_providers=("adfs",),
            encryption_required=True,
            encryption_certificate=PartnerCertificate(
                certificate("rsa2048", "rp"), "CN=rp", "ab" * 20, NOT_BEFORE, NOT_AFTER
            ),
            proof_of_possession=True,
        )
        self.directory.relying_parties[1, BILLING] = replace(base, **changes)

    def encrypted(self, proof: TokenProof, owner: str = "sts") -> TokenProof:
        """A SAML 2.0 token as the identity provider encrypts it for us, once it is held to an algorithm."""
        self.directory.providers[1, "adfs"] = provider(decryption=GCM)
        return TokenProof(None, saml20.encrypt(proof.token, certificate("rsa2048", owner), GCM))

    def caller(self, proof: Proof | None = None, **changes: Any) -> Caller:
        """The worker with his password, in a message of its own."""
        message = MessageIdentity(NOW + timedelta(minutes=5), f"urn:uuid:{next(self.messages)}")
        made = Caller("contoso", proof or PasswordProof("worker", PASSWORD), "203.0.113.9", "trace", message)
        return made._replace(**changes)

    def send(self, *requests: TrustRequest, caller: Caller | None = None, now: Any = NOW) -> tuple[TrustAnswer, ...]:
        """Send one message."""
        return answer(caller or self.caller(), requests, self.desk, now)

    def answer(self, request: TrustRequest, caller: Caller | None = None, now: Any = NOW) -> TrustAnswer:
        """Send one request."""
        (only,) = self.send(request, caller=caller, now=now)
        return only

    def token(self, request: TrustRequest | None = None, caller: Caller | None = None, now: Any = NOW) -> IssuedToken:
        """The token that a request gets; by default the worker's for orders."""
        issued = self.answer(request or wanted(), caller, now).issued
        assert issued is not None
        return issued

    def partners(self, *claims: tuple[str, str], **how: Any) -> TokenProof:
        """A token of the identity provider, made for us."""
        token_format = how.pop("token_format", TokenFormat.SAML20)
        owner = how.pop("owner", "idp")
        made = said(*claims, **how)
        return TokenProof(token_format, MODULES[token_format].write(made, signer("rsa2048", owner)))

    def held(self, holder: HolderOfKey, **how: Any) -> TokenProof:
        """The same for the holder of a key."""
        return self.partners(confirmation=holder, **how)


def wanted(realm: str | None = ORDERS, **changes: Any) -> TrustRequest:
    """A token for a relying party."""
    return TrustRequest(TrustAction.ISSUE, realm)._replace(**changes)


def about(action: TrustAction, issued: IssuedToken | TokenProof, **changes: Any) -> TrustRequest:
    """A request about a token."""
    target = issued if isinstance(issued, TokenProof) else proof_of(issued)
    return TrustRequest(action, target=target)._replace(**changes)


def proof_of(issued: IssuedToken) -> TokenProof:
    """A token of ours as somebody presents it."""
    return TokenProof(issued.format, issued.token)


def by_secret(key: bytes) -> Possession:
    """A message's signature with a secret key."""
    return Possession(OCTETS, hmac.digest(key, OCTETS, "sha256"), HMAC_SHA256)


def by_private_key(owner: str) -> Possession:
    """A message's signature with somebody's RSA key."""
    return Possession(OCTETS, signer("rsa2048", owner).sign(OCTETS), RSA_SHA256)


def digest(password: bytes = PASSWORD, nonce: bytes = b"n" * 16, **changes: Any) -> DigestProof:
    """A digest of the worker's password."""
    made = DigestProof("worker", nonce, CREATED, NOW, hashlib.sha1(nonce + CREATED.encode() + password).digest())
    return made._replace(**changes)
