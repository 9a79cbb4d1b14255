"""The description that WS-Trust clients are generated from: WSDL 1.1 with the policies of all endpoints.

Port types and operations are named as WIF names them, in its namespace: software that has seen another token service
knows them.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from sts.core.trust import TrustAction
from sts.crypto.xml import escape_attribute, escape_text
from sts.protocols.rstr import TRUST_13, TRUST_2005
from sts.protocols.wstrust.names import DIALECTS, WSA10, WSP2004, Credential, Dialect, address
from sts.protocols.wstrust.policy import Transport, policy

WSDL: Final = "http://schemas.xmlsoap.org/wsdl/"
TARGET: Final = "http://schemas.microsoft.com/ws/2008/06/identity/securitytokenservice"
SERVICE: Final = "SecurityTokenService"

_SOAP12: Final = "http://schemas.xmlsoap.org/wsdl/soap12/"
_HTTP: Final = "http://schemas.xmlsoap.org/soap/http"
_WSAM: Final = "http://www.w3.org/2007/05/addressing/metadata"
_WSAW: Final = "http://www.w3.org/2006/05/addressing/wsdl"
_XSD: Final = "http://www.w3.org/2001/XMLSchema"
_NAMESPACES: Final[Mapping[str, str]] = {
    "wsdl": WSDL,
    "tns": TARGET,
    "soap12": _SOAP12,
    "wsa10": WSA10,
    "wsam": _WSAM,
    "wsaw": _WSAW,
    "wsp": WSP2004,
    "xs": _XSD,
    "trust": TRUST_13,
    "t": TRUST_2005,
}
_PREFIXES: Final[Mapping[str, str]] = {TRUST_13: "trust", TRUST_2005: "t"}
_VERSIONS: Final[Mapping[str, str]] = {TRUST_13: "Trust13", TRUST_2005: "TrustFeb2005"}
_CREDENTIALS: Final[Mapping[Credential, str]] = {
    Credential.USERNAME: "UserName",
    Credential.CERTIFICATE: "Certificate",
    Credential.BEARER: "IssuedTokenBearer",
    Credential.SYMMETRIC: "IssuedTokenSymmetric",
    Credential.ASYMMETRIC: "IssuedTokenAsymmetric",
}
_MORE: Final = '<xs:anyAttribute namespace="##other" processContents="lax"/>'
_OTHERS: Final = '<xs:any namespace="##other" processContents="lax"/>'  # AppliesTo, ActAs
_HOLDER: Final = (  # of a token, a key, or a reference to one
    '<xs:sequence><xs:any namespace="##any" processContents="lax" minOccurs="0" maxOccurs="unbounded"/></xs:sequence>'
    '<xs:anyAttribute processContents="lax"/>'  # Dialect, Allow, Sig
)
_KEYED: Final = ("Entropy", "RequestedProofToken")  # hold a key, or say how it is computed
_BOTH: Final[Mapping[str, str | None]] = {  # what requests and responses hold; None: an element that holds others
    "TokenType": "xs:anyURI",
    "RequestType": "xs:anyURI",
    "KeyType": "xs:anyURI",
    "KeySize": "xs:unsignedInt",
    "Lifetime": None,
    "Entropy": None,
}
_ASKED: Final[Mapping[str, str | None]] = {
    **_BOTH,
    "ComputedKeyAlgorithm": "xs:anyURI",
    **dict.fromkeys(("Claims", "OnBehalfOf", "UseKey", "ValidateTarget", "RenewTarget", "CancelTarget")),
    **dict.fromkeys(("SecondaryParameters", "Renewing", "Issuer")),
    **dict.fromkeys(("Forwardable", "Delegatable"), "xs:boolean"),
    **dict.fromkeys(("SignWith", "EncryptWith", "SignatureAlgorithm", "EncryptionAlgorithm"), "xs:anyURI"),
    **dict.fromkeys(("CanonicalizationAlgorithm", "KeyWrapAlgorithm"), "xs:anyURI"),
}
_ANSWERED: Final[Mapping[str, str | None]] = {
    **_BOTH,
    **dict.fromkeys(("RequestedSecurityToken", "RequestedProofToken", "RequestedTokenCancelled", "Renewing")),
    **dict.fromkeys(("RequestedAttachedReference", "RequestedUnattachedReference")),
}
_SECRET: Final = (
    '<xs:element name="BinarySecret"><xs:complexType><xs:simpleContent><xs:extension base="xs:base64Binary">'
    '<xs:attribute name="Type" type="xs:anyURI"/></xs:extension></xs:simpleContent></xs:complexType></xs:element>'
)
_STATUS: Final = (
    '<xs:element name="Status"><xs:complexType><xs:sequence><xs:element name="Code" type="xs:anyURI"/>'
    '<xs:element name="Reason" type="xs:string" minOccurs="0"/></xs:sequence></xs:complexType></xs:element>'
)


class _Operation(NamedTuple):
    """One thing that can be asked for in one version of WS-Trust."""

    dialect: Dialect
    action: TrustAction

    @property
    def name(self) -> str:
        return f"{_VERSIONS[self.dialect.namespace]}{self.action}"

    @property
    def asks(self) -> str:
        """The Action of its request."""
        return f"{self.dialect.namespace}/RST/{self.action}"

    @property
    def answers(self) -> str:
        """The Action of its answer."""
        return self.dialect.answer_action(self.action, 1)

    @property
    def answer(self) -> str:
        """The element of its answer: in WS-Trust 1.3 issued tokens come in a collection (4.3)."""
        collected = self.dialect.namespace == TRUST_13 and self.action is TrustAction.ISSUE
        return "RequestSecurityTokenResponse" + ("Collection" if collected else "")


def document(issuer: str) -> bytes:
    """The description of a namespace's endpoints, whose addresses are below its issuer; that ends in a slash."""
    transport = Transport.HTTP if issuer.lower().startswith("http:") else Transport.HTTPS
    declared = "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in _NAMESPACES.items())
    policies = (
        policy(_policy_id(dialect, credential), dialect, credential, transport) for dialect, credential in _ENDPOINTS
    )
    parts = (
        *policies,
        f"<wsdl:types>{''.join(map(_schema, DIALECTS))}</wsdl:types>",
        *map(_messages, _OPERATIONS),
        *map(_port_type, DIALECTS),
        *(_binding(dialect, credential) for dialect, credential in _ENDPOINTS),
        f'<wsdl:service name="{SERVICE}">{"".join(_ports(issuer))}</wsdl:service>',
    )
    start = f'<wsdl:definitions{declared} name="{SERVICE}" targetNamespace="{TARGET}">'
    return f"{start}{''.join(parts)}</wsdl:definitions>".encode()


_OPERATIONS: Final = tuple(_Operation(dialect, action) for dialect in DIALECTS for action in TrustAction)
_ENDPOINTS: Final = tuple((dialect, credential) for dialect in DIALECTS for credential in Credential)


def _schema(dialect: Dialect) -> str:
    """The messages of a version, their elements in any order, as WS-Trust 1.3, 3.1 and 3.2 have them."""
    prefix = _PREFIXES[dialect.namespace]
    response = f"{prefix}:RequestSecurityTokenResponse"
    collection = (
        '<xs:element name="RequestSecurityTokenResponseCollection"><xs:complexType><xs:sequence>'
        f'<xs:element ref="{response}" maxOccurs="unbounded"/></xs:sequence>{_MORE}</xs:complexType></xs:element>'
    )
    return (
        f'<xs:schema xmlns:xs="{_XSD}" xmlns:{prefix}="{dialect.namespace}" targetNamespace="{dialect.namespace}" '
        f'elementFormDefault="qualified">{_message("RequestSecurityToken", prefix, _ASKED)}'
        f"{_message('RequestSecurityTokenResponse', prefix, (*_ANSWERED, 'Status'))}"
        f"{collection if dialect.namespace == TRUST_13 else ''}"
        f"{''.join(_part(name, prefix, kind) for name, kind in {**_ASKED, **_ANSWERED}.items())}"
        f'<xs:element name="ComputedKey" type="xs:anyURI"/>{_SECRET}{_STATUS}</xs:schema>'
    )


def _message(name: str, prefix: str, parts: Iterable[str]) -> str:
    choices = "".join(f'<xs:element ref="{prefix}:{part}"/>' for part in parts)
    return _element(
        name,
        f'<xs:choice minOccurs="0" maxOccurs="unbounded">{choices}{_OTHERS}</xs:choice>'
        f'<xs:attribute name="Context" type="xs:anyURI"/>{_MORE}',
    )


def _part(name: str, prefix: str, kind: str | None) -> str:
    if kind is not None:
        return f'<xs:element name="{name}" type="{kind}"/>'
    if name not in _KEYED:
        return _element(name, _HOLDER)
    choices = "".join(f'<xs:element ref="{prefix}:{key}"/>' for key in ("BinarySecret", "ComputedKey"))
    return _element(
        name, f'<xs:choice minOccurs="0">{choices}{_OTHERS}</xs:choice><xs:anyAttribute processContents="lax"/>'
    )


def _element(name: str, content: str) -> str:
    return f'<xs:element name="{name}"><xs:complexType>{content}</xs:complexType></xs:element>'


def _messages(operation: _Operation) -> str:
    prefix = _PREFIXES[operation.dialect.namespace]
    return "".join(
        f'<wsdl:message name="{operation.name}{suffix}"><wsdl:part name="{part}" element="{prefix}:{element}"/>'
        "</wsdl:message>"
        for suffix, part, element in (
            ("Request", "request", "RequestSecurityToken"),
            ("Response", "response", operation.answer),
        )
    )


def _port_type_name(dialect: Dialect) -> str:
    return f"IWS{_VERSIONS[dialect.namespace]}Sync"


def _port_type(dialect: Dialect) -> str:
    operations = "".join(
        f'<wsdl:operation name="{operation.name}">'
        f"{_end('input', operation.asks, operation.name + 'Request')}"
        f"{_end('output', operation.answers, operation.name + 'Response')}</wsdl:operation>"
        for operation in _of(dialect)
    )
    return f'<wsdl:portType name="{_port_type_name(dialect)}">{operations}</wsdl:portType>'


def _end(element: str, action: str, message: str) -> str:
    """One message of an operation, with its Action for old readers and new ones."""
    return f'<wsdl:{element} wsaw:Action="{action}" wsam:Action="{action}" message="tns:{message}"/>'


def _binding(dialect: Dialect, credential: Credential) -> str:
    operations = "".join(
        f'<wsdl:operation name="{operation.name}"><soap12:operation soapAction="{operation.asks}" style="document"/>'
        '<wsdl:input><soap12:body use="literal"/></wsdl:input><wsdl:output><soap12:body use="literal"/></wsdl:output>'
        "</wsdl:operation>"
        for operation in _of(dialect)
    )
    return (
        f'<wsdl:binding name="{_binding_name(dialect, credential)}" type="tns:{_port_type_name(dialect)}">'
        f'<wsp:PolicyReference URI="#{_policy_id(dialect, credential)}"/>'
        f'<soap12:binding transport="{_HTTP}" style="document"/>{operations}</wsdl:binding>'
    )


def _ports(issuer: str) -> Iterable[str]:
    for dialect, credential in _ENDPOINTS:
        name, location = _binding_name(dialect, credential), issuer + address(dialect, credential)
        yield (
            f'<wsdl:port name="{name}" binding="tns:{name}"><soap12:address location="{escape_attribute(location)}"/>'
            f"<wsa10:EndpointReference><wsa10:Address>{escape_text(location)}</wsa10:Address>"
            "</wsa10:EndpointReference></wsdl:port>"
        )


def _of(dialect: Dialect) -> Iterable[_Operation]:
    return (operation for operation in _OPERATIONS if operation.dialect is dialect)


def _binding_name(dialect: Dialect, credential: Credential) -> str:
    return f"{_CREDENTIALS[credential]}WS{_VERSIONS[dialect.namespace]}"


def _policy_id(dialect: Dialect, credential: Credential) -> str:
    return f"{_binding_name(dialect, credential)}_policy"
