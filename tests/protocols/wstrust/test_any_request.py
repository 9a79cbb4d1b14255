"""Whatever stands in a request, it is read or refused: nothing else happens to it."""

from hypothesis import given, settings
from hypothesis import strategies as st

from sts.core.errors import StsError
from sts.core.trust import TrustRequest
from sts.crypto.xml import parse
from sts.protocols.wstrust import rst
from sts.protocols.wstrust.names import FEBRUARY_2005, WS_TRUST_13, Dialect
from tests.protocols.wstrust.rsts import REALM, document

NAMES = (
    *("TokenType", "RequestType", "SecondaryParameters", "Claims", "Entropy", "BinarySecret", "Lifetime", "Renewing"),
    *("OnBehalfOf", "KeyType", "KeySize", "ComputedKeyAlgorithm", "UseKey", "Forwardable", "Delegatable", "Issuer"),
    *("ValidateTarget", "RenewTarget", "CancelTarget", "RequestSecurityToken", "RequestSecurityTokenCollection"),
)
OTHERS = (
    *("wsp:AppliesTo", "wsa:EndpointReference", "wsa:Address", "wsu:Created", "wsu:Expires", "t14:ActAs"),
    *("ic:ClaimType", "auth:ClaimType", "auth:Value", "wsse:SecurityTokenReference", "wsse:Reference"),
    *("wsse:KeyIdentifier", "wsse:BinarySecurityToken", "ds:KeyInfo", "ds:X509Data", "ds:X509Certificate"),
    *("ds:KeyValue", "ds:RSAKeyValue", "ds:Modulus", "ds:Exponent"),
)
TEXTS = (
    *("", " ", "x", "256", "-1", "true", "AQAB", "AAAA", "A", REALM, "2026-11-21T22:00:00Z", "9999-12-31T23:59:59Z"),
    *(f"{dialect.namespace}/{name}" for dialect in (WS_TRUST_13, FEBRUARY_2005) for name in ("Issue", "PublicKey")),
    *("urn:ietf:params:oauth:token-type:jwt", "urn:oasis:names:tc:SAML:2.0:assertion", "é"),
)
ATTRIBUTES = (
    *("", "", "", ' Sig="#a"', ' URI="#a"', ' URI="#"', ' Allow="1"', ' OK="maybe"', ' Uri="urn:a"', ' Optional="x"'),
    *(' ValueType="urn:ietf:params:oauth:token-type:jwt"', ' Dialect=" "', ' Context="c"'),
)


def written(tag: str, attribute: str, content: str) -> str:
    return f"<{tag}{attribute}>{content}</{tag}>"


TAGS = st.sampled_from([*(f"t:{name}" for name in NAMES), *OTHERS])
LEAVES = st.builds(written, TAGS, st.sampled_from(ATTRIBUTES), st.sampled_from(TEXTS))
TREES = st.recursive(
    LEAVES,
    lambda inner: st.builds(
        written, TAGS, st.sampled_from(ATTRIBUTES), st.lists(inner, min_size=1, max_size=3).map("".join)
    ),
    max_leaves=6,
)
GIVEN = (
    "<t:RequestType>{ns}/Issue</t:RequestType><wsp:AppliesTo><wsa:EndpointReference>"
    f"<wsa:Address>{REALM}</wsa:Address></wsa:EndpointReference></wsp:AppliesTo>"
)
DIALECTS = st.sampled_from([WS_TRUST_13, FEBRUARY_2005])


@settings(max_examples=300, deadline=None)
@given(DIALECTS, st.lists(TREES, max_size=3).map("".join), st.sampled_from(["", GIVEN]))
def test_any_request_is_read_or_refused(dialect: Dialect, parts: str, known: str) -> None:
    body = f"<t:RequestSecurityToken>{known.replace('{ns}', dialect.namespace)}{parts}</t:RequestSecurityToken>"
    element = parse(document(body, dialect)).find("./{*}Body/*")
    assert element is not None
    try:
        found = rst.parse(element, dialect, frozenset({"a"}))
    except StsError:
        return
    assert all(isinstance(each, TrustRequest) for each in found)
