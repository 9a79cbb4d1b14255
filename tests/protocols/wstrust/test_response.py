"""Responses, byte for byte as clients know them, and held against the published schema and ACS's order."""

from base64 import b64decode
from datetime import timedelta
from pathlib import Path

import pytest
from lxml import etree

from sts.core.exchange import IssuedToken
from sts.core.model import TokenFormat
from sts.core.trust import KeyKind, ProofKey, Renewing, Status, StatusCode, TrustAction, TrustAnswer, TrustRequest
from sts.protocols.token_elements import cut_out, token_element
from sts.protocols.wstrust.names import FEBRUARY_2005, WS_TRUST_13, WSP2004, WSU, Dialect
from sts.protocols.wstrust.response import render
from tests.crypto.identities import certificate, private_key
from tests.protocols.wresults import encrypted, issued
from tests.protocols.wstrust.rsts import DIALECTS
from tests.schemas import validate
from tests.tokens.assertions import DESCRIPTOR
from tests.tools import decrypt_with_xmlsec1, verify_with_xmlsec1

PREFIXES = {WS_TRUST_13.namespace: "trust", FEBRUARY_2005.namespace: "t"}
KEY = bytes(range(32))
OURS = bytes(range(32, 64))
WHOLE = ProofKey(KEY, 256)
COMPUTED = ProofKey(KEY, 256, OURS)
SCHEMAS = (
    *("ws-trust-1.3.xsd", "saml-schema-assertion-2.0.xsd", "cs-sstc-schema-assertion-1.1.xsd"),
    *("oasis-200401-wss-wssecurity-secext-1.0.xsd", "xenc-schema.xsd"),
)
ASSERTIONS = {
    TokenFormat.SAML11: ("AssertionID", "urn:oasis:names:tc:SAML:1.0:assertion:Assertion"),
    TokenFormat.SAML20: ("ID", "urn:oasis:names:tc:SAML:2.0:assertion:Assertion"),
}
ORDER = (  # in which ACS wrote them; each at most once
    *("Entropy", "KeySize", "Lifetime", "AppliesTo", "RequestedSecurityToken", "RequestedProofToken"),
    *("RequestedAttachedReference", "RequestedUnattachedReference", "TokenType", "RequestType", "KeyType"),
    *("Renewing", "Status", "RequestedTokenCancelled"),
)


def answer(
    token: IssuedToken | None = None, action: TrustAction = TrustAction.ISSUE, proof: ProofKey | None = None
) -> TrustAnswer:
    kind = None if token is None else KeyKind.BEARER if proof is None else KeyKind.SYMMETRIC
    uri = None if token is None else token.format.uri
    return TrustAnswer(TrustRequest(action), issued=token, proof=proof, token_type=uri, key=kind)


def status(code: StatusCode, dialect: Dialect) -> TrustAnswer:
    asked = TrustRequest(TrustAction.VALIDATE)
    return TrustAnswer(
        asked, status=Status(code, "it ended at 22:00 & is over"), token_type=f"{dialect.namespace}/RSTR/Status"
    )


def every_answer(dialect: Dialect) -> list[TrustAnswer]:
    """One of each kind that there is."""
    return [
        *(answer(issued(token_format)) for token_format in TokenFormat),
        answer(issued(TokenFormat.SAML11), TrustAction.RENEW),
        answer(encrypted(TokenFormat.SAML11)),
        *(answer(encrypted(TokenFormat.SAML20), proof=proof) for proof in (None, WHOLE, COMPUTED)),
        answer(encrypted(TokenFormat.SAML20), TrustAction.RENEW, WHOLE),
        answer(issued(TokenFormat.SAML20))._replace(key=KeyKind.PUBLIC),
        status(StatusCode.VALID, dialect),
        status(StatusCode.INVALID, dialect),
        answer(issued(TokenFormat.JWT), TrustAction.VALIDATE)._replace(status=Status(StatusCode.VALID, "it is valid")),
        answer(action=TrustAction.CANCEL),
        answer(issued(TokenFormat.SAML20))._replace(request=TrustRequest(TrustAction.ISSUE, renewing=Renewing.REFUSED)),
    ]


def responses(written: bytes, dialect: Dialect) -> list[etree._Element]:
    """The responses, in a collection or bare."""
    root = etree.fromstring(written)
    return list(root) if root.tag == dialect.tag("RequestSecurityTokenResponseCollection") else [root]


GOLDEN = (
    "<{p}:RequestSecurityTokenResponse{context}{bare}>"
    '<{p}:Entropy><{p}:BinarySecret Type="{ns}/Nonce">ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=</{p}:BinarySecret>'
    "</{p}:Entropy><{p}:KeySize>256</{p}:KeySize>"
    "<{p}:Lifetime>"
    '<wsu:Created xmlns:wsu="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd">'
    "2026-11-21T22:00:00.000Z</wsu:Created>"
    '<wsu:Expires xmlns:wsu="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd">'
    "2026-11-21T22:10:00.000Z</wsu:Expires></{p}:Lifetime>"
    '<wsp:AppliesTo xmlns:wsp="http://schemas.xmlsoap.org/ws/2004/09/policy">'
    '<wsa:EndpointReference xmlns:wsa="http://www.w3.org/2005/08/addressing">'
    "<wsa:Address>https://orders.example/api/</wsa:Address></wsa:EndpointReference></wsp:AppliesTo>"
    "<{p}:RequestedSecurityToken>{token}</{p}:RequestedSecurityToken>"
    "<{p}:RequestedProofToken><{p}:ComputedKey>{ns}/CK/PSHA1</{p}:ComputedKey></{p}:RequestedProofToken>"
    "<{p}:RequestedAttachedReference>{reference}</{p}:RequestedAttachedReference>"
    "<{p}:RequestedUnattachedReference>{reference}</{p}:RequestedUnattachedReference>"
    "<{p}:TokenType>{type}</{p}:TokenType><{p}:RequestType>{ns}/Issue</{p}:RequestType>"
    "<{p}:KeyType>{ns}/SymmetricKey</{p}:KeyType></{p}:RequestSecurityTokenResponse>"
)
REFERENCE = (
    '<SecurityTokenReference d3p1:TokenType="http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#SAMLV2.0"'
    ' xmlns:d3p1="http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd"'
    ' xmlns="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"><KeyIdentifier'
    ' ValueType="http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#SAMLID">'
    "_0123456789abcdef0123456789abcdef</KeyIdentifier></SecurityTokenReference>"
)
ASKED = "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#SAMLV2.0"


@DIALECTS
def test_a_response_with_a_computed_key_is_written_byte_for_byte(dialect: Dialect) -> None:
    sample = encrypted(TokenFormat.SAML20)
    whole = answer(sample, proof=COMPUTED)._replace(token_type=ASKED)
    whole = whole._replace(request=whole.request._replace(context='urn:"1"&2'))
    prefix = PREFIXES[dialect.namespace]
    declaration = f' xmlns:{prefix}="{dialect.namespace}"'
    expected = GOLDEN.format(
        p=prefix,
        ns=dialect.namespace,
        type=ASKED,
        reference=REFERENCE,
        token=sample.token.decode(),
        context=' Context="urn:&quot;1&quot;&amp;2"',
        bare="" if dialect is WS_TRUST_13 else declaration,
    )
    if dialect is WS_TRUST_13:
        name = "trust:RequestSecurityTokenResponseCollection"
        expected = f"<{name}{declaration}>{expected}</{name}>"
    assert render((whole,), dialect).decode() == expected


@DIALECTS
@pytest.mark.parametrize("number", range(16))
def test_elements_stand_in_the_order_of_acs_and_once(dialect: Dialect, number: int) -> None:
    (response,) = responses(render((every_answer(dialect)[number],), dialect), dialect)
    names = [etree.QName(child).localname for child in response]
    assert names == sorted(set(names), key=ORDER.index)
    assert {child.tag for child in response} <= {f"{{{WSP2004}}}AppliesTo", *map(dialect.tag, ORDER)}
    assert len(every_answer(dialect)) == 16


@pytest.mark.parametrize("number", range(16))
def test_the_published_schema_of_ws_trust_13_takes_every_answer(number: int) -> None:
    validate(render((every_answer(WS_TRUST_13)[number],), WS_TRUST_13), *SCHEMAS)


def test_the_published_schema_takes_a_collection() -> None:
    written = render([answer(issued(TokenFormat.SAML20)), answer(encrypted(TokenFormat.SAML11))], WS_TRUST_13)
    validate(written, *SCHEMAS)
    assert len(responses(written, WS_TRUST_13)) == 2


def test_the_published_schema_can_refuse() -> None:
    written = render((status(StatusCode.VALID, WS_TRUST_13),), WS_TRUST_13)
    with pytest.raises(etree.DocumentInvalid):
        validate(written.replace(b"trust:Code", b"trust:Cause"), *SCHEMAS)


@pytest.mark.parametrize("action", TrustAction)
def test_in_13_tokens_that_are_issued_and_several_answers_are_collected(action: TrustAction) -> None:
    one, two = (etree.fromstring(render((answer(action=action),) * count, WS_TRUST_13)) for count in (1, 2))
    collection = WS_TRUST_13.tag("RequestSecurityTokenResponseCollection")
    assert (one.tag == collection) is (action is TrustAction.ISSUE)
    assert (two.tag, len(two)) == (collection, 2)


@pytest.mark.parametrize("action", TrustAction)
def test_in_2005_the_response_is_bare(action: TrustAction) -> None:
    response = etree.fromstring(render((answer(action=action),), FEBRUARY_2005))
    assert response.tag == FEBRUARY_2005.tag("RequestSecurityTokenResponse")


@DIALECTS
def test_a_whole_key_goes_to_the_caller_as_a_secret_of_its_kind(dialect: Dialect) -> None:
    (response,) = responses(render((answer(encrypted(TokenFormat.SAML20), proof=WHOLE),), dialect), dialect)
    secret = response.find(f"{dialect.tag('RequestedProofToken')}/{dialect.tag('BinarySecret')}")
    assert secret is not None
    assert (b64decode(secret.text or ""), secret.get("Type")) == (KEY, f"{dialect.namespace}/SymmetricKey")
    assert response.find(dialect.tag("Entropy")) is None
    assert response.findtext(dialect.tag("KeySize")) == "256"


@DIALECTS
@pytest.mark.parametrize("token_format", TokenFormat)
def test_a_token_that_is_cut_out_again_is_the_one_that_was_issued(dialect: Dialect, token_format: TokenFormat) -> None:
    sample = issued(token_format)
    (response,) = responses(render((answer(sample),), dialect), dialect)
    element = response.find(f"{dialect.tag('RequestedSecurityToken')}/*")
    assert element is not None
    proof = cut_out(element)
    assert proof.format is token_format
    if token_format.is_saml:
        assert token_element(sample) in render((answer(sample),), dialect)
    else:
        assert proof.token == sample.token


@DIALECTS
@pytest.mark.parametrize("token_format", [TokenFormat.SAML11, TokenFormat.SAML20])
def test_xmlsec1_decrypts_the_token_where_it_stands_and_verifies_it(
    dialect: Dialect, token_format: TokenFormat, tmp_path: Path
) -> None:
    written = render((answer(encrypted(token_format), proof=WHOLE),), dialect)
    decrypted = decrypt_with_xmlsec1(written, private_key("rsa2048", "rp"), tmp_path)
    verify_with_xmlsec1(decrypted, certificate("rsa2048"), *ASSERTIONS[token_format], tmp_path)


@DIALECTS
@pytest.mark.parametrize(
    ("kind", "uri"),
    [
        (KeyKind.SYMMETRIC, "{ns}/SymmetricKey"),
        (KeyKind.PUBLIC, "{ns}/PublicKey"),
        (KeyKind.BEARER, "{bearer}"),
    ],
)
def test_the_key_type_is_the_dialects(dialect: Dialect, kind: KeyKind, uri: str) -> None:
    bearer = {
        WS_TRUST_13.namespace: f"{WS_TRUST_13.namespace}/Bearer",
        FEBRUARY_2005.namespace: "http://schemas.xmlsoap.org/ws/2005/05/identity/NoProofKey",
    }
    (response,) = responses(render((answer(issued(TokenFormat.SAML20))._replace(key=kind),), dialect), dialect)
    expected = uri.format(ns=dialect.namespace, bearer=bearer[dialect.namespace])
    assert response.findtext(dialect.tag("KeyType")) == expected


@DIALECTS
def test_the_lifetime_is_that_of_the_token(dialect: Dialect) -> None:
    (response,) = responses(render((answer(issued(TokenFormat.JWT)),), dialect), dialect)
    lifetime = response.find(dialect.tag("Lifetime"))
    assert lifetime is not None
    begin = DESCRIPTOR.issued_at.replace(microsecond=0)
    expected = [f"{instant:%Y-%m-%dT%H:%M:%S}.000Z" for instant in (begin, begin + timedelta(minutes=10))]
    assert [lifetime.findtext(f"{{{WSU}}}{name}") for name in ("Created", "Expires")] == expected


@DIALECTS
@pytest.mark.parametrize("code", StatusCode)
def test_a_status_says_whether_and_why(dialect: Dialect, code: StatusCode) -> None:
    (response,) = responses(render((status(code, dialect),), dialect), dialect)
    assert response.findtext(f"{dialect.tag('Status')}/{dialect.tag('Code')}") == f"{dialect.namespace}/status/{code}"
    assert response.findtext(f"{dialect.tag('Status')}/{dialect.tag('Reason')}") == "it ended at 22:00 & is over"
    assert response.find(dialect.tag("RequestedSecurityToken")) is None


@DIALECTS
def test_a_token_that_is_cancelled_is_said_to_be(dialect: Dialect) -> None:
    (response,) = responses(render((answer(action=TrustAction.CANCEL),), dialect), dialect)
    assert response.find(dialect.tag("RequestedTokenCancelled")) is not None
    assert response.find(dialect.tag("TokenType")) is None


@DIALECTS
@pytest.mark.parametrize("asked", Renewing)
@pytest.mark.parametrize(
    ("token", "renewable"), [(issued(TokenFormat.JWT), "true"), (encrypted(TokenFormat.SAML20), "false")]
)
def test_who_asks_about_renewing_is_told_what_is_granted(
    dialect: Dialect, asked: Renewing, token: IssuedToken, renewable: str
) -> None:
    request = TrustRequest(TrustAction.ISSUE, renewing=asked)
    (response,) = responses(render((answer(token)._replace(request=request),), dialect), dialect)
    granted = response.find(dialect.tag("Renewing"))
    assert granted is not None
    told = "false" if asked is Renewing.REFUSED else renewable
    assert dict(granted.items()) == {"Allow": told, "OK": "false"}
