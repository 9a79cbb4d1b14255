"""Whom an identity provider's token is about: what must hold first, what is refused, what comes out."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from sts.core.acceptance import Case, Examined, examine
from sts.core.claims import NAME_IDENTIFIER, ROLE
from sts.core.errors import (
    NO_CREDENTIAL,
    InvalidAudience,
    InvalidEncryptedToken,
    InvalidSamlToken,
    InvalidSignature,
    InvalidToken,
    ReplayedToken,
    RulesFailed,
    StsError,
    TooManyRequests,
)
from sts.core.exchange import Principal, TokenDescriptor, TokenProof
from sts.core.model import (
    Claim,
    ContentEncryption,
    IdentityProvider,
    PartnerCertificate,
    ProviderKind,
    TokenFormat,
    Use,
)
from sts.core.presented import Presented
from sts.core.uris import AuthenticationMethod
from sts.crypto.signer import private_key_bytes
from sts.tokens import jwt, saml11, saml20
from tests.core.builders import DAY, NOW, SECOND, credential
from tests.core.test_issue import World
from tests.crypto.identities import NOT_AFTER, NOT_BEFORE, certificate, private_key, signer

ISSUER = "https://idp.example/"
CONTOSO = "https://sts.example/contoso/"
GCM, CBC = ContentEncryption.AES256_GCM, ContentEncryption.AES256_CBC
MODULES: dict[TokenFormat, Any] = {TokenFormat.SAML11: saml11, TokenFormat.SAML20: saml20, TokenFormat.JWT: jwt}
SAML = pytest.mark.parametrize("token_format", [TokenFormat.SAML11, TokenFormat.SAML20])


def pinned(kind: str = "rsa2048", owner: str = "idp") -> PartnerCertificate:
    return PartnerCertificate(certificate(kind, owner), f"CN={owner}", "ab" * 20, NOT_BEFORE, NOT_AFTER)


def provider(**changes: Any) -> IdentityProvider:
    """An identity provider whose tokens are accepted."""
    return replace(IdentityProvider(3, "adfs", issuer=ISSUER, certificates=(pinned(),)), **changes)


def said(*claims: tuple[str, str], **changes: Any) -> TokenDescriptor:
    """What an honest identity provider says of alice."""
    made = TokenDescriptor(
        id="0" * 32,
        issuer=ISSUER,
        audience=CONTOSO,
        issued_at=NOW,
        not_before=NOW,
        expires_at=NOW + timedelta(hours=1),
        claims=tuple(Claim(kind, value, ISSUER) for kind, value in claims or ((NAME_IDENTIFIER, "alice"),)),
        authenticated_at=NOW - timedelta(minutes=5),
        authentication_method=AuthenticationMethod.PASSWORD,
    )
    return made._replace(**changes)


class CountedFailures:
    """Everybody may fail so often."""

    def __init__(self, limit: int = 20) -> None:
        self.limit = limit
        self.seen: list[tuple[str, str]] = []

    def check(self, namespace: Any, name: str, source: str, now: datetime) -> None:
        if self.seen.count((name, source)) >= self.limit:
            raise TooManyRequests("Too many failed attempts; try again later.", retry_after=1)

    def record(self, namespace: Any, name: str, source: str, now: datetime) -> None:
        self.seen.append((name, source))


class Door(World):
    """The parts in memory, with decryption certificates and a budget."""

    def __init__(self) -> None:
        super().__init__()
        self.failures = CountedFailures()
        self.parts = replace(self.parts, decryption_failures=self.failures)
        for number, (owner, since) in enumerate({"sts": NOW - DAY, "old": NOW - 2 * DAY}.items(), 10):
            held = credential(number, use=Use.DECRYPTION, certificate=certificate("rsa2048", owner), primary_from=since)
            self.directory.credentials[number] = (1, held)
            self.key_ring.secrets[number] = private_key_bytes(private_key("rsa2048", owner))

    def presented(self, token: bytes, token_format: TokenFormat | None = TokenFormat.SAML20) -> Presented:
        namespace = self.directory.namespace("contoso")
        return Presented.at_sign_in(namespace, TokenProof(token_format, token), "203.0.113.9")

    def accept(self, descriptor: TokenDescriptor, by: IdentityProvider | None = None, **how: Any) -> Principal:
        """Present what the identity provider writes; `how`: its format, and when."""
        token_format = how.get("token_format", TokenFormat.SAML20)
        token = MODULES[token_format].write(descriptor, signer(how.get("kind", "rsa2048"), how.get("owner", "idp")))
        return self.take(self.presented(token, token_format), by or provider(), how.get("now", NOW))

    def accept_encrypted(self, plaintext: bytes, by: IdentityProvider, **how: Any) -> Principal:
        """Present it encrypted to one of the namespace's certificates."""
        module = MODULES[how.get("token_format", TokenFormat.SAML20)]
        recipient = certificate("rsa2048", how.get("owner", "sts"))
        encrypted = module.encrypt(plaintext, recipient, how.get("algorithm", by.decryption or GCM))
        return self.take(self.presented(encrypted, None), by)

    def take(self, presented: Presented, by: IdentityProvider, now: datetime = NOW) -> Principal:
        """Examine what is presented, and record its use."""

        def use(examined: Examined) -> Principal:
            self.parts.replays.use(presented.namespace, examined.use, now)
            return examined.principal

        return examine(Case(presented, by), use, self.parts, now)


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.mark.parametrize("token_format", MODULES)
def test_a_principal_is_whom_the_token_names_with_its_claims_under_the_providers_name(
    door: Door, token_format: TokenFormat
) -> None:
    principal = door.accept(said((NAME_IDENTIFIER, "alice"), (ROLE, "a"), (ROLE, "b")), token_format=token_format)
    assert (principal.name, principal.identity_provider) == ("alice", ISSUER)
    assert principal.claims == (
        Claim(NAME_IDENTIFIER, "alice", "adfs"),
        Claim(ROLE, "a", "adfs"),
        Claim(ROLE, "b", "adfs"),
    )


@SAML
def test_a_principal_signed_in_when_and_how_the_assertion_says(door: Door, token_format: TokenFormat) -> None:
    principal = door.accept(said(), token_format=token_format)
    assert principal.authenticated_at == NOW - timedelta(minutes=5)
    assert principal.method is AuthenticationMethod.PASSWORD


def test_a_sign_in_is_never_later_than_now(door: Door) -> None:
    assert door.accept(said(authenticated_at=NOW + timedelta(hours=9))).authenticated_at == NOW
    assert door.accept(said(), token_format=TokenFormat.JWT).authenticated_at == NOW


def test_each_claim_comes_once_and_a_subject_without_a_name_is_its_provider(door: Door) -> None:
    principal = door.accept(said((ROLE, "a"), (ROLE, "a")))
    assert (principal.name, principal.claims) == ("adfs", (Claim(ROLE, "a", "adfs"),))


RESERVED = ["Issuer", "Audience", "ExpiresOn", "HMACSHA256", "ISSUER", "iss", "sub", "aud", "exp", "nbf", "iat", "jti",
    "act", "cnf", "\tSub "]  # fmt: skip


@pytest.mark.parametrize("claim_type", RESERVED)
def test_a34_a_claim_with_a_tokens_own_name_is_left_out(door: Door, claim_type: str) -> None:
    assert door.accept(said((claim_type, "x"), (ROLE, "a"))).claims == (Claim(ROLE, "a", "adfs"),)


UNUSABLE = {
    "A05 disabled": ({"enabled": False}, "is disabled"),
    "local": ({"kind": ProviderKind.LOCAL}, "sends no tokens"),
    "without issuer": ({"issuer": None}, "sends no tokens"),
    "D29 without certificate": ({"certificates": ()}, "has no certificate"),
}


@pytest.mark.parametrize(("changes", "why"), UNUSABLE.values(), ids=UNUSABLE.keys())
@pytest.mark.parametrize("encrypted", [False, True])
def test_nothing_of_a_provider_that_may_not_vouch_is_read(
    door: Door, changes: dict[str, Any], why: str, *, encrypted: bool
) -> None:
    proof = TokenProof(None if encrypted else TokenFormat.SAML20, b"never read")
    presented = door.presented(b"")._replace(proof=proof)
    with pytest.raises(InvalidToken) as refused:
        door.take(presented, provider(decryption=GCM, **changes))
    assert refused.value.detail == f"identity provider 'adfs' {why}"
    assert door.failures.seen == []


REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], type[StsError]]] = {
    "A02 another issuer": ({"issuer": "https://other.example/"}, {}, InvalidSamlToken),
    "A03 another namespace": ({"audience": "https://sts.example/fabrikam/"}, {}, InvalidAudience),
    "a token endpoint": ({"audience": CONTOSO + "oauth2/token"}, {}, InvalidAudience),
    "another's key": ({}, {"owner": "other"}, InvalidSignature),
    "A16 expired": ({}, {"now": NOW + timedelta(hours=1, minutes=3)}, InvalidSamlToken),
    "A17 a second too early": ({}, {"now": NOW - timedelta(minutes=3, seconds=1)}, InvalidSamlToken),
    "A19 over 12 hours": ({"expires_at": NOW + timedelta(hours=12, seconds=1)}, {}, InvalidSamlToken),
}


@pytest.mark.parametrize(("changes", "how", "error"), REFUSED.values(), ids=REFUSED.keys())
@SAML
def test_a_token_that_does_not_hold_is_refused(
    door: Door, token_format: TokenFormat, changes: dict[str, Any], how: dict[str, Any], error: type[StsError]
) -> None:
    with pytest.raises(error):
        door.accept(said(**changes), token_format=token_format, **how)
    door.accept(said(), token_format=token_format)  # its use was not recorded


@pytest.mark.parametrize("at", [NOW - timedelta(minutes=3), NOW + timedelta(hours=1, minutes=3) - SECOND], ids=str)
def test_three_minutes_of_skew_are_borne(door: Door, at: datetime) -> None:
    assert door.accept(said(), now=at).name == "alice"


def test_a_token_may_last_twelve_hours(door: Door) -> None:
    assert door.accept(said(expires_at=NOW + timedelta(hours=12))).name == "alice"


@pytest.mark.parametrize("owner", ["idp", "next"])
def test_every_certificate_of_the_provider_verifies(door: Door, owner: str) -> None:
    both = provider(certificates=(pinned(), pinned(owner="next")))
    assert door.accept(said(), both, owner=owner).name == "alice"


def test_a12_a_token_is_accepted_once(door: Door) -> None:
    door.accept(said())
    with pytest.raises(ReplayedToken):
        door.accept(said())
    assert door.accept(said(id="1" * 32)).name == "alice"


@pytest.mark.parametrize(("count", "refused"), [(80, False), (81, True)])
def test_a28_more_claims_than_rules_take_are_refused_before_the_use_is_recorded(
    door: Door, count: int, *, refused: bool
) -> None:
    descriptor = said(*((ROLE, str(number)) for number in range(count)))
    if refused:
        with pytest.raises(RulesFailed, match="81"):
            door.accept(descriptor)
        assert not door.parts.replays.uses  # type: ignore[attr-defined]
    else:
        assert len(door.accept(descriptor).claims) == count


def written(token_format: TokenFormat = TokenFormat.SAML20, owner: str = "idp", **changes: Any) -> bytes:
    token: bytes = MODULES[token_format].write(said(**changes), signer("rsa2048", owner))
    return token


@SAML
@pytest.mark.parametrize("algorithm", [GCM, CBC])
@pytest.mark.parametrize("owner", ["sts", "old"])
def test_an_encrypted_assertion_opens_with_any_key_of_the_namespace(
    door: Door, token_format: TokenFormat, algorithm: ContentEncryption, owner: str
) -> None:
    by = provider(decryption=algorithm)
    principal = door.accept_encrypted(written(token_format), by, token_format=token_format, owner=owner)
    assert principal.name == "alice"
    assert door.failures.seen == []


@pytest.mark.parametrize(("owner", "number"), [("sts", 10), ("old", 11)])
def test_who_opened_a_token_is_told_for_the_log(door: Door, owner: str, number: int) -> None:
    assert door.accept_encrypted(written(), provider(decryption=GCM), owner=owner).decrypted_by == number
    assert door.accept(said(id="1" * 32)).decrypted_by is None


@pytest.mark.parametrize(
    ("plaintext", "how", "opener"),
    [
        (b"what is no XML", {}, 10),
        (b"what is no XML", {"owner": "old"}, 11),
        (b"", {"owner": "stranger"}, NO_CREDENTIAL),
        (b"", {"algorithm": CBC}, None),
    ],
    ids=["content", "content under the other", "nobody's", "refused before a key is used"],
)
def test_a_refusal_tells_the_log_whose_key_fitted(
    door: Door, plaintext: bytes, how: dict[str, Any], opener: int | None
) -> None:
    with pytest.raises(InvalidEncryptedToken) as refused:
        door.accept_encrypted(plaintext, provider(decryption=GCM), **how)
    assert refused.value.decrypted_by == opener


def test_without_an_algorithm_pinned_nothing_is_decrypted(door: Door) -> None:
    door.key_ring.secrets.clear()  # whoever asks for a key finds none
    with pytest.raises(InvalidEncryptedToken) as refused:
        door.accept_encrypted(written(), provider())
    assert "no decryption pinned" in (refused.value.detail or "")
    assert door.failures.seen == []


def unsigned() -> bytes:
    return re.sub(b"<ds:Signature .*</ds:Signature>", b"", written())


CLOSED: dict[str, tuple[Callable[[], bytes], dict[str, Any], str]] = {
    "N05 another algorithm": (written, {"algorithm": CBC}, "algorithm"),
    "N09 a stranger's certificate": (written, {"owner": "stranger"}, "key"),
    "N12 unsigned": (unsigned, {}, "ACS50006"),
    "not XML": (lambda: b"what is no XML", {}, "ACS50008"),
    "another's key": (lambda: written(owner="other"), {}, "ACS50006"),
    "another audience": (lambda: written(audience="https://sts.example/fabrikam/"), {}, "ACS50010"),
    "expired": (lambda: written(expires_at=NOW - timedelta(hours=1), not_before=NOW - 2 * DAY), {}, "ACS50008"),
    "encrypted twice": (lambda: saml20.encrypt(written(), certificate("rsa2048", "sts"), GCM), {}, "ACS500"),
}


@pytest.mark.parametrize(("plaintext", "how", "reason"), CLOSED.values(), ids=CLOSED.keys())
def test_every_refusal_of_an_encrypted_token_is_the_same_and_counted(
    door: Door, plaintext: Callable[[], bytes], how: dict[str, Any], reason: str
) -> None:
    with pytest.raises(InvalidEncryptedToken) as refused:
        door.accept_encrypted(plaintext(), provider(decryption=GCM), **how)
    assert (refused.value.codes, type(refused.value)) == (
        "ACS50008: The encrypted token is not valid.",
        InvalidEncryptedToken,
    )
    assert (refused.value.detail or "").startswith(reason)
    assert door.failures.seen == [("adfs", "203.0.113.9")]


def test_a15_a_token_that_is_encrypted_again_is_the_same_token(door: Door) -> None:
    token = written()
    door.accept_encrypted(token, provider(decryption=GCM))
    with pytest.raises(InvalidEncryptedToken) as refused:
        door.accept_encrypted(token, provider(decryption=GCM))
    assert (refused.value.detail or "").startswith("ACS50013")


def test_n04_a_source_that_failed_twenty_times_is_not_listened_to(door: Door) -> None:
    by = provider(decryption=GCM)
    for _ in range(20):
        with pytest.raises(InvalidEncryptedToken):
            door.accept_encrypted(b"what is no XML", by)
    with pytest.raises(TooManyRequests):
        door.accept_encrypted(written(), by)
    assert door.accept(said()).name == "alice", "what is not encrypted costs no budget"


def test_a_key_that_is_unreadable_leaves_the_decrypting_to_the_others(door: Door) -> None:
    del door.key_ring.secrets[10]
    assert door.accept_encrypted(written(), provider(decryption=GCM), owner="old").name == "alice"
    with pytest.raises(InvalidEncryptedToken):
        door.accept_encrypted(written(id="1" * 32), provider(decryption=GCM), owner="sts")


def test_a_namespace_whose_keys_are_all_unreadable_needs_its_operator(door: Door) -> None:
    del door.key_ring.secrets[10], door.key_ring.secrets[11]
    with pytest.raises(StsError) as refused:
        door.accept_encrypted(written(), provider(decryption=GCM))
    assert refused.value.needs_operator


def test_sha1_signatures_are_refused_unless_the_provider_is_allowed_them(door: Door) -> None:
    seen: list[bool] = []

    class Reader:
        """The real reader, and what it was told to bear."""

        view = staticmethod(saml20.view)

        def read(self, token: bytes, trusted: Any, now: datetime) -> Any:
            seen.append(trusted.allow_sha1)
            return saml20.read(token, trusted, now)

    door.parts = replace(door.parts, formats={**door.parts.formats, TokenFormat.SAML20: Reader()})
    door.accept(said())
    door.accept(said(id="1" * 32), provider(allow_sha1=True))
    assert seen == [False, True]
