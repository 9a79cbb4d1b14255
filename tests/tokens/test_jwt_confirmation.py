"""JSON web tokens whose presenter must prove to hold a key (RFC 7800)."""

import dataclasses
import json

import pytest
from jwt import PyJWK

from sts.core.errors import FormatNotOffered, InvalidJwtToken, InvalidSwtToken
from sts.core.exchange import HolderOfKey, HolderPolicy, PublicHolder, PublicKey
from sts.tokens import jwt, swt
from tests.crypto.identities import NOW, private_key
from tests.crypto.key_infos import spki
from tests.tokens import compact
from tests.tokens.holders import HOLDERS, SYMMETRIC

PUBLIC = {name: holder for name, holder in HOLDERS.items() if isinstance(holder, PublicHolder)}
TRUSTED = compact.trusting(compact.symmetric())
HEADER = {"typ": "JWT", "alg": "HS256"}


def written(holder: HolderOfKey) -> bytes:
    return jwt.write(compact.descriptor(confirmation=holder), compact.symmetric_signer())


def taking(policy: HolderPolicy) -> object:
    return dataclasses.replace(TRUSTED, holder_of_key=policy)


@pytest.mark.parametrize("holder", PUBLIC.values(), ids=PUBLIC.keys())
def test_a_public_key_is_confirmed_as_a_jwk(holder: PublicHolder) -> None:
    token = written(holder)
    confirmed = compact.members(token)["cnf"]
    assert list(confirmed) == ["jwk"]
    assert "alg" not in confirmed["jwk"]
    for policy in (HolderPolicy.ACCEPTED, HolderPolicy.REQUIRED):
        assert jwt.read(token, taking(policy), NOW).holder == PublicKey(holder.public_key)


@pytest.mark.parametrize("kind", ["rsa2048", "p256", "p384", "p521"])
def test_foreign_software_reads_the_same_key(kind: str) -> None:
    jwk = compact.members(written(PublicHolder(spki(kind, "client"))))["cnf"]["jwk"]
    algorithm = {"rsa2048": "RS256", "p256": "ES256", "p384": "ES384", "p521": "ES512"}[kind]
    read = PyJWK.from_json(json.dumps(jwk), algorithm).key
    assert read.public_numbers() == private_key(kind, "client").public_key().public_numbers()


def test_a_secret_key_is_refused_with_what_to_ask_for_instead() -> None:
    with pytest.raises(FormatNotOffered, match="PublicKey or Bearer, or for a SAML token"):
        written(SYMMETRIC)


def test_simple_web_tokens_name_no_key() -> None:
    for holder in HOLDERS.values():
        with pytest.raises(FormatNotOffered, match="simple web token"):
            swt.write(compact.descriptor(confirmation=holder), compact.symmetric_signer())


def test_a_bearer_door_refuses_it() -> None:
    with pytest.raises(InvalidJwtToken) as refused:
        jwt.read(written(PUBLIC["p256"]), TRUSTED, NOW)
    assert refused.value.detail == "cnf: a key must be proved, not bearer"


def test_a_bearer_token_is_refused_where_a_key_must_be_proved() -> None:
    token = jwt.write(compact.descriptor(), compact.symmetric_signer())
    assert jwt.read(token, taking(HolderPolicy.ACCEPTED), NOW).holder is None
    with pytest.raises(InvalidJwtToken):
        jwt.read(token, taking(HolderPolicy.REQUIRED), NOW)
    simple = swt.write(compact.descriptor(), compact.symmetric_signer())
    assert swt.read(simple, taking(HolderPolicy.ACCEPTED), NOW).holder is None
    with pytest.raises(InvalidSwtToken):
        swt.read(simple, taking(HolderPolicy.REQUIRED), NOW)


GOOD = compact.members(written(PUBLIC["p256"]))
JWK = GOOD["cnf"]["jwk"]
RSA = compact.members(written(PUBLIC["rsa2048"]))["cnf"]["jwk"]


@pytest.mark.parametrize(
    "confirmation",
    [
        None,
        "key",
        {},
        {"kid": "mine"},
        {"jku": "http://127.0.0.1:1/"},
        {"jwe": "e30"},
        {"jwk": JWK, "kid": "mine"},
        {"jwk": None},
        {"jwk": {}},
        {"jwk": {"kty": "oct", "k": "AAAA"}},
        {"jwk": {**JWK, "d": "AAAA"}},
        {"jwk": {**JWK, "crv": "secp256k1"}},
        {"jwk": {**JWK, "crv": ["P-256"]}},
        {"jwk": {**JWK, "x": JWK["y"]}},
        {"jwk": {**JWK, "x": 1}},
        {"jwk": {**JWK, "x": "+/=="}},
        {"jwk": {**RSA, "e": "Aw"}},
        {"jwk": {**RSA, "e": "AA"}},
        {"jwk": {**RSA, "n": RSA["n"][:171]}},
        {"jwk": {**RSA, "n": "A" * 10_000}},
        {"jwk": {**RSA, "n": ""}},
    ],
)
def test_a_confirmation_that_is_no_strong_public_key_is_refused(confirmation: object) -> None:
    token = compact.jws(HEADER, {**GOOD, "cnf": confirmation})
    for policy in HolderPolicy:
        with pytest.raises(InvalidJwtToken) as refused:
            jwt.read(token, taking(policy), NOW)
        assert (refused.value.detail or "").startswith("cnf:")
