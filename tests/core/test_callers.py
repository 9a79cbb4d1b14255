"""Who calls at a WS-Trust door: what proves it, what may come twice, what one message uses up."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from sts.core.errors import (
    AuthenticationFailed,
    InvalidEncryptedToken,
    InvalidSamlToken,
    InvalidSignature,
    InvalidToken,
    NamespaceNotFound,
    ReplayedToken,
    StoreUnavailable,
    StsError,
)
from sts.core.exchange import CertificateProof, PasswordProof, PublicHolder, SymmetricHolder, TokenProof
from sts.core.model import TokenFormat
from sts.core.trust import Caller, KeyKind, MessageIdentity, Possession
from sts.crypto.certificates import public_key_info
from tests.core.builders import NOW
from tests.core.test_acceptance import pinned
from tests.core.test_issue import PASSWORD, self_issued
from tests.core.trust_world import TrustWorld, by_private_key, by_secret, digest, wanted
from tests.crypto.identities import certificate

MINUTE = timedelta(minutes=1)
SECRET = b"p" * 32
OURS = certificate("rsa2048", "sts")  # whose private key decrypts for the namespace
PUBLIC = PublicHolder(public_key_info(certificate("rsa2048", "client")))
WRAPPED = SymmetricHolder(SECRET, OURS)


@pytest.fixture
def world() -> TrustWorld:
    made = TrustWorld()
    kept = {"recoverable_password": True, "has_recoverable_password": True}
    made.identity("worker", id=1, has_symmetric_key=True, certificate=pinned(owner="worker"), **kept)
    made.key_ring.passwords[1] = PASSWORD
    return made


def test_a_service_identity_calls_by_password_digest_certificate_or_a_token_of_its_own(world: TrustWorld) -> None:
    proofs = [
        PasswordProof("worker", PASSWORD),
        digest(),
        CertificateProof(certificate("rsa2048", "worker"), "worker"),
        self_issued(),
    ]
    assert [world.token(caller=world.caller(proof)).principal for proof in proofs] == ["worker"] * 4


@pytest.mark.parametrize("token_format", [TokenFormat.SAML11, TokenFormat.SAML20, TokenFormat.JWT])
def test_somebody_calls_by_a_token_of_an_identity_provider(world: TrustWorld, token_format: TokenFormat) -> None:
    assert world.token(caller=world.caller(world.partners(token_format=token_format))).principal == "alice"


WRONG: dict[str, tuple[Any, type[StsError], str]] = {
    "wrong password": (PasswordProof("worker", b"guess"), AuthenticationFailed, "no"),
    "wrong digest": (digest(b"guess"), AuthenticationFailed, "digest is wrong"),
    "nobody's digest": (digest(name="nobody"), AuthenticationFailed, "unknown service identity"),
    "digest of long ago": (digest(created_at=NOW - 6 * MINUTE), AuthenticationFailed, "made at"),
    "digest of the future": (digest(created_at=NOW + 6 * MINUTE), AuthenticationFailed, "made at"),
    "somebody's certificate": (CertificateProof(OURS, "worker"), AuthenticationFailed, ""),
}


@pytest.mark.parametrize(("proof", "error", "detail"), WRONG.values(), ids=WRONG)
def test_a_wrong_proof_is_refused_and_uses_nothing_up(
    world: TrustWorld, proof: Any, error: type[StsError], detail: str
) -> None:
    with pytest.raises(error) as refusal:
        world.token(caller=world.caller(proof))
    assert detail in (refusal.value.detail or "")
    assert world.parts.replays.uses == {}  # type: ignore[attr-defined]


def test_t18_a_digest_for_a_password_that_is_stored_only_as_a_hash_is_refused_with_a_sentence(
    world: TrustWorld,
) -> None:
    world.identity("worker", id=1, password_hash="a hash")
    with pytest.raises(AuthenticationFailed) as refusal:
        world.token(caller=world.caller(digest()))
    assert refusal.value.message == "Authentication failed."
    assert "is stored only as a hash" in (refusal.value.detail or "")


def test_a_digest_of_a_disabled_identity_is_refused(world: TrustWorld) -> None:
    world.identity("worker", id=1, enabled=False, recoverable_password=True, has_recoverable_password=True)
    with pytest.raises(AuthenticationFailed) as refusal:
        world.token(caller=world.caller(digest()))
    assert "disabled" in (refusal.value.detail or "")


@pytest.mark.parametrize("nonce", [None, "bm9uY2U="])
def test_t05_a_message_id_is_answered_once(world: TrustWorld, nonce: str | None) -> None:
    message = MessageIdentity(NOW + 5 * MINUTE, "urn:uuid:one", nonce)
    world.token(caller=world.caller(message=message))
    for again in (message, message._replace(nonce="YW5vdGhlcg==")):
        with pytest.raises(ReplayedToken):
            world.token(caller=world.caller(message=again))


def test_t04_a_nonce_is_answered_once(world: TrustWorld) -> None:
    world.token(caller=world.caller(message=MessageIdentity(NOW + 5 * MINUTE, "urn:uuid:one", "bm9uY2U=")))
    with pytest.raises(ReplayedToken):
        world.token(caller=world.caller(message=MessageIdentity(NOW + 5 * MINUTE, "urn:uuid:two", "bm9uY2U=")))


def test_a_digest_is_answered_once_even_if_bytes_move_from_its_nonce_to_its_instant(world: TrustWorld) -> None:
    first = digest(nonce=b"n" * 16)
    world.token(caller=world.caller(first, message=MessageIdentity(NOW + MINUTE, None, "one")))
    moved = first._replace(nonce=b"n" * 15, created="n" + first.created)
    with pytest.raises(ReplayedToken):
        world.token(caller=world.caller(moved, message=MessageIdentity(NOW + MINUTE, None, "two")))


def test_a_refused_message_leaves_neither_its_id_nor_its_token_used(world: TrustWorld) -> None:
    token = world.partners()
    message = MessageIdentity(NOW + 5 * MINUTE, "urn:uuid:one")
    world.token(caller=world.caller(message=message))
    with pytest.raises(ReplayedToken):
        world.token(caller=world.caller(token, message=message))
    assert world.token(caller=world.caller(token)).principal == "alice"


def test_a12_a_bearer_token_is_good_for_one_message(world: TrustWorld) -> None:
    token = world.partners()
    world.token(caller=world.caller(token))
    with pytest.raises(ReplayedToken):
        world.token(caller=world.caller(token))


def test_nothing_is_issued_while_uses_cannot_be_recorded(world: TrustWorld) -> None:
    class Away:
        def use_all(self, *_: Any) -> None:
            raise StoreUnavailable("The database does not answer; try again later.")

    world.desk = replace(world.desk, parts=replace(world.parts, replays=Away()))  # type: ignore[arg-type]
    with pytest.raises(StoreUnavailable):
        world.token()
    nameless = world.caller(message=MessageIdentity(NOW + MINUTE))
    assert world.token(caller=nameless).principal == "worker"  # nothing of it is good for one use only


def test_an_unknown_namespace_is_refused_first(world: TrustWorld) -> None:
    with pytest.raises(NamespaceNotFound):
        world.token(caller=world.caller(namespace="fabrikam"))


def proving(world: TrustWorld, proof: TokenProof, key: KeyKind, possession: Possession | None) -> Caller:
    return world.caller(proof, key=key, possession=possession)


def test_a_token_whose_secret_key_opens_for_us_is_proved_and_may_come_again(world: TrustWorld) -> None:
    token = world.held(WRAPPED)
    for _ in range(2):
        caller = proving(world, token, KeyKind.SYMMETRIC, by_secret(SECRET))
        assert world.token(caller=caller).principal == "alice"


@pytest.mark.parametrize("token_format", [TokenFormat.SAML11, TokenFormat.SAML20, TokenFormat.JWT])
def test_a_token_with_a_public_key_is_proved(world: TrustWorld, token_format: TokenFormat) -> None:
    token = world.held(PUBLIC, token_format=token_format)
    caller = proving(world, token, KeyKind.PUBLIC, by_private_key("client"))
    assert world.token(caller=caller).principal == "alice"


UNPROVED: dict[str, tuple[Any, KeyKind, Possession | None, type[StsError]]] = {
    "another secret": (WRAPPED, KeyKind.SYMMETRIC, by_secret(b"x" * 32), InvalidEncryptedToken),
    "secret for somebody else": (
        SymmetricHolder(SECRET, certificate("rsa2048", "rp")),
        KeyKind.SYMMETRIC,
        by_secret(SECRET),
        InvalidEncryptedToken,
    ),
    "another private key": (PUBLIC, KeyKind.PUBLIC, by_private_key("idp"), InvalidSignature),
    "public key as a secret": (
        PUBLIC,
        KeyKind.PUBLIC,
        by_secret(PUBLIC.public_key),
        InvalidSignature,
    ),
    "no signature": (PUBLIC, KeyKind.PUBLIC, None, AuthenticationFailed),
    "public at the door for secrets": (PUBLIC, KeyKind.SYMMETRIC, by_private_key("client"), InvalidToken),
    "secret at the door for public keys": (WRAPPED, KeyKind.PUBLIC, by_secret(SECRET), InvalidToken),
    "bearer at the door for secrets": (None, KeyKind.SYMMETRIC, by_secret(SECRET), InvalidSamlToken),
    "holder of a key at the bearer door": (PUBLIC, KeyKind.BEARER, None, InvalidSamlToken),
    "bearer with a signature": (None, KeyKind.BEARER, by_secret(SECRET), AuthenticationFailed),
}


@pytest.mark.parametrize(("holder", "key", "possession", "error"), UNPROVED.values(), ids=UNPROVED)
def test_a_key_that_is_not_proved_is_refused(
    world: TrustWorld, holder: Any, key: KeyKind, possession: Possession | None, error: type[StsError]
) -> None:
    with pytest.raises(error):
        world.token(caller=proving(world, world.held(holder), key, possession))


def test_a_simple_web_token_proves_no_key(world: TrustWorld) -> None:
    with pytest.raises(InvalidToken):
        world.token(caller=proving(world, self_issued(), KeyKind.SYMMETRIC, by_secret(SECRET)))


def test_a_password_is_not_proved_by_a_signature(world: TrustWorld) -> None:
    with pytest.raises(AuthenticationFailed):
        world.token(wanted(), world.caller(possession=by_secret(SECRET)))


HIDDEN = "ACS50008: The encrypted token is not valid."
COUNTED = [("", "203.0.113.9")]


@pytest.mark.parametrize(("owner", "number"), [("sts", 10), ("old", 11)])
def test_who_opened_what_came_encrypted_is_told_with_the_token(world: TrustWorld, owner: str, number: int) -> None:
    assert world.token(caller=world.caller(world.partners())).decrypted_by is None
    token = world.encrypted(world.partners(id="1" * 32), owner)
    assert world.token(caller=world.caller(token)).decrypted_by == number
    wrapped = world.held(SymmetricHolder(SECRET, certificate("rsa2048", owner)))
    caller = proving(world, wrapped, KeyKind.SYMMETRIC, by_secret(SECRET))
    assert world.token(caller=caller).decrypted_by == number
    assert world.failures.seen == []


def test_an_encrypted_token_that_comes_again_is_refused_and_counted_as_one_that_does_not_open(
    world: TrustWorld,
) -> None:
    token = world.encrypted(world.partners())
    world.token(caller=world.caller(token))
    with pytest.raises(InvalidEncryptedToken) as refused:
        world.token(caller=world.caller(token))
    assert (refused.value.codes, refused.value.decrypted_by) == (HIDDEN, 10)
    assert "ACS50013" in (refused.value.detail or "")
    assert world.failures.seen == COUNTED


def test_a_message_that_comes_again_with_another_encrypted_token_is_refused_as_a_message(world: TrustWorld) -> None:
    message = MessageIdentity(NOW + 5 * MINUTE, "urn:uuid:one")
    world.token(caller=world.caller(world.encrypted(world.partners()), message=message))
    other = world.caller(world.encrypted(world.partners(id="1" * 32)), message=message)
    with pytest.raises(ReplayedToken):
        world.token(caller=other)
    assert world.failures.seen == []
    assert world.token(caller=other._replace(message=message._replace(id="urn:uuid:two"))).principal == "alice"


UNPROVED_IN_SECRET: dict[str, tuple[Any, KeyKind, Possession]] = {
    "another private key": (PUBLIC, KeyKind.PUBLIC, by_private_key("idp")),
    "public at the door for secrets": (PUBLIC, KeyKind.SYMMETRIC, by_private_key("client")),
    "secret at the door for public keys": (WRAPPED, KeyKind.PUBLIC, by_secret(SECRET)),
    "another secret": (WRAPPED, KeyKind.SYMMETRIC, by_secret(b"x" * 32)),
}


@pytest.mark.parametrize(("holder", "key", "possession"), UNPROVED_IN_SECRET.values(), ids=UNPROVED_IN_SECRET)
def test_a_key_of_an_encrypted_token_that_is_not_proved_is_refused_as_one_that_does_not_open_and_counted_once(
    world: TrustWorld, holder: Any, key: KeyKind, possession: Possession
) -> None:
    token = world.encrypted(world.held(holder))
    with pytest.raises(InvalidEncryptedToken) as refused:
        world.token(caller=proving(world, token, key, possession))
    assert (refused.value.codes, refused.value.decrypted_by) == (HIDDEN, 10)
    assert world.failures.seen == COUNTED
