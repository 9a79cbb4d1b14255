"""Simple web tokens: ACS's order and encoding on writing, and a strict reader that takes what real clients send."""

import base64
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sts.core.claims import IDENTITY_PROVIDER, NAME_IDENTIFIER
from sts.core.errors import InvalidAudience, InvalidSignature, InvalidSwtToken, NoSigningKey, UnwritableClaim
from sts.core.exchange import Trusted
from sts.core.model import Claim, TokenFormat
from sts.core.ports import TokenFormat as TokenFormatPort
from sts.tokens import swt as module
from sts.tokens.swt import read, view, write
from tests.crypto.identities import NOW, signer
from tests.tokens.compact import (
    ACTION,
    AUDIENCE,
    ISSUER,
    KEY,
    OTHER_KEY,
    TEXT,
    asymmetric,
    by_type,
    claim,
    descriptor,
    seconds,
    swt,
    symmetric,
    symmetric_signer,
    trusting,
)

ACS = "https://contoso.accesscontrol.windows.net/"
# Computed for the fact sheet on ACS (its part 4.1) in the form of 168 recorded tokens; the key is the bytes 00 to 1f.
ACS_ANSWER = (
    b"http%3a%2f%2fschemas.xmlsoap.org%2fws%2f2005%2f05%2fidentity%2fclaims%2fnameidentifier=svc+one"
    b"&net.windows.servicebus.action=Listen%2cManage%2cSend"
    b"&http%3a%2f%2fschemas.microsoft.com%2faccesscontrolservice%2f2010%2f07%2fclaims%2fidentityprovider"
    b"=https%3a%2f%2fcontoso.accesscontrol.windows.net%2f"
    b"&Audience=http%3a%2f%2frp.example%2fapp%2f&ExpiresOn=1400000000"
    b"&Issuer=https%3a%2f%2fcontoso.accesscontrol.windows.net%2f"
    b"&HMACSHA256=P%2fGQ0d0uUFirDzhCzESkZJ8IuamhXqlZJqKv5v4SHL0%3d"
)
# The client assertion without expiry, from the same part and with the same key.
MINIMAL_ANSWER = b"Issuer=svc+one&HMACSHA256=QbPt8S0JDHVIPHAVUwqJPAGDzrrPJscsUGPNmtOpLU4%3d"
# The example that circulates with SWT 0.9.5.1 and its implementations.
PUBLISHED_KEY = base64.b64decode("N4QeKa3c062VBjnVK6fb+rnwURkcwGXh7EoNK34n0uM=")
PUBLISHED_ANSWER = (
    b"Issuer=issuer.example.com&ExpiresOn=1262304000&com.example.group=gold&over18=true"
    b"&HMACSHA256=AT55%2B2jLQeuigpg0xm%2Fvn7tjpSGXBUfFe0UXb0%2F9opE%3D"
)


def test_module_is_a_token_format():
    port: TokenFormatPort = module
    assert port.write is write


def test_writing_gives_the_known_answer_of_acs():
    claims = (
        Claim(NAME_IDENTIFIER, "svc one", "LOCAL AUTHORITY"),
        Claim(ACTION, "Listen", "LOCAL AUTHORITY"),
        Claim(ACTION, "Manage", "LOCAL AUTHORITY"),
        Claim(ACTION, "Send", "LOCAL AUTHORITY"),
        Claim(IDENTITY_PROVIDER, ACS, "LOCAL AUTHORITY"),
    )
    expires_at = datetime.fromtimestamp(1_400_000_000, UTC)
    token = descriptor(*claims, issuer=ACS, audience="http://rp.example/app/", expires_at=expires_at)
    assert write(token, symmetric_signer()) == ACS_ANSWER


def test_known_answer_of_acs_is_read():
    trusted = Trusted(ACS, "http://rp.example/app/", (symmetric(),))
    token = read(ACS_ANSWER, trusted, datetime.fromtimestamp(1_399_999_000, UTC))
    assert token.id == "P/GQ0d0uUFirDzhCzESkZJ8IuamhXqlZJqKv5v4SHL0="
    assert by_type(token.claims) == {
        NAME_IDENTIFIER: ["svc one"],
        ACTION: ["Listen", "Manage", "Send"],
        IDENTITY_PROVIDER: [ACS],
    }
    assert {one.issuer for one in token.claims} == {ACS}


def test_published_vector_is_read():
    trusted = Trusted("issuer.example.com", None, (symmetric(PUBLISHED_KEY),))
    token = read(PUBLISHED_ANSWER, trusted, datetime(2009, 12, 31, 23, tzinfo=UTC))
    assert by_type(token.claims) == {"com.example.group": ["gold"], "over18": ["true"]}
    assert token.expires_at == datetime(2010, 1, 1, tzinfo=UTC)


def test_minimal_form_is_read_only_where_no_expiry_is_required():
    trusted = trusting(issuer="svc one", audience=AUDIENCE, require_expiry=False)
    token = read(MINIMAL_ANSWER, trusted, NOW)
    assert (token.issuer, token.audience, token.expires_at, token.claims) == ("svc one", None, None, ())
    with pytest.raises(InvalidSwtToken) as refusal:
        read(MINIMAL_ANSWER, trusting(issuer="svc one", audience=None), NOW)
    assert refusal.value.detail == "time: no expiry"


def test_token_with_expiry_needs_the_audience_even_where_no_expiry_is_required():
    text = f"Issuer={quote_plus(ISSUER)}&ExpiresOn={seconds(NOW) + 60}".encode()
    with pytest.raises(InvalidAudience):
        read(swt(text), trusting(require_expiry=False), NOW)


def test_token_without_claims_begins_with_the_audience():
    token = write(descriptor(claims=()), symmetric_signer())
    expected = (
        b"Audience=https%3a%2f%2forders.example%2fapi%2f&ExpiresOn=1795299000"
        b"&Issuer=https%3a%2f%2fsts.example%2fcontoso%2f&HMACSHA256="
    )
    assert token.startswith(expected)


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        ("svc one", "svc+one"),
        ("AZaz09-_.!*()", "AZaz09-_.!*()"),
        ("~", "%7e"),
        ("'", "%27"),
        ("a+b", "a%2bb"),
        ("é", "%c3%a9"),
        ("\U0001f511", "%f0%9f%94%91"),
        ("<b>&amp;</b>", "%3cb%3e%26amp%3b%3c%2fb%3e"),
        ("tab\tline\r\n", "tab%09line%0d%0a"),
        ("\ufeff\ud55c", "%ef%bb%bf%ed%95%9c"),
        ("", ""),
    ],
)
def test_value_is_encoded_as_dotnet_encodes_it(value, encoded):
    assert write(descriptor(claim("a", value)), symmetric_signer()).startswith(f"a={encoded}&Audience=".encode())


@given(st.lists(st.tuples(TEXT.filter(bool), TEXT.filter(lambda text: "," not in text)), max_size=8))
def test_any_claims_come_back(pairs):
    reserved = {"audience", "expireson", "issuer", "hmacsha256"}
    claims = tuple(claim(name, value) for name, value in pairs if name.lower() not in reserved)
    token = read(write(descriptor(claims=claims), symmetric_signer()), trusting(), NOW)
    assert by_type(token.claims) == by_type(claims)
    assert (token.issuer, token.audience, token.expires_at) == (ISSUER, AUDIENCE, NOW + timedelta(minutes=10))


@given(st.lists(st.tuples(st.text(), st.text()), max_size=4))
def test_whatever_the_claims_say_they_are_refused_or_come_back(pairs):
    claims = tuple(claim(name, value) for name, value in pairs)
    try:
        token = write(descriptor(claims=claims), symmetric_signer())
    except UnwritableClaim:
        return
    assert by_type(read(token, trusting(), NOW).claims) == by_type(claims)


@pytest.mark.parametrize(
    "reserved",
    ["Audience", "ExpiresOn", "Issuer", "HMACSHA256", "audience", "EXPIRESON", "issuer", "hmacsha256", ""],
)
def test_claim_type_that_is_a_parameter_of_the_token_is_refused_on_writing(reserved):
    with pytest.raises(UnwritableClaim, match=f"'{reserved}'"):
        write(descriptor(claim(reserved, "x")), symmetric_signer())


def test_value_with_a_comma_is_refused_naming_the_claim_type():
    with pytest.raises(UnwritableClaim, match=NAME_IDENTIFIER):
        write(descriptor(claim(NAME_IDENTIFIER, "Doe, Jane")), symmetric_signer())


@pytest.mark.parametrize("character", ["\x00", "\x0b", "\x1f", "\ufffe", "\uffff", "\ud800"])
@pytest.mark.parametrize("place", ["type", "value"])
def test_character_that_xml_cannot_carry_is_refused(character, place):
    bad = claim(f"a{character}", "b") if place == "type" else claim("a", f"b{character}")
    with pytest.raises(UnwritableClaim, match="no token may carry"):
        write(descriptor(bad), symmetric_signer())


def test_signer_that_is_no_symmetric_key_is_refused():
    with pytest.raises(NoSigningKey):
        write(descriptor(), signer("p256"))


@pytest.mark.parametrize(
    "encode",
    [quote_plus, lambda text: quote(text, safe="/:~'"), lambda text: quote(text, safe="").lower().replace("%20", "+")],
    ids=["upper case and plus", "%20 and bare marks", "lower case"],
)
def test_encodings_of_other_stacks_are_read(encode):
    fields = {"name": "svc one/~", "Audience": AUDIENCE, "ExpiresOn": str(seconds(NOW) + 60), "Issuer": ISSUER}
    text = "&".join(f"{name}={encode(value)}" for name, value in fields.items()).encode()
    assert read(swt(text), trusting(), NOW).claims == (claim("name", "svc one/~"),)


@pytest.mark.parametrize(
    ("offset", "changes", "detail"),
    [
        (timedelta(minutes=-3), {}, "time: expired"),
        (timedelta(minutes=-3, seconds=1), {}, None),
        (timedelta(hours=24), {}, None),
        (timedelta(hours=24, seconds=1), {}, "time: the lifetime is too long"),
        (timedelta(days=3650), {"max_lifetime": None}, None),
    ],
)
def test_expiry_is_held_to_the_second(offset, changes, detail):
    token = write(descriptor(expires_at=NOW + offset), symmetric_signer())
    if detail is None:
        assert read(token, trusting(**changes), NOW).expires_at == NOW + offset
        return
    with pytest.raises(InvalidSwtToken) as refusal:
        read(token, trusting(**changes), NOW)
    assert refusal.value.detail == detail


@pytest.mark.parametrize("issuer", [ISSUER[:-1], ISSUER.upper(), ISSUER + " ", ""])
def test_issuer_is_compared_exactly(issuer):
    with pytest.raises(InvalidSwtToken) as refusal:
        read(write(descriptor(issuer=issuer), symmetric_signer()), trusting(), NOW)
    assert refusal.value.detail.startswith("issuer")


def test_token_without_issuer_is_refused():
    with pytest.raises(InvalidSwtToken, match="invalid"):
        read(swt(b"a=b"), trusting(require_expiry=False), NOW)


@pytest.mark.parametrize("audience", [AUDIENCE + "/", AUDIENCE[:-1], AUDIENCE.upper(), ""])
def test_audience_is_compared_exactly(audience):
    with pytest.raises(InvalidAudience):
        read(write(descriptor(audience=audience), symmetric_signer()), trusting(), NOW)


def test_any_of_the_trusted_keys_may_have_signed():
    keys = (asymmetric(), symmetric(OTHER_KEY, "other"), symmetric())
    assert read(write(descriptor(), symmetric_signer()), trusting(*keys), NOW).key == symmetric()


def test_view_says_what_an_expired_token_of_a_stranger_says():
    token = view(write(descriptor(expires_at=datetime(2001, 1, 1, tzinfo=UTC)), symmetric_signer(OTHER_KEY)))
    assert token.format is TokenFormat.SWT
    assert (token.issuer, token.audience, token.expires_at.year) == (ISSUER, AUDIENCE, 2001)
    assert (token.algorithm, token.key_hint, token.encrypted) == ("HS256", None, False)
    assert by_type(token.claims)[NAME_IDENTIFIER] == ["svc one"]


def test_id_is_the_mac_in_canonical_base64():
    token = read(swt(b"Issuer=x"), Trusted("x", None, (symmetric(),), require_expiry=False), NOW)
    assert token.id == view(swt(b"Issuer=x")).id
    assert len(base64.b64decode(token.id, validate=True)) == 32


def test_a_signature_by_another_key_is_refused():
    with pytest.raises(InvalidSignature):
        read(write(descriptor(), symmetric_signer(OTHER_KEY)), trusting(symmetric(KEY)), NOW)
