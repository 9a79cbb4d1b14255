"""The mint (design, section 4): what is settled first, what each step refuses, what comes out."""

import base64
import hmac
from dataclasses import replace
from datetime import timedelta
from urllib.parse import quote_plus

import pytest

from sts.core.claims import IDENTITY_PROVIDER, LOCAL_AUTHORITY, NAME_IDENTIFIER, ROLE
from sts.core.errors import (
    AccessDenied,
    AuthenticationFailed,
    FormatNotOffered,
    InvalidAudience,
    InvalidSignature,
    InvalidSwtToken,
    NamespaceNotFound,
    NoEncryptionCertificate,
    NoSigningCertificate,
    RelyingPartyNotFound,
    ReplayedToken,
)
from sts.core.exchange import PasswordProof, TokenProof, TokenRequest
from sts.core.issue import issue
from sts.core.model import (
    Claim,
    ClaimPattern,
    KeyType,
    Kind,
    PartnerCertificate,
    RelyingParty,
    Rule,
    RuleGroup,
    ServiceIdentity,
    TokenFormat,
)
from sts.core.parts import Parts
from sts.crypto import issued
from sts.crypto.certificates import Purpose, generate, parse
from sts.crypto.signer import private_key_bytes
from sts.tokens import jwt, saml, saml11, saml20, swt
from tests.contract.memory import MemoryDirectory, MemoryKeyRing, MemoryReplayCache
from tests.core.builders import DAY, NOW, credential, key, namespace

PASSWORD = b"correct horse"
SHARED_KEY = b"s" * 32
ALL = frozenset(TokenFormat)
KEY, DER = generate("CN=contoso", KeyType.P256, NOW - DAY, NOW + DAY, Purpose.SIGNING)


class OnePassword:
    """Everybody's password is the same, except that nobody has none."""

    def check(self, identity, attempt, now):
        if identity is None or attempt.password != PASSWORD:
            raise AuthenticationFailed(detail="no")


class NoFailures:
    """Nobody is counted."""

    def check(self, namespace, name, source, now):
        pass

    def record(self, namespace, name, source, now):
        pass


class World:
    """The parts in memory, and the configuration that a test changes."""

    def __init__(self) -> None:
        self.directory, self.key_ring = MemoryDirectory(), MemoryKeyRing()
        certificate = credential(1, certificate=DER, primary_from=NOW - DAY)
        self.directory.credentials = {1: (1, certificate), 2: (1, key(2, primary_from=NOW - DAY))}
        self.directory.namespaces["contoso"] = namespace()
        self.key_ring.secrets = {1: private_key_bytes(KEY), 2: b"k" * 32}
        self.key_ring.shared_keys = {1: SHARED_KEY, 2: SHARED_KEY}
        self.group(Rule(ClaimPattern(LOCAL_AUTHORITY)))
        self.party()
        self.identity("worker", id=1, has_symmetric_key=True)
        formats = {TokenFormat.SWT: swt, TokenFormat.JWT: jwt, TokenFormat.SAML11: saml11, TokenFormat.SAML20: saml20}
        encryptions = {TokenFormat.SAML11: saml11.encrypt, TokenFormat.SAML20: saml20.encrypt}
        numbers = iter(range(1, 1000))
        self.parts = Parts(
            self.directory,
            self.key_ring,
            OnePassword(),
            MemoryReplayCache(),
            formats,
            encryptions,
            lambda: f"{next(numbers):032x}",
            issued,
            saml.decrypted,
            NoFailures(),
        )

    def group(self, *rules):
        self.directory.rule_groups[1, "all"] = RuleGroup(1, "all", rules)

    def party(self, **changes):
        base = RelyingParty(7, "orders", "https://orders.example/", TokenFormat.JWT, rule_groups=("all",))
        self.directory.relying_parties[1, base.realm] = replace(base, **changes)

    def identity(self, name, **changes):
        self.directory.service_identities[1, name] = ServiceIdentity(**{"id": 9, "name": name, **changes})

    def ask(self, proof=None, realm="https://orders.example/", formats=ALL, now=NOW, **changes):
        request = TokenRequest(
            "contoso", realm, proof or PasswordProof("worker", PASSWORD), formats, "203.0.113.9", "trace"
        )
        return issue(request._replace(**changes), self.parts, now)


@pytest.fixture
def world() -> World:
    return World()


def self_issued(issuer: str = "worker", shared_key: bytes = SHARED_KEY, **fields: object) -> TokenProof:
    pairs = {"Issuer": issuer, "Audience": "https://sts.example/contoso/", "ExpiresOn": int(NOW.timestamp()) + 600}
    told = {name: value for name, value in {**pairs, **fields}.items() if value is not None}
    text = "&".join(f"{name}={quote_plus(str(value))}" for name, value in told.items())
    mac = base64.b64encode(hmac.digest(shared_key, text.encode(), "sha256")).decode()
    return TokenProof(TokenFormat.SWT, f"{text}&HMACSHA256={quote_plus(mac)}".encode())


def test_a_token_says_who_for_whom_and_until_when(world):
    issued = world.ask(now=NOW + timedelta(microseconds=123456))
    view = jwt.view(issued.token)
    assert (issued.relying_party, issued.principal, issued.credential_id) == ("orders", "worker", 1)
    assert (view.issuer, view.audience) == ("https://sts.example/contoso/", "https://orders.example/")
    assert (view.not_before, view.expires_at) == (NOW, NOW + timedelta(seconds=600))
    assert [(c.type, c.value) for c in view.claims] == [
        (NAME_IDENTIFIER, "worker"),
        (IDENTITY_PROVIDER, "https://sts.example/contoso/"),
    ]


def test_the_audience_is_the_requested_realm_not_the_registered_one(world):
    realm = "https://orders.example/queue?api-version=2013-07"
    assert jwt.view(world.ask(realm=realm).token).audience == realm


REFUSALS = {
    "unknown namespace": ({"namespace": "fabrikam"}, NamespaceNotFound),
    "unknown name": ({"proof": PasswordProof("nobody", PASSWORD)}, AuthenticationFailed),
    "wrong password": ({"proof": PasswordProof("worker", b"wrong")}, AuthenticationFailed),
    "who asks comes before what for": (
        {"proof": PasswordProof("worker", b"wrong"), "realm": "https://unknown.example/"},
        AuthenticationFailed,
    ),
    "unknown realm": ({"realm": "https://unknown.example/"}, RelyingPartyNotFound),
    "a format that the door does not deliver": ({"formats": frozenset({TokenFormat.SWT})}, FormatNotOffered),
}


@pytest.mark.parametrize(("changes", "error"), REFUSALS.values(), ids=REFUSALS.keys())
def test_each_step_refuses_what_it_must(world, changes, error):
    with pytest.raises(error):
        world.ask(**changes)


def test_a_disabled_identity_with_the_right_password_is_refused(world):
    world.identity("worker", enabled=False)
    with pytest.raises(AuthenticationFailed):
        world.ask()


def test_a_disabled_relying_party_is_not_found_a06(world):
    world.party(enabled=False)
    with pytest.raises(RelyingPartyNotFound):
        world.ask()


def test_no_output_claim_no_token(world):
    world.group(Rule(ClaimPattern("adfs")))
    with pytest.raises(AccessDenied, match="no output claims"):
        world.ask()


def test_identityprovider_alone_is_no_output(world):
    world.group(Rule(ClaimPattern(LOCAL_AUTHORITY), None, IDENTITY_PROVIDER, "somebody"))
    with pytest.raises(AccessDenied):
        world.ask()


def test_a_rule_cannot_make_another_identity_provider(world):
    world.group(
        Rule(ClaimPattern(LOCAL_AUTHORITY), None, IDENTITY_PROVIDER, "adfs"),
        Rule(ClaimPattern(LOCAL_AUTHORITY, NAME_IDENTIFIER), None, ROLE, "sender"),
    )
    assert jwt.view(world.ask().token).claims == (
        Claim(ROLE, "sender", "https://sts.example/contoso/"),
        Claim(IDENTITY_PROVIDER, "https://sts.example/contoso/", "https://sts.example/contoso/"),
    )


def test_an_expired_primary_stops_issuing_with_the_remedy(world):
    owner, certificate = world.directory.credentials[1]
    world.directory.credentials[1] = (owner, replace(certificate, not_after=NOW - DAY))
    with pytest.raises(NoSigningCertificate, match="sts certificate make-primary"):
        world.ask()


def encryption_certificate(**changes):
    _, der = generate("CN=orders", KeyType.RSA2048, NOW - DAY, NOW + DAY, Purpose.ENCRYPTION)
    made = parse(der)
    base = PartnerCertificate(der, made.subject, made.thumbprint, made.not_before, made.not_after)
    return replace(base, **changes)


SAML = [TokenFormat.SAML11, TokenFormat.SAML20]


@pytest.mark.parametrize("token_format", SAML)
def test_a_relying_party_that_requires_encryption_gets_nothing_in_the_clear(world, token_format):
    certificate = encryption_certificate()
    world.party(token_format=token_format, encryption_required=True, encryption_certificate=certificate)
    issued = world.ask()
    assert issued.encrypted
    assert b"EncryptedData" in issued.token
    assert b"worker" not in issued.token


@pytest.mark.parametrize("token_format", SAML)
@pytest.mark.parametrize(
    "certificate",
    [None, {"not_after": NOW - timedelta(seconds=1)}, {"not_before": NOW + timedelta(seconds=1)}],
    ids=["none", "expired", "not yet valid"],
)
def test_there_is_no_plaintext_fall_back(world, token_format, certificate):
    pinned = None if certificate is None else encryption_certificate(**certificate)
    world.party(token_format=token_format, encryption_required=True, encryption_certificate=pinned)
    with pytest.raises(NoEncryptionCertificate, match="sts apply"):
        world.ask()


def test_a_relying_party_that_takes_proof_of_possession_tokens_gets_nothing_in_the_clear(world):
    world.party(token_format=TokenFormat.SAML20, proof_of_possession=True)
    with pytest.raises(NoEncryptionCertificate, match="encryption is not required of it"):
        world.ask()


def test_a_self_issued_simple_web_token_authenticates_its_service_identity(world):
    assert world.ask(proof=self_issued()).principal == "worker"


AUDIENCES = ["", "WRAPv0.9", "WRAPv0.9/", "v2/OAuth2-13", "oauth2/token"]


@pytest.mark.parametrize("path", AUDIENCES)
def test_a_self_issued_token_may_be_for_the_namespace_or_one_of_its_token_endpoints(world, path):
    assert world.ask(proof=self_issued(Audience="https://sts.example/contoso/" + path)).principal == "worker"


@pytest.mark.parametrize("path", AUDIENCES)
def test_the_namespaces_own_host_names_are_its_addresses_too(world, path):
    world.directory.namespaces["contoso"] = namespace(hosts=("contoso.sts.example",))
    proof = self_issued(Audience="https://contoso.sts.example/" + path)
    assert world.ask(proof=proof).principal == "worker"


def test_a_self_issued_token_needs_no_audience(world):
    assert world.ask(proof=self_issued(Audience=None)).principal == "worker"


def test_what_a_self_issued_token_claims_beyond_its_issuer_is_ignored(world):
    issued = world.ask(proof=self_issued(role="admin"))
    assert "admin" not in [claim.value for claim in jwt.view(issued.token).claims]


NOT_AUTHENTIC = {
    "wrong key": (self_issued(shared_key=b"x" * 32), InvalidSignature),
    "unknown issuer": (self_issued(issuer="nobody"), InvalidSignature),
    "no issuer": (self_issued(Issuer=None), InvalidSwtToken),
    "another audience": (self_issued(Audience="https://other.example/"), InvalidAudience),
    "expired": (self_issued(ExpiresOn=int((NOW - timedelta(minutes=4)).timestamp())), InvalidSwtToken),
    "more than a day ahead": (self_issued(ExpiresOn=int((NOW + timedelta(days=2)).timestamp())), InvalidSwtToken),
    "without expiry": (self_issued(ExpiresOn=None), InvalidSwtToken),
    "not a token": (TokenProof(TokenFormat.SWT, b"nonsense"), InvalidSwtToken),
}


@pytest.mark.parametrize(("proof", "error"), NOT_AUTHENTIC.values(), ids=NOT_AUTHENTIC.keys())
def test_a_self_issued_token_that_does_not_hold_is_refused(world, proof, error):
    with pytest.raises(error):
        world.ask(proof=proof)


@pytest.mark.parametrize("state", [{"enabled": False}, {"has_symmetric_key": False}], ids=["disabled", "no key"])
def test_an_identity_that_may_not_sign_answers_like_one_that_does_not_exist(world, state):
    world.identity("worker", **{"id": 1, "has_symmetric_key": True, **state})
    with pytest.raises(InvalidSignature) as refused:
        world.ask(proof=self_issued())
    with pytest.raises(InvalidSignature) as unknown:
        world.ask(proof=self_issued(issuer="nobody"))
    assert refused.value.codes == unknown.value.codes
    assert refused.value.detail != unknown.value.detail


def test_a_self_issued_token_is_used_once(world):
    world.ask(proof=self_issued())
    with pytest.raises(ReplayedToken):
        world.ask(proof=self_issued(), now=NOW + timedelta(minutes=12))


def test_the_minimal_form_is_accepted_only_where_it_is_asked_for(world):
    world.identity("worker", id=1, has_symmetric_key=True, swt_without_expiry=True)
    minimal = self_issued(ExpiresOn=None, Audience=None)
    assert [world.ask(proof=minimal).principal for _ in range(2)] == ["worker", "worker"]


def test_symmetric_tokens_are_signed_by_the_key(world):
    world.party(signing=Kind.SYMMETRIC)
    assert world.ask().credential_id == 2
