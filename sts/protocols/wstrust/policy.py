"""What the endpoints of WS-Trust require, as clients read it (WS-Policy 1.2; WS-SecurityPolicy 1.1 and 1.2)."""

from collections.abc import Mapping
from enum import Enum
from typing import Final, NamedTuple

from sts.protocols.rstr import TRUST_13, TRUST_2005
from sts.protocols.wstrust.names import WSP2004, WSU, Credential, Dialect

SP11: Final = "http://schemas.xmlsoap.org/ws/2005/07/securitypolicy"
SP12: Final = "http://docs.oasis-open.org/ws-sx/ws-securitypolicy/200702"

_ADDRESSING_IN_USE: Final = (
    '<wsaw:UsingAddressing xmlns:wsaw="http://www.w3.org/2006/05/addressing/wsdl"></wsaw:UsingAddressing>'
)
_KEY_SIZE: Final = 256  # bits of a proof key that nobody said more about
_REFERENCES: Final = ("MustSupportRefKeyIdentifier", "MustSupportRefIssuerSerial", "MustSupportRefThumbprint")


class Transport(Enum):
    """How messages travel: http is served on loopback alone, and nothing protects it."""

    HTTPS = "https"
    HTTP = "http"


class _Words(NamedTuple):
    """What the version of WS-SecurityPolicy that goes with a version of WS-Trust calls things."""

    namespace: str
    https_token: str
    secret_token: str  # what holds a token that must neither be read nor changed on its way
    trust: str


_WORDS: Final[Mapping[str, _Words]] = {
    TRUST_13: _Words(
        SP12,
        "<sp:HttpsToken><wsp:Policy></wsp:Policy></sp:HttpsToken>",
        "SignedEncryptedSupportingTokens",
        "Trust13",
    ),
    TRUST_2005: _Words(
        SP11, '<sp:HttpsToken RequireClientCertificate="false"></sp:HttpsToken>', "SignedSupportingTokens", "Trust10"
    ),
}


def policy(identifier: str, dialect: Dialect, credential: Credential, transport: Transport) -> str:
    """The policy of an endpoint.

    Over https it has a transport binding with a Timestamp. Over plain http nothing can be promised of the transport,
    so the binding is left out, and the credential is a plain supporting token.
    """
    words = _WORDS[dialect.namespace]
    binding = _transport_binding(words) if transport is Transport.HTTPS else ""
    return (
        f'<wsp:Policy xmlns:wsp="{WSP2004}" xmlns:wsu="{WSU}" xmlns:sp="{words.namespace}" wsu:Id="{identifier}">'
        f"<wsp:ExactlyOne><wsp:All>{binding}{_supporting(words, dialect, credential, transport)}"
        f"{_nested('sp:Wss11', *(_assertion(name) for name in _REFERENCES))}"
        f"{_nested('sp:' + words.trust, _assertion('MustSupportIssuedTokens'))}{_ADDRESSING_IN_USE}"
        "</wsp:All></wsp:ExactlyOne></wsp:Policy>"
    )


def _transport_binding(words: _Words) -> str:
    return _nested(
        "sp:TransportBinding",
        _nested("sp:TransportToken", words.https_token),
        _nested("sp:AlgorithmSuite", _assertion("Basic256Sha256")),
        _nested("sp:Layout", _assertion("Lax")),
        _assertion("IncludeTimestamp"),
    )


def _supporting(words: _Words, dialect: Dialect, credential: Credential, transport: Transport) -> str:
    """The token that says who calls; one with a key signs the Body besides the Timestamp."""
    token = _token(words, dialect, credential)
    if credential in (Credential.USERNAME, Credential.BEARER):
        name = words.secret_token if transport is Transport.HTTPS else "SupportingTokens"
        return _nested(f"sp:{name}", token)
    signed = f"<sp:SignedParts>{_assertion('Body')}</sp:SignedParts>"
    return _nested("sp:EndorsingSupportingTokens", token, signed)


def _token(words: _Words, dialect: Dialect, credential: Credential) -> str:
    included = f'sp:IncludeToken="{words.namespace}/IncludeToken/AlwaysToRecipient"'
    if credential is Credential.USERNAME:
        return _nested("sp:UsernameToken", _assertion("WssUsernameToken10"), attributes=included)
    if credential is Credential.CERTIFICATE:
        return _nested("sp:X509Token", _assertion("WssX509V3Token10"), attributes=included)
    size = f"<t:KeySize>{_KEY_SIZE}</t:KeySize>" if credential is Credential.SYMMETRIC else ""
    return (
        f'<sp:IssuedToken {included}><sp:RequestSecurityTokenTemplate xmlns:t="{dialect.namespace}">'
        f"<t:KeyType>{dialect.key_type(credential.key)}</t:KeyType>{size}</sp:RequestSecurityTokenTemplate>"
        f"<wsp:Policy>{_assertion('RequireInternalReference')}</wsp:Policy></sp:IssuedToken>"
    )


def _assertion(name: str) -> str:
    return f"<sp:{name}></sp:{name}>"


def _nested(name: str, *assertions: str, attributes: str = "") -> str:
    start = f"{name} {attributes}".rstrip()
    return f"<{start}><wsp:Policy>{''.join(assertions)}</wsp:Policy></{name}>"
