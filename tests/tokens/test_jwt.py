"""JSON web tokens: PyJWT reads what we write, and our reader takes what PyJWT and other issuers write."""

import json
from base64 import urlsafe_b64decode
from datetime import timedelta

import jwt as pyjwt
import pytest
from cryptography import x509
from hypothesis import example, given
from hypothesis import strategies as st

from sts.core import claims as types
from sts.core.errors import InvalidAudience, InvalidJwtToken, InvalidSignature, UnwritableClaim
from sts.core.model import TokenFormat
from sts.core.ports import TokenFormat as TokenFormatPort
from sts.tokens import jwt as module
from sts.tokens.jwt import read, view, write
from tests.crypto.identities import NOT_AFTER, NOT_BEFORE, NOW, certificate, private_key, signer
from tests.tokens.compact import (
    AUDIENCE,
    ISSUER,
    KEY,
    OTHER_KEY,
    TEXT,
    asymmetric,
    by_type,
    claim,
    descriptor,
    jws,
    payload,
    seconds,
    symmetric,
    symmetric_signer,
    trusting,
)

ALGORITHMS = {"rsa2048": "RS256", "p256": "ES256", "p384": "ES384", "p521": "ES512"}
HEADER = {"typ": "JWT", "alg": "HS256"}
SHORT_NAMES = {
    types.NAME_IDENTIFIER: "nameid",
    types.NAME: "unique_name",
    types.EMAIL_ADDRESS: "email",
    types.GIVEN_NAME: "given_name",
    types.SURNAME: "family_name",
    types.ROLE: "role",
    types.UPN: "upn",
    types.IDENTITY_PROVIDER: "identityprovider",
}
LONG_NAMES = {short: claim_type for claim_type, short in SHORT_NAMES.items()}
REGISTERED = {"iss", "sub", "aud", "exp", "nbf", "iat", "jti"}


def foreign(token, key, algorithm):
    """What PyJWT says of a token at NOW; it checks the times against the real clock, so they are ours to check."""
    options = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
    return pyjwt.decode(token, key, [algorithm], options, audience=AUDIENCE, issuer=ISSUER)


def members(token):
    segment = token.split(b".")[1]
    return json.loads(urlsafe_b64decode(segment + b"=" * (-len(segment) % 4)))


def test_module_is_a_token_format():
    port: TokenFormatPort = module
    assert port.write is write


@pytest.mark.parametrize(("kind", "algorithm"), ALGORITHMS.items())
def test_pyjwt_verifies_what_a_certificate_signs(kind, algorithm):
    token = write(descriptor(), signer(kind)).decode()
    key = x509.load_der_x509_certificate(certificate(kind)).public_key()
    assert foreign(token, key, algorithm) == {
        "aud": AUDIENCE,
        "iss": ISSUER,
        "nbf": seconds(NOW),
        "exp": seconds(NOW) + 600,
        "iat": seconds(NOW),
        "jti": "0123456789abcdef0123456789abcdef",
        "nameid": "svc one",
        "identityprovider": ISSUER,
    }
    key_id = signer(kind).key_id
    assert pyjwt.get_unverified_header(token) == {"typ": "JWT", "alg": algorithm, "x5t": key_id, "kid": key_id}


def test_pyjwt_verifies_what_a_symmetric_key_signs():
    token = write(descriptor(), symmetric_signer()).decode()
    assert foreign(token, KEY, "HS256")["nameid"] == "svc one"
    assert pyjwt.get_unverified_header(token) == {"typ": "JWT", "alg": "HS256", "kid": "fingerprint"}


def test_well_known_claim_types_have_short_names_and_others_their_own():
    claims = [claim(claim_type, short.upper()) for claim_type, short in SHORT_NAMES.items()]
    token = write(descriptor(*claims, claim("urn:other", "x")), symmetric_signer())
    written = {name: value for name, value in members(token).items() if name not in REGISTERED}
    assert written == {short: short.upper() for short in SHORT_NAMES.values()} | {"urn:other": "x"}
    assert by_type(read(token, trusting(), NOW).claims) == by_type((*claims, claim("urn:other", "x")))


def test_several_claims_of_one_type_are_an_array():
    roles = [claim(types.ROLE, "reader"), claim("a", "b"), claim(types.ROLE, "writer")]
    assert members(write(descriptor(*roles), symmetric_signer()))["role"] == ["reader", "writer"]


def test_issued_at_is_written_in_whole_seconds():
    token = write(descriptor(issued_at=NOW + timedelta(microseconds=999_999)), symmetric_signer())
    assert members(token)["iat"] == seconds(NOW)


def test_access_token_of_rfc_9068_names_the_subject_and_the_client():
    token = write(descriptor(jwt_type="at+jwt"), signer("p256"))
    assert pyjwt.get_unverified_header(token)["typ"] == "at+jwt"
    written = members(token)
    assert (written["sub"], written["client_id"], written["nameid"]) == ("svc one",) * 3
    again = by_type(read(token, trusting(asymmetric("p256")), NOW).claims)
    assert again[types.NAME_IDENTIFIER] == ["svc one"]


@pytest.mark.parametrize("names", [[], ["alice", "bob"]])
def test_access_token_without_exactly_one_subject_is_refused(names):
    claims = [claim(types.NAME_IDENTIFIER, name) for name in names]
    with pytest.raises(UnwritableClaim, match="nameidentifier"):
        write(descriptor(claim("a", "b"), *claims, jwt_type="at+jwt"), symmetric_signer())


@pytest.mark.parametrize("name", sorted(REGISTERED))
def test_claim_never_takes_the_place_of_a_registered_member(name):
    with pytest.raises(UnwritableClaim, match=f"'{name}'"):
        write(descriptor(claim(name, "x")), symmetric_signer())


def test_claim_client_id_is_refused_only_where_the_token_has_its_own():
    named = (claim(types.NAME_IDENTIFIER, "svc"), claim("client_id", "x"))
    assert members(write(descriptor(*named), symmetric_signer()))["client_id"] == "x"
    with pytest.raises(UnwritableClaim, match="client_id"):
        write(descriptor(*named, jwt_type="at+jwt"), symmetric_signer())


def test_two_claim_types_with_one_name_are_refused():
    with pytest.raises(UnwritableClaim, match="share a name"):
        write(descriptor(claim("role", "x"), claim(types.ROLE, "y")), symmetric_signer())


@pytest.mark.parametrize("name", SHORT_NAMES.values())
def test_claim_type_that_is_a_short_name_already_is_never_read_as_the_well_known_type(name):
    token = write(descriptor(claim(name, "x"), claim("a", "b")), symmetric_signer())
    assert (members(token)[name], members(token)["literal_names"]) == ("x", [name])
    assert read(token, trusting(), NOW).claims == view(token).claims == (claim(name, "x"), claim("a", "b"))


def test_short_name_of_a_well_known_type_is_not_said_to_stand_for_itself():
    assert "literal_names" not in members(write(descriptor(claim(types.ROLE, "x")), symmetric_signer()))


@pytest.mark.parametrize("said", [None, "role", {"role": 1}, ["email", 1, ["role"]], []])
def test_short_name_of_others_is_read_as_the_well_known_type(said):
    more = {} if said is None else {"literal_names": said}
    token = jws(HEADER, {**payload(), "role": "x", **more})
    assert by_type(read(token, trusting(), NOW).claims)[types.ROLE] == ["x"]


def test_no_claim_says_what_stands_for_itself():
    with pytest.raises(UnwritableClaim, match="literal_names"):
        write(descriptor(claim("literal_names", "role")), symmetric_signer())


@given(st.lists(st.tuples(st.one_of(TEXT, st.sampled_from(sorted(SHORT_NAMES))), TEXT), max_size=8))
def test_any_claims_come_back(pairs):
    taken = REGISTERED | set(SHORT_NAMES.values())
    claims = tuple(claim(name, value) for name, value in pairs if name not in taken)
    token = write(descriptor(claims=claims), symmetric_signer())
    assert by_type(read(token, trusting(), NOW).claims) == by_type(claims)
    values = {name: one if len(one) > 1 else one[0] for name, one in by_type(claims).items()}
    expected = {SHORT_NAMES.get(name, name): value for name, value in values.items()}
    decoded = foreign(token.decode(), KEY, "HS256")
    assert {name: value for name, value in decoded.items() if name not in REGISTERED} == expected


@given(st.lists(st.tuples(st.one_of(st.text(), st.sampled_from(sorted(LONG_NAMES))), st.text()), max_size=4))
@example([("unique_name", "")])
def test_whatever_the_claims_say_they_are_refused_or_come_back(pairs):
    claims = tuple(claim(name, value) for name, value in pairs)
    try:
        token = write(descriptor(claims=claims), symmetric_signer())
    except UnwritableClaim:
        return
    assert by_type(read(token, trusting(), NOW).claims) == by_type(claims)


@pytest.mark.parametrize("character", ["\x00", "\x0b", "\x1f", "\ufffe", "\uffff", "\ud800"])
@pytest.mark.parametrize("place", ["type", "value"])
def test_character_that_xml_cannot_carry_is_refused(character, place):
    bad = claim(f"a{character}", "b") if place == "type" else claim("a", f"b{character}")
    with pytest.raises(UnwritableClaim, match="no token may carry"):
        write(descriptor(bad), symmetric_signer())


@pytest.mark.parametrize(("kind", "algorithm"), [*ALGORITHMS.items(), ("rsa2048", "PS256")])
def test_token_of_pyjwt_is_read(kind, algorithm):
    token = pyjwt.encode(payload(sub="alice"), private_key(kind), algorithm).encode()
    verified = read(token, trusting(asymmetric(kind)), NOW)
    assert (verified.id, verified.issuer, verified.audience) == ("once", ISSUER, AUDIENCE)
    assert (verified.not_before, verified.expires_at) == (NOW, NOW + timedelta(minutes=10))
    assert verified.claims == (claim(types.NAME_IDENTIFIER, "alice"),)
    assert verified.key == asymmetric(kind)


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ({"sub": "a"}, {types.NAME_IDENTIFIER: ["a"]}),
        ({"sub": "a", "nameid": "a"}, {types.NAME_IDENTIFIER: ["a"]}),
        ({"sub": "a", "nameid": "b"}, {types.NAME_IDENTIFIER: ["a", "b"]}),
        ({"sub": "a", "nameid": ["b", "a"]}, {types.NAME_IDENTIFIER: ["b", "a"]}),
        (
            {"n": 5, "t": True, "f": 1.5, "o": {"a": ["é"]}},
            {"n": ["5"], "t": ["true"], "f": ["1.5"], "o": ['{"a":["é"]}']},
        ),
        ({"list": ["a", 5, None, ["b"]]}, {"list": ["a", "5", '["b"]']}),
        ({"empty": [], "null": [None]}, {}),
    ],
)
def test_members_become_claims(extra, expected):
    assert by_type(read(jws(HEADER, payload(**extra)), trusting(), NOW).claims) == expected


@pytest.mark.parametrize("typ", ["JWT", "jwt", "at+jwt", "application/at+jwt", "application/JWT"])
def test_types_of_access_tokens_and_assertions_are_read(typ):
    assert read(jws(HEADER | {"typ": typ}, payload()), trusting(), NOW).id == "once"


@pytest.mark.parametrize(
    ("hint", "verified"),
    [
        ({"kid": "second"}, True),
        ({"x5t": "second"}, True),
        ({}, True),
        ({"kid": "first"}, False),
        ({"kid": "third"}, False),
    ],
)
def test_key_id_narrows_the_trusted_keys_down(hint, verified):
    token = jws(HEADER | hint, payload())
    trusted = trusting(symmetric(OTHER_KEY, "first"), symmetric(KEY, "second"))
    if verified:
        assert read(token, trusted, NOW).key.id == "second"
        return
    with pytest.raises(InvalidSignature):
        read(token, trusted, NOW)


def test_key_without_an_id_is_tried_for_any_key_id():
    assert read(jws(HEADER | {"kid": "theirs"}, payload()), trusting(symmetric(KEY, "")), NOW).id == "once"


@pytest.mark.parametrize(
    ("now", "verified"),
    [
        (NOT_BEFORE, True),
        (NOT_BEFORE - timedelta(seconds=1), False),
        (NOT_AFTER, True),
        (NOT_AFTER + timedelta(seconds=1), False),
    ],
)
def test_certificate_verifies_only_while_it_is_valid(now, verified):
    token = write(descriptor(issued_at=now, not_before=now, expires_at=now + timedelta(minutes=1)), signer("p256"))
    if verified:
        assert read(token, trusting(asymmetric("p256")), now).issuer == ISSUER
        return
    with pytest.raises(InvalidSignature) as refusal:
        read(token, trusting(asymmetric("p256")), now)
    assert refusal.value.detail.startswith("key")


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"exp": -180, "nbf": -600}, "time: expired"),
        ({"exp": -179, "nbf": -600}, None),
        ({"nbf": 180}, None),
        ({"nbf": 181}, "time: not yet valid"),
        ({"iat": 180}, None),
        ({"iat": 181}, "time: issued in the future"),
        ({"exp": 86_400}, None),
        ({"exp": 86_401}, "time: the lifetime is too long"),
        ({"nbf": 60, "exp": 60}, "time: ends before it begins"),
        ({"exp": 59.5}, None),
    ],
)
def test_times_are_held_to_the_second(changes, detail):
    token = jws(HEADER, payload(**{name: seconds(NOW) + offset for name, offset in changes.items()}))
    if detail is None:
        assert read(token, trusting(), NOW).expires_at.microsecond == 0
        return
    with pytest.raises(InvalidJwtToken) as refusal:
        read(token, trusting(), NOW)
    assert refusal.value.detail == detail


def test_token_without_jti_is_known_by_a_hash_of_what_is_signed():
    first, second = (read(jws(HEADER, payload(jti=None, nbf=nbf)), trusting(), NOW).id for nbf in (1, 2))
    assert first != second
    assert len(first) == 43


def test_audience_that_is_a_list_of_one_is_ours():
    assert read(jws(HEADER, payload(aud=[AUDIENCE])), trusting(), NOW).audience == AUDIENCE


def test_audience_is_only_reported_where_none_is_trusted():
    assert read(jws(HEADER, payload(aud=["a", "b"])), trusting(audience=None), NOW).audience == "a b"
    assert read(jws(HEADER, payload(aud=None)), trusting(audience=None), NOW).audience is None
    with pytest.raises(InvalidAudience):
        read(jws(HEADER, payload(aud="a")), trusting(), NOW)


def test_view_says_what_an_expired_token_of_a_stranger_says():
    token = view(jws({"alg": "none", "kid": "k"}, payload(exp=1, sub="alice", role=["a", "b"])))
    assert token.format is TokenFormat.JWT
    assert (token.id, token.issuer, token.audience, token.expires_at.year) == ("once", ISSUER, AUDIENCE, 1970)
    assert (token.algorithm, token.key_hint, token.encrypted) == ("none", "k", False)
    assert by_type(token.claims) == {types.NAME_IDENTIFIER: ["alice"], types.ROLE: ["a", "b"]}
