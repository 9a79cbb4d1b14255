"""Tokens inside requests, which are cut out unread: who is acted for, and what is validated, renewed, cancelled."""

import pytest
from lxml import etree

from sts.core.errors import BadRequest, FormatNotOffered
from sts.core.exchange import TokenProof
from sts.core.model import TokenFormat
from sts.core.trust import (
    TrustAction,
)
from sts.protocols.token_elements import token_element
from sts.protocols.wstrust.names import WS_TRUST_13, Dialect
from tests.crypto.identities import certificate
from tests.protocols.wresults import encrypted, issued
from tests.protocols.wstrust.rsts import (
    DIALECTS,
    REALM,
    SAML11,
    SAML20,
    STATUS,
    applies_to,
    parameter,
    read,
    read_action,
    reference_to,
    x509_token,
)

TARGETS = {
    TrustAction.VALIDATE: "ValidateTarget",
    TrustAction.RENEW: "RenewTarget",
    TrustAction.CANCEL: "CancelTarget",
}


@DIALECTS
@pytest.mark.parametrize("name", ["t:OnBehalfOf", "t14:ActAs"])
@pytest.mark.parametrize(
    ("token", "token_format"),
    [
        (SAML11, TokenFormat.SAML11),
        (SAML20, TokenFormat.SAML20),
        (encrypted(TokenFormat.SAML20).token.decode(), None),
        (encrypted(TokenFormat.SAML11).token.decode(), None),
    ],
)
def test_who_is_acted_for_is_cut_out_byte_for_byte(
    dialect: Dialect, name: str, token: str, token_format: TokenFormat | None
) -> None:
    found = read(dialect, f"<{name}>\n{token}\n</{name}>")
    proof = found.on_behalf_of if name == "t:OnBehalfOf" else found.act_as
    assert proof is not None
    assert proof.format is token_format
    assert etree.tostring(etree.fromstring(proof.token), method="c14n", exclusive=True) == etree.tostring(
        etree.fromstring(token.encode()), method="c14n", exclusive=True
    )
    assert (found.act_as is None) is (name == "t:OnBehalfOf")


@pytest.mark.parametrize("token_format", [TokenFormat.JWT, TokenFormat.SWT])
def test_compact_tokens_are_taken_out_of_their_wrapping(token_format: TokenFormat) -> None:
    sample = issued(token_format)
    found = read(WS_TRUST_13, f"<t:OnBehalfOf>{token_element(sample).decode()}</t:OnBehalfOf>")
    assert found.on_behalf_of == TokenProof(token_format, sample.token)


@pytest.mark.parametrize(
    ("place", "fault"),
    [
        ("<t:OnBehalfOf/>", "0 elements where one belongs"),
        ("<t:OnBehalfOf>alice</t:OnBehalfOf>", "holds text"),
        (f"<t:OnBehalfOf>{SAML20}{SAML11}</t:OnBehalfOf>", "2 elements"),
        ("<t:OnBehalfOf><wsse:UsernameToken/></t:OnBehalfOf>", "is no token that this service reads"),
        (f"<t:OnBehalfOf>{applies_to()}</t:OnBehalfOf>", "is no token that this service reads"),
        (f"<t:OnBehalfOf>{x509_token(certificate('p256'))}</t:OnBehalfOf>", "is no token that this service reads"),
        (f"<t:OnBehalfOf>{reference_to('nowhere')}</t:OnBehalfOf>", "no token in the security header"),
        (
            (
                '<t:OnBehalfOf><wsse:BinarySecurityToken ValueType="urn:ietf:params:oauth:token-type:jwt">?'
                "</wsse:BinarySecurityToken></t:OnBehalfOf>"
            ),
            "cannot be read",
        ),
        (
            (
                '<t:OnBehalfOf><wsse:BinarySecurityToken ValueType="urn:ietf:params:oauth:token-type:jwt"'
                ' EncodingType="urn:hex">AAAA</wsse:BinarySecurityToken></t:OnBehalfOf>'
            ),
            "EncodingType",
        ),
    ],
)
def test_what_is_no_token_is_refused(place: str, fault: str) -> None:
    with pytest.raises(BadRequest, match=fault):
        read(WS_TRUST_13, place)


@DIALECTS
@pytest.mark.parametrize("action", TARGETS)
def test_each_other_action_has_its_target(dialect: Dialect, action: TrustAction) -> None:
    found = read_action(dialect, action, f"<t:{TARGETS[action]}>{SAML20}</t:{TARGETS[action]}>")
    assert found.target is not None
    assert (found.action, found.target.format, found.realm) == (action, TokenFormat.SAML20, None)
    status = f"{dialect.namespace}{STATUS}" if action is TrustAction.VALIDATE else None
    assert (found.token_type, found.format) == (status, None)
    with pytest.raises(BadRequest, match=f"a request of type {action} has {TARGETS[action]}"):
        read_action(dialect, action)
    place = f"<t:{TARGETS[action]}>{SAML20}</t:{TARGETS[action]}>"
    person = f"<t:OnBehalfOf>{SAML11}</t:OnBehalfOf>"
    with pytest.raises(BadRequest, match="goes with the RequestType Issue only"):
        read_action(dialect, action, place, person)


@pytest.mark.parametrize(
    "reference",
    [
        reference_to("_0123456789abcdef0123456789abcdef"),
        (
            '<wsse:SecurityTokenReference><wsse:KeyIdentifier ValueType="http://docs.oasis-open.org/wss/'
            'oasis-wss-saml-token-profile-1.1#SAMLID">_0123456789abcdef0123456789abcdef</wsse:KeyIdentifier>'
            "</wsse:SecurityTokenReference>"
        ),
    ],
)
def test_a_target_may_be_the_token_in_the_security_header(reference: str) -> None:
    place = f"<t:RenewTarget>{reference}</t:RenewTarget>"
    found = read_action(WS_TRUST_13, TrustAction.RENEW, place, security=SAML20)
    assert found.target is not None
    assert found.target.format is TokenFormat.SAML20


def test_to_validate_may_ask_for_another_format_but_a_status_is_nothing_to_issue() -> None:
    target = f"<t:ValidateTarget>{SAML20}</t:ValidateTarget>"
    jwt = parameter("TokenType", TokenFormat.JWT.uri)
    found = read_action(WS_TRUST_13, TrustAction.VALIDATE, target, jwt, applies_to())
    assert (found.token_type, found.format, found.realm) == (TokenFormat.JWT.uri, TokenFormat.JWT, REALM)
    with pytest.raises(FormatNotOffered):
        read(WS_TRUST_13, parameter("TokenType", WS_TRUST_13.namespace + STATUS))
