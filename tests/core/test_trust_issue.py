"""What a WS-Trust request gets: format, key, lifetime, claims, and what it does not get."""

from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sts.core.claims import EMAIL_ADDRESS, IDENTITY_PROVIDER, NAME_IDENTIFIER, ROLE
from sts.core.errors import (
    AccessDenied,
    BadRequest,
    FormatNotOffered,
    InvalidScope,
    InvalidTimeRange,
    KeyNotOffered,
    MissingClaim,
    NoEncryptionCertificate,
    RelyingPartyNotFound,
    StsError,
)
from sts.core.exchange import CertificateProof, IssuedToken, PublicHolder
from sts.core.model import Claim, ClaimPattern, Rule, TokenFormat
from sts.core.p_sha1 import p_sha1
from sts.core.trust import KeyKind, KeyRequest, ProofKey, RequestedClaims, RequestedLifetime
from sts.crypto.certificates import public_key_info
from tests.core.builders import NOW, SECOND
from tests.core.test_acceptance import ISSUER, MODULES, pinned, provider
from tests.core.trust_world import BILLING, ORDERS, TrustWorld, by_private_key, wanted
from tests.crypto.identities import certificate, rsa_key
from tests.tokens.holders import decrypted, proof_keys, public_key

SYMMETRIC, PUBLIC = KeyRequest(KeyKind.SYMMETRIC), KeyRequest(KeyKind.PUBLIC)
CLIENT = certificate("rsa2048", "client")
RECIPIENT = rsa_key("rp")
MINUTE = timedelta(minutes=1)


@pytest.fixture
def world() -> TrustWorld:
    return TrustWorld()


@pytest.mark.parametrize("token_format", [None, *TokenFormat])
def test_the_format_is_the_one_that_is_asked_for_else_the_relying_partys(
    world: TrustWorld, token_format: TokenFormat | None
) -> None:
    asked = f"urn:as-asked:{token_format}" if token_format else None
    given = world.answer(wanted(format=token_format, token_type=asked))
    assert given.issued is not None
    assert given.issued.format is (token_format or TokenFormat.SAML20)
    assert given.token_type == (asked or TokenFormat.SAML20.uri)
    assert (given.key, given.proof) == (KeyKind.BEARER, None)
    assert MODULES.get(given.issued.format) is None or given.issued.token


@pytest.mark.parametrize("token_format", [TokenFormat.JWT, TokenFormat.SWT])
def test_a_token_that_must_be_encrypted_is_not_had_in_a_format_that_cannot_be(
    world: TrustWorld, token_format: TokenFormat
) -> None:
    with pytest.raises(FormatNotOffered):
        world.token(wanted(BILLING, format=token_format))
    assert world.token(wanted(BILLING, format=TokenFormat.SAML11)).encrypted


REFUSED: dict[str, tuple[Any, type[StsError]]] = {
    "nobody": (wanted(None), InvalidScope),
    "T10 unknown relying party": (wanted("https://elsewhere.example/"), RelyingPartyNotFound),
    "from tomorrow": (wanted(lifetime=RequestedLifetime(NOW + 60 * MINUTE)), InvalidTimeRange),
    "until yesterday": (wanted(lifetime=RequestedLifetime(None, NOW - MINUTE)), InvalidTimeRange),
    "until now": (wanted(lifetime=RequestedLifetime(None, NOW)), InvalidTimeRange),
    "backwards": (wanted(lifetime=RequestedLifetime(NOW + 2 * SECOND, NOW + SECOND)), InvalidTimeRange),
    "key for bearers": (wanted(key=SYMMETRIC), KeyNotOffered),
    "public key for bearers": (wanted(key=PUBLIC), KeyNotOffered),
    "no public key": (wanted(BILLING, key=PUBLIC), BadRequest),
    "T17 no entropy": (wanted(BILLING, key=SYMMETRIC._replace(entropy=b"")), BadRequest),
    "weak key": (wanted(BILLING, key=SYMMETRIC._replace(bits=64)), BadRequest),
    "claim that is none": (wanted(claims=RequestedClaims((EMAIL_ADDRESS,))), MissingClaim),
    "nothing but claims that are none": (wanted(claims=RequestedClaims((), (EMAIL_ADDRESS,))), AccessDenied),
}


@pytest.mark.parametrize(("request_", "error"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_had_is_refused(world: TrustWorld, request_: Any, error: type[StsError]) -> None:
    with pytest.raises(error):
        world.send(request_)


@pytest.mark.parametrize(
    ("lifetime", "seconds"),
    [
        (RequestedLifetime(), 600),
        (RequestedLifetime(NOW, NOW + 5 * MINUTE), 300),
        (RequestedLifetime(NOW - MINUTE, NOW + MINUTE), 60),
        (RequestedLifetime(NOW + 2 * MINUTE, NOW + 5 * MINUTE), 300),  # a clock that is ahead
        (RequestedLifetime(None, NOW + timedelta(days=36_500)), 600),
    ],
)
def test_t16_the_lifetime_is_as_asked_and_capped(world: TrustWorld, lifetime: RequestedLifetime, seconds: int) -> None:
    issued = world.token(wanted(lifetime=lifetime))
    assert issued.expires_at == NOW + timedelta(seconds=seconds)
    assert MODULES[TokenFormat.SAML20].view(issued.token).expires_at == issued.expires_at


def test_only_the_claims_that_are_asked_for_come_out(world: TrustWorld) -> None:
    said = [(NAME_IDENTIFIER, "alice"), (ROLE, "a"), (ROLE, "b"), (EMAIL_ADDRESS, "a@idp.example")]
    claims = RequestedClaims((ROLE,), (NAME_IDENTIFIER,))
    issued = world.token(wanted(claims=claims), world.caller(world.partners(*said)))
    told = [(claim.type, claim.value) for claim in MODULES[TokenFormat.SAML20].view(issued.token).claims]
    assert sorted(told) == sorted([(NAME_IDENTIFIER, "alice"), (ROLE, "a"), (ROLE, "b"), (IDENTITY_PROVIDER, ISSUER)])


@pytest.mark.parametrize("changes", [{"encryption_certificate": None}, {"encryption_required": False}])
@pytest.mark.parametrize("key", [SYMMETRIC, PUBLIC._replace(public_key=public_key_info(CLIENT))])
def test_without_a_valid_encryption_certificate_there_is_no_proof_of_possession_token(
    world: TrustWorld, changes: dict[str, Any], key: KeyRequest
) -> None:
    world.billing(**changes)
    with pytest.raises(NoEncryptionCertificate):
        world.send(wanted(BILLING, key=key))


def test_an_expired_encryption_certificate_is_none(world: TrustWorld) -> None:
    kept = pinned(owner="rp")
    world.billing(encryption_certificate=kept)
    with pytest.raises(NoEncryptionCertificate):
        world.send(
            wanted(BILLING, key=SYMMETRIC),
            caller=world.caller(),
            now=kept.not_after + SECOND,
        )


def bound(
    world: TrustWorld, key: KeyRequest, token_format: TokenFormat = TokenFormat.SAML20
) -> tuple[IssuedToken, ProofKey, KeyKind | None]:
    """An encrypted token for billing that is bound to a secret key."""
    given = world.answer(wanted(BILLING, format=token_format, key=key))
    assert given.issued is not None
    assert given.proof is not None
    assert given.issued.encrypted
    return given.issued, given.proof, given.key


@pytest.mark.parametrize("token_format", [TokenFormat.SAML11, TokenFormat.SAML20])
@pytest.mark.parametrize("bits", [None, 128, 256])
def test_a_key_that_is_wholly_ours_goes_to_the_caller_and_wrapped_to_the_relying_party(
    world: TrustWorld, token_format: TokenFormat, bits: int | None
) -> None:
    issued, proof, kind = bound(world, SYMMETRIC._replace(bits=bits), token_format)
    assert (kind, proof.server_entropy, proof.bits) == (KeyKind.SYMMETRIC, None, bits or 256)
    assert 8 * len(proof.key) == proof.bits
    assert proof_keys(decrypted(issued.token, RECIPIENT), RECIPIENT) == {proof.key}


def test_a_key_of_both_is_computed(world: TrustWorld) -> None:
    issued, proof, _ = bound(world, SYMMETRIC._replace(entropy=b"e" * 32))
    assert proof.key == p_sha1(b"e" * 32, proof.server_entropy or b"", 32)
    assert proof_keys(decrypted(issued.token, RECIPIENT), RECIPIENT) == {proof.key}


def test_every_token_has_a_key_of_its_own(world: TrustWorld) -> None:
    both = world.send(wanted(BILLING, key=SYMMETRIC), wanted(BILLING, key=SYMMETRIC))
    assert len({given.proof.key for given in both if given.proof is not None}) == 2


def test_a_public_key_is_the_one_that_is_named_or_that_the_caller_authenticated_with(world: TrustWorld) -> None:
    world.identity("worker", id=1, certificate=pinned(owner="client"))
    by_certificate = world.caller(CertificateProof(CLIENT, "worker"))
    holder = PublicHolder(public_key_info(CLIENT))
    by_token = world.caller(world.held(holder), key=KeyKind.PUBLIC, possession=by_private_key("client"))
    named = wanted(BILLING, key=PUBLIC._replace(public_key=holder.public_key))
    unnamed = wanted(BILLING, key=PUBLIC)
    for request, caller in ((named, world.caller()), (unnamed, by_certificate), (unnamed, by_token)):
        assertion = decrypted(world.token(request, caller).token, RECIPIENT)
        found = public_key(assertion).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        assert found == holder.public_key


def test_a_key_that_is_said_to_have_signed_the_message_is_the_one_that_did(world: TrustWorld) -> None:
    holder = PublicHolder(public_key_info(CLIENT))
    signed = PUBLIC._replace(public_key=holder.public_key, signed=True)
    by_token = world.caller(world.held(holder), key=KeyKind.PUBLIC, possession=by_private_key("client"))
    assert b"holder-of-key" in decrypted(world.token(wanted(BILLING, key=signed), by_token).token, RECIPIENT)
    another = signed._replace(public_key=public_key_info(certificate("rsa2048", "rp")))
    with pytest.raises(BadRequest, match="not the one that signed"):
        world.token(wanted(BILLING, key=another), by_token._replace(message=world.caller().message))
    with pytest.raises(BadRequest, match="did not authenticate with one"):
        world.token(wanted(BILLING, key=signed))


def test_an_identity_provider_that_the_relying_party_does_not_take_is_refused(world: TrustWorld) -> None:
    world.party(identity_providers=(), token_format=TokenFormat.SAML20)
    with pytest.raises(AccessDenied, match="takes nobody from identity provider 'adfs'"):
        world.token(caller=world.caller(world.partners()))


def test_all_requests_of_a_message_are_answered_in_their_order_or_none(world: TrustWorld) -> None:
    answers = world.send(wanted(), wanted(BILLING), wanted(format=TokenFormat.JWT))
    assert [given.issued.audience for given in answers if given.issued] == [ORDERS, BILLING, ORDERS]
    with pytest.raises(RelyingPartyNotFound):
        world.send(wanted(), wanted("https://elsewhere.example/"))


def test_rules_see_who_vouches(world: TrustWorld) -> None:
    world.group(Rule(ClaimPattern("adfs", NAME_IDENTIFIER, "alice"), output_type=ROLE, output_value="approver"))
    world.directory.providers[1, "adfs"] = provider()
    issued = world.token(caller=world.caller(world.partners()))
    claims = MODULES[TokenFormat.SAML20].view(issued.token).claims
    assert Claim(ROLE, "approver", "https://sts.example/contoso/") in claims
