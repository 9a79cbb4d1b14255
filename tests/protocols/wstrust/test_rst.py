"""What a RequestSecurityToken is read as, in both dialects, and what is refused because it is not understood."""

from datetime import UTC, datetime

import pytest

from sts.core.errors import BadRequest, FormatNotOffered, InvalidScope, InvalidTimeRange
from sts.core.model import TokenFormat
from sts.core.trust import (
    KeyKind,
    KeyRequest,
    Renewing,
    RequestedClaims,
    RequestedLifetime,
    TrustAction,
    TrustRequest,
)
from sts.crypto.xml import serialise
from sts.protocols.wstrust import rst
from sts.protocols.wstrust.names import FEBRUARY_2005, WS_TRUST_13, Dialect
from tests.protocols.wstrust.rsts import (
    DIALECTS,
    IDENTITY,
    NONCE,
    REALM,
    SAML20,
    applies_to,
    content,
    document,
    entropy,
    key_type,
    parameter,
    read,
    reference_to,
    request,
)
from tests.schemas import validate


@DIALECTS
def test_a_request_that_names_a_relying_party_alone_leaves_everything_else_to_it(dialect: Dialect) -> None:
    assert read(dialect) == TrustRequest(TrustAction.ISSUE, realm=REALM)


@DIALECTS
@pytest.mark.parametrize(
    ("uri", "token_format"),
    [
        ("urn:oasis:names:tc:SAML:1.0:assertion", TokenFormat.SAML11),
        ("urn:oasis:names:tc:SAML:2.0:assertion", TokenFormat.SAML20),
        ("http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#SAMLV1.1", TokenFormat.SAML11),
        ("http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#SAMLV2.0", TokenFormat.SAML20),
        ("urn:ietf:params:oauth:token-type:jwt", TokenFormat.JWT),
        ("http://schemas.xmlsoap.org/ws/2009/11/swt-token-profile-1.0", TokenFormat.SWT),
    ],
)
def test_token_types_are_known_in_every_form_and_kept_as_they_were_asked(
    dialect: Dialect, uri: str, token_format: TokenFormat
) -> None:
    found = read(dialect, parameter("TokenType", f"\n  {uri} "))
    assert (found.token_type, found.format) == (uri, token_format)


@DIALECTS
@pytest.mark.parametrize("uri", ["urn:oasis:names:tc:SAML:3.0:assertion", "saml20"])
def test_unknown_token_types_are_refused(dialect: Dialect, uri: str) -> None:
    with pytest.raises(FormatNotOffered, match="the TokenType is none of"):
        read(dialect, parameter("TokenType", uri))


@pytest.mark.parametrize(
    "namespace", ["http://schemas.xmlsoap.org/ws/2004/09/policy", "http://www.w3.org/ns/ws-policy"]
)
@pytest.mark.parametrize(
    "addressing", ["http://www.w3.org/2005/08/addressing", "http://schemas.xmlsoap.org/ws/2004/08/addressing"]
)
def test_applies_to_is_read_in_both_policy_and_both_addressing_namespaces(namespace: str, addressing: str) -> None:
    place = (
        f'<p:AppliesTo xmlns:p="{namespace}"><a:EndpointReference xmlns:a="{addressing}"><a:Address> {REALM}\n'
        "</a:Address><a:ReferenceParameters/></a:EndpointReference></p:AppliesTo>"
    )
    body = request(WS_TRUST_13, place)
    assert rst.parse(content(document(body, WS_TRUST_13)), WS_TRUST_13)[0].realm == REALM


ADDRESS = f"<wsa:Address>{REALM}</wsa:Address>"
OTHER = "<wsa:Address>https://billing.example/</wsa:Address>"


@pytest.mark.parametrize(
    ("place", "fault"),
    [
        ("", "one AppliesTo, and not 0"),
        (applies_to() + applies_to("https://billing.example/"), "more than once"),
        (f'{applies_to()}<q:AppliesTo xmlns:q="http://www.w3.org/ns/ws-policy"/>', "one AppliesTo, and not 2"),
        (f"<wsp:AppliesTo><wsa:EndpointReference>{ADDRESS}{OTHER}</wsa:EndpointReference></wsp:AppliesTo>", "not 2"),
        (
            (
                f"<wsp:AppliesTo><wsa:EndpointReference>{ADDRESS}</wsa:EndpointReference>"
                f"<wsa:EndpointReference>{OTHER}</wsa:EndpointReference></wsp:AppliesTo>"
            ),
            "2 elements where one belongs",
        ),
        (
            (
                f"<wsp:AppliesTo><wsa:EndpointReference>{ADDRESS}<wsa:Metadata>{OTHER}</wsa:Metadata>"
                "</wsa:EndpointReference></wsp:AppliesTo>"
            ),
            "one Address, and not 2",
        ),
        (
            (
                f"<wsp:AppliesTo><wsa:EndpointReference>{ADDRESS}<wsa:ReferenceParameters>"
                '<x:Address xmlns:x="urn:x">https://billing.example/</x:Address></wsa:ReferenceParameters>'
                "</wsa:EndpointReference></wsp:AppliesTo>"
            ),
            "one Address, and not 2",
        ),
        (
            (
                f"<wsp:AppliesTo><wsa:EndpointReference><wsa:Metadata>{ADDRESS}</wsa:Metadata></wsa:EndpointReference>"
                "</wsp:AppliesTo>"
            ),
            "one Address",
        ),
        ("<wsp:AppliesTo><wsa:EndpointReference/></wsp:AppliesTo>", "one Address, and not 0"),
        ("<wsp:AppliesTo/>", "0 elements where one belongs"),
        (f"<wsp:AppliesTo>{REALM}</wsp:AppliesTo>", "holds text"),
        (f"<wsp:AppliesTo>{ADDRESS}</wsp:AppliesTo>", "no EndpointReference"),
        (applies_to(""), "Address is empty"),
        (applies_to("https://a.example/<wsa:b/>"), "holds text only"),
        (applies_to("https://a.example/" + "a" * 2048), "more than 2048 characters"),
    ],
)
def test_t11_whatever_does_not_name_one_address_is_refused(place: str, fault: str) -> None:
    body = request(WS_TRUST_13, place)
    with pytest.raises(BadRequest, match=fault):
        rst.parse(content(document(body, WS_TRUST_13)), WS_TRUST_13)


CREATED = "<wsu:Created>2026-11-21T22:00:00.000Z</wsu:Created>"
EXPIRES = "<wsu:Expires>2026-11-21T23:30:00+01:00</wsu:Expires>"
BEGIN, END = datetime(2026, 11, 21, 22, tzinfo=UTC), datetime(2026, 11, 21, 22, 30, tzinfo=UTC)


@DIALECTS
@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (CREATED + EXPIRES, RequestedLifetime(BEGIN, END)),
        (EXPIRES, RequestedLifetime(None, END)),
        (CREATED, RequestedLifetime(BEGIN)),
        ("", RequestedLifetime()),
    ],
)
def test_a_lifetime_has_bounds_that_may_be_absent(dialect: Dialect, asked: str, expected: RequestedLifetime) -> None:
    assert read(dialect, parameter("Lifetime", asked)).lifetime == expected


@pytest.mark.parametrize(
    "asked",
    [
        CREATED + CREATED,
        "<wsu:Created>2026-11-21T22:00:00</wsu:Created>",
        "<wsu:Expires>9999-12-31T23:59:59Z</wsu:Expires>",
        "<wsu:Expires>tomorrow</wsu:Expires>",
        "<wsu:Expires/>",
        "PT10M",
        "<wsu:Other>2026-11-21T22:00:00Z</wsu:Other>",
        "<wsu:Created>2026-11-21T22:30:00Z</wsu:Created>" + EXPIRES,
    ],
)
def test_lifetimes_that_cannot_be_are_refused(asked: str) -> None:
    with pytest.raises(InvalidTimeRange):
        read(WS_TRUST_13, parameter("Lifetime", asked))


@DIALECTS
@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("<t:Renewing/>", Renewing.ALLOWED),
        ('<t:Renewing Allow="1" OK="0"/>', Renewing.ALLOWED),
        ('<t:Renewing Allow="true" OK="true"/>', Renewing.AFTER_EXPIRY),
        ('<t:Renewing Allow="false" OK="true"/>', Renewing.REFUSED),
        ("", None),
    ],
)
def test_renewing_says_whether_and_when(dialect: Dialect, asked: str, expected: Renewing | None) -> None:
    assert read(dialect, asked).renewing is expected


@DIALECTS
@pytest.mark.parametrize(
    ("part", "fault"),
    [
        ("<t:AllowPostdating/>", "AllowPostdating is not supported: tokens begin"),
        ("<t:BinaryExchange/>", "BinaryExchange is not supported"),
        ("<t:SignChallenge/>", "SignChallenge is not supported"),
        ("<t:RequestKET/>", "RequestKET is not supported"),
        ("<t:ProofEncryption/>", "ProofEncryption is not supported: TLS"),
        ("<t:Encryption/>", "Encryption is not supported: TLS"),
        ("<t:DelegateTo/>", "DelegateTo is not supported: OnBehalfOf and ActAs"),
        ("<t:Participants/>", "Participants is not supported"),
        ("<t:AuthenticationType>urn:a</t:AuthenticationType>", "AuthenticationType is not supported"),
        ("<wsp:Policy/>", "Policy is not supported: policies are not read"),
        ("<t:Unheard/>", "Unheard is not understood"),
        ('<x:Unheard xmlns:x="urn:x"/>', "Unheard is not understood"),
        ("<t:AppliesTo/>", "AppliesTo is not understood"),
        ("<t:Forwardable>false</t:Forwardable>", "Forwardable cannot be false"),
        ("<t:Delegatable>1</t:Delegatable>", "Delegatable cannot be true"),
        ("<t:Delegatable>yes</t:Delegatable>", "neither true nor false"),
        ("<t:KeySize>1</t:KeySize><t:KeySize>2</t:KeySize>", "KeySize is there more than once"),
        ("<t:RequestType>{ns}/Issue</t:RequestType>", "RequestType is there more than once"),
        ("text", "holds text beside its elements"),
        ('<t:Renewing Sometimes="1"/>', "the attribute Sometimes of Renewing is not understood"),
        ("<t:RenewTarget/>", "a request of type Issue has no RenewTarget"),
    ],
)
def test_what_would_change_the_meaning_is_refused(dialect: Dialect, part: str, fault: str) -> None:
    with pytest.raises(BadRequest, match=fault):
        read(dialect, part.replace("{ns}", dialect.namespace))


@DIALECTS
def test_wishes_that_need_not_be_granted_are_not_looked_at(dialect: Dialect) -> None:
    wishes = ("SignWith", "EncryptWith", "SignatureAlgorithm", "EncryptionAlgorithm", "CanonicalizationAlgorithm")
    asked = "".join(parameter(name, "urn:some:algorithm") for name in (*wishes, "KeyWrapAlgorithm"))
    marks = "<t:Forwardable>true</t:Forwardable><t:Delegatable>false</t:Delegatable><t:Issuer/>"
    assert read(dialect, asked + marks) == read(dialect)


def test_secondary_parameters_count_where_the_caller_said_nothing_itself() -> None:
    secondary = (
        "<t:SecondaryParameters>"
        + key_type(WS_TRUST_13, KeyKind.SYMMETRIC)
        + parameter("KeySize", "128")
        + parameter("EncryptWith", "urn:a")
        + f'<t:Claims Dialect="{IDENTITY}"><ic:ClaimType Uri="urn:a"/></t:Claims><t:Unheard/></t:SecondaryParameters>'
    )
    found = read(WS_TRUST_13, entropy(WS_TRUST_13), parameter("KeySize", "256"), secondary)
    assert found.key == KeyRequest(KeyKind.SYMMETRIC, 256, NONCE)
    assert found.claims == RequestedClaims(("urn:a",))
    twice = f"<t:SecondaryParameters>{parameter('KeySize', '1')}{parameter('KeySize', '2')}</t:SecondaryParameters>"
    with pytest.raises(BadRequest, match="KeySize is more than once in SecondaryParameters"):
        read(WS_TRUST_13, twice)


@DIALECTS
@pytest.mark.parametrize("uri", ["{ns}/STSCancel", "{ns}/BatchIssue", "urn:x", "{other}/Issue", ""])
def test_other_request_types_are_refused(dialect: Dialect, uri: str) -> None:
    other = (WS_TRUST_13 if dialect is FEBRUARY_2005 else FEBRUARY_2005).namespace
    kind = parameter("RequestType", uri.replace("{ns}", dialect.namespace).replace("{other}", other))
    body = f"<t:RequestSecurityToken>{kind}{applies_to()}</t:RequestSecurityToken>"
    with pytest.raises(BadRequest, match=r"RequestType is (none of|empty)"):
        rst.parse(content(document(body, dialect)), dialect)


@DIALECTS
def test_a_request_without_a_request_type_is_refused(dialect: Dialect) -> None:
    body = f"<t:RequestSecurityToken>{applies_to()}</t:RequestSecurityToken>"
    with pytest.raises(BadRequest, match="no RequestType"):
        rst.parse(content(document(body, dialect)), dialect)


@DIALECTS
def test_a_request_of_the_other_dialect_is_refused(dialect: Dialect) -> None:
    other = WS_TRUST_13 if dialect is FEBRUARY_2005 else FEBRUARY_2005
    with pytest.raises(BadRequest, match=f"no RequestSecurityToken of {dialect.namespace}"):
        rst.parse(content(document(request(other, applies_to()), other)), dialect)


def test_a_context_is_kept_and_other_attributes_are_not_understood() -> None:
    def parsed(attributes: str) -> TrustRequest:
        body = request(WS_TRUST_13, applies_to(), context=attributes)
        return rst.parse(content(document(body, WS_TRUST_13)), WS_TRUST_13)[0]

    assert parsed(' Context="urn:uuid:1&amp;2" wsu:Id="body-1" xml:lang="en"').context == "urn:uuid:1&2"
    with pytest.raises(BadRequest, match="more than 2048"):
        parsed(f' Context="{"a" * 2049}"')
    with pytest.raises(BadRequest, match="the attribute Priority of RequestSecurityToken is not understood"):
        parsed(' Priority="high"')


def collection(*requests: str) -> tuple[TrustRequest, ...]:
    body = f"<t:RequestSecurityTokenCollection>{''.join(requests)}</t:RequestSecurityTokenCollection>"
    return rst.parse(content(document(body, WS_TRUST_13)), WS_TRUST_13)


@pytest.mark.parametrize("action", ["Issue", "BatchIssue"])
def test_a_collection_asks_for_several_tokens_at_once(action: str) -> None:
    requests = [request(WS_TRUST_13, applies_to(f"urn:{n}"), action=action, context=f' Context="{n}"') for n in "abc"]
    assert [(found.realm, found.context) for found in collection(*requests)] == [
        ("urn:a", "a"),
        ("urn:b", "b"),
        ("urn:c", "c"),
    ]


ONE = request(WS_TRUST_13, applies_to())


@pytest.mark.parametrize(
    ("requests", "fault"),
    [
        ((), "2 to 16 requests, and not 0"),
        ((ONE,), "2 to 16 requests, and not 1"),
        ((ONE,) * 17, "2 to 16 requests, and not 17"),
        ((ONE, applies_to()), "nothing but requests"),
        ((ONE, "text", ONE), "holds text"),
        (
            (ONE, request(WS_TRUST_13, f"<t:CancelTarget>{SAML20}</t:CancelTarget>", action="Cancel")),
            "all of one RequestType",
        ),
    ],
)
def test_collections_of_another_shape_are_refused(requests: tuple[str, ...], fault: str) -> None:
    with pytest.raises(BadRequest, match=fault):
        collection(*requests)


def test_february_2005_knows_no_collection() -> None:
    one = request(FEBRUARY_2005, applies_to())
    body = f"<t:RequestSecurityTokenCollection>{one}{one}</t:RequestSecurityTokenCollection>"
    with pytest.raises(BadRequest, match="no RequestSecurityToken of"):
        rst.parse(content(document(body, FEBRUARY_2005)), FEBRUARY_2005)


def test_a_request_that_names_nobody_is_out_of_scope() -> None:
    with pytest.raises(InvalidScope):
        rst.parse(content(document(request(WS_TRUST_13), WS_TRUST_13)), WS_TRUST_13)


SCHEMAS = (
    *("ws-trust-1.3.xsd", "saml-schema-assertion-2.0.xsd", "oasis-200401-wss-wssecurity-secext-1.0.xsd"),
    "ws-policy.xsd",
)


def test_the_published_schema_takes_the_requests_that_are_read() -> None:
    whole = request(
        WS_TRUST_13,
        applies_to(),
        parameter("TokenType", TokenFormat.SAML20.uri),
        key_type(WS_TRUST_13, KeyKind.SYMMETRIC),
        parameter("KeySize", "256"),
        entropy(WS_TRUST_13),
        parameter("ComputedKeyAlgorithm", f"{WS_TRUST_13.namespace}/CK/PSHA1"),
        parameter("Lifetime", CREATED + EXPIRES),
        '<t:Renewing Allow="true" OK="false"/>',
        f'<t:Claims Dialect="{IDENTITY}"><ic:ClaimType Uri="urn:a"/></t:Claims>',
        f"<t:OnBehalfOf>{SAML20}</t:OnBehalfOf>",
        context=' Context="urn:uuid:1"',
    )
    used = request(
        WS_TRUST_13,
        applies_to("urn:b"),
        key_type(WS_TRUST_13, KeyKind.PUBLIC),
        f'<t:UseKey Sig="#SIG-1">{reference_to("X509-1")}</t:UseKey>',
    )
    body = f"<t:RequestSecurityTokenCollection>{whole}{used}</t:RequestSecurityTokenCollection>"
    element = content(document(body, WS_TRUST_13))
    validate(serialise(element), *SCHEMAS)
    found = rst.parse(element, WS_TRUST_13, frozenset({"SIG-1", "X509-1"}))
    assert [each.realm for each in found] == [REALM, "urn:b"]
