"""Claims that try to be more than claims, in all four formats: rows A25-A28."""

from dataclasses import replace
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sts.core.claims import IDENTITY_PROVIDER, LOCAL_AUTHORITY, MAX_INPUT_CLAIMS, MAX_VALUE_LENGTH, NAME, ROLE
from sts.core.errors import InvalidToken, RulesFailed, UnwritableClaim
from sts.core.exchange import VerificationKey, VerifiedToken
from sts.core.model import Claim, ClaimPattern, Kind, Rule
from sts.core.ports import Signer
from sts.core.rules import apply_rules
from sts.crypto.signer import SoftwareSigner
from sts.tokens import jwt, saml11, saml20, swt
from tests.crypto.identities import NOW, signer
from tests.crypto.test_xml import LEGAL
from tests.tokens.assertions import TRUSTED, described, key

KEY = bytes(range(32))
TRUSTING_BOTH = replace(TRUSTED, keys=(replace(key(), id=""), VerificationKey("key", Kind.SYMMETRIC, KEY)))
FORMATS = pytest.mark.parametrize("module", [swt, jwt, saml11, saml20], ids=["swt", "jwt", "saml11", "saml20"])

INJECTIONS = [
    f'</AttributeValue></Attribute><Attribute Name="{ROLE}"><AttributeValue>admin',
    '</saml:AttributeValue></saml:Attribute><saml:Attribute AttributeName="role" AttributeNamespace="urn:a">',
    f'x"><AttributeValue>admin</AttributeValue></Attribute><Attribute Name="{ROLE}',
    "<!--", "]]>", "<![CDATA[", "&lt;", "&#60;", "&amp;amp;",
    f"x&{ROLE}=admin", f"x%26{ROLE}%3dadmin", "x&HMACSHA256=AAAA", "a+b c%20d",
    '"}', '\\"', "\\u0022", "\u2028\u2029", "\r\n", " \t blanks \n", "\u0085", "\U0001f600",
]  # fmt: skip


def signer_of(module: ModuleType) -> Signer:
    return SoftwareSigner.from_symmetric(KEY, "key") if module is swt else signer("rsa2048")


def written(module: ModuleType, *pairs: tuple[str, str]) -> bytes:
    token: bytes = module.write(described(*pairs), signer_of(module))
    return token


def read(module: ModuleType, token: bytes) -> VerifiedToken:
    verified: VerifiedToken = module.read(token, TRUSTING_BOTH, NOW)
    return verified


def said(token: VerifiedToken) -> list[tuple[str, str]]:
    return [(claim.type, claim.value) for claim in token.claims]


@FORMATS
@pytest.mark.parametrize("character", ["\x00", "\x0b", "\x1f", "\ufffe", "\uffff"], ids=ascii)
@pytest.mark.parametrize("place", ["type", "value"])
def test_a25_character_that_xml_cannot_carry_is_refused(module: ModuleType, character: str, place: str) -> None:
    pair = (ROLE + character, "reader") if place == "type" else (ROLE, f"re{character}ader")
    with pytest.raises(UnwritableClaim):
        written(module, pair, (IDENTITY_PROVIDER, "adfs"))


@FORMATS
@pytest.mark.parametrize("surrogate", [0xD800, 0xDC80, 0xDFFF], ids=hex)
@pytest.mark.parametrize("place", ["type", "value"])
def test_a26_lone_surrogate_is_refused(module: ModuleType, surrogate: int, place: str) -> None:
    pair = (ROLE + chr(surrogate), "reader") if place == "type" else (ROLE, f"re{chr(surrogate)}ader")
    with pytest.raises(UnwritableClaim):
        written(module, pair, (IDENTITY_PROVIDER, "adfs"))


@FORMATS
@pytest.mark.parametrize("injection", INJECTIONS, ids=ascii)
def test_a27_value_that_looks_like_another_claim_stays_a_value(module: ModuleType, injection: str) -> None:
    pairs = [(NAME, injection), (IDENTITY_PROVIDER, "adfs")]
    assert said(read(module, written(module, *pairs))) == pairs


@FORMATS
@pytest.mark.parametrize("injection", INJECTIONS, ids=ascii)
def test_a27_type_that_looks_like_another_claim_stays_a_type(module: ModuleType, injection: str) -> None:
    pairs = [(f"{injection}/{injection}x", "value"), (IDENTITY_PROVIDER, "adfs")]
    assert said(read(module, written(module, *pairs))) == pairs


@FORMATS
@given(value=LEGAL)
def test_a27_any_value_reads_back_identical(module: ModuleType, value: str) -> None:
    if module is swt:
        value = value.replace(",", ";")  # a comma joins values there, and is refused in one
    pairs = [(NAME, value), (IDENTITY_PROVIDER, "adfs")]
    assert said(read(module, written(module, *pairs))) == pairs


@FORMATS
@given(value=st.text(st.characters(exclude_categories=()), max_size=8))
def test_a25_a26_any_text_at_all_is_carried_or_refused(module: ModuleType, value: str) -> None:
    try:
        token = written(module, (NAME, value))
    except UnwritableClaim:
        return
    assert said(read(module, token)) == [(NAME, value)]


def test_a27_comma_in_a_simple_web_token_is_refused() -> None:
    with pytest.raises(UnwritableClaim):
        written(swt, (ROLE, "reader,admin"))


PASS_ALL = Rule(ClaimPattern(issuer="adfs"))


@pytest.mark.parametrize(
    ("number", "length", "accepted"),
    [
        (MAX_INPUT_CLAIMS, 1, True),
        (MAX_INPUT_CLAIMS + 1, 1, False),
        (10_000, 1, False),
        (1, MAX_VALUE_LENGTH, True),
        (1, 1024 * 1024, False),
    ],
)
def test_a28_too_many_or_too_long_claims_are_refused_before_any_format(
    number: int, length: int, *, accepted: bool
) -> None:
    claims = [Claim(f"urn:type/{index}", "x" * length, "adfs") for index in range(number)]
    if accepted:
        assert apply_rules((PASS_ALL,), claims) == tuple(claim._replace(issuer=LOCAL_AUTHORITY) for claim in claims)
    else:
        with pytest.raises(RulesFailed):
            apply_rules((PASS_ALL,), claims)


@FORMATS
@pytest.mark.parametrize(
    "pairs",
    [[(f"urn:type/{index}", "x") for index in range(10_000)], [(NAME, "x" * 1024 * 1024)]],
    ids=["10 000 claims", "1 MB"],
)
def test_a28_too_many_or_too_long_claims_are_not_read(module: ModuleType, pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(InvalidToken):
        read(module, written(module, *pairs))
