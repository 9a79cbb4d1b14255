"""The signed federation metadata of a namespace (WS-Federation 1.2, 3; SAML 2.0 metadata; acs.md, part 7)."""

from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from sts.core.claims import IDENTITY_PROVIDER, NAME_IDENTIFIER
from sts.core.model import ContentEncryption
from sts.core.ports import Signer
from sts.core.uris import JWT_TOKEN, SAML11_TOKEN, SAML20_TOKEN, SWT_TOKEN
from sts.crypto.encrypted_element import CONTENT_METHODS, RSA_OAEP
from sts.crypto.xml import NS, escape_attribute, escape_text, parse
from sts.crypto.xmldsig import sign_element
from sts.protocols.addresses import WS_FEDERATION, WS_TRUST_13, WS_TRUST_MEX

TOKEN_TYPES: Final = (SAML20_TOKEN, SAML11_TOKEN, JWT_TOKEN, SWT_TOKEN)

_PREFIXES = "".join(f' xmlns:{prefix}="{NS[prefix]}"' for prefix in ("xsi", "fed", "auth", "wsa", "ds"))
_ENCRYPTION_METHODS = "".join(  # what an identity provider may encrypt with; which one of them is pinned for each
    f'<EncryptionMethod Algorithm="{method}"/>'
    for method in (
        CONTENT_METHODS[ContentEncryption.AES256_GCM],
        CONTENT_METHODS[ContentEncryption.AES256_CBC],
        RSA_OAEP,
    )
)
_SAML20_PROTOCOL = "urn:oasis:names:tc:SAML:2.0:protocol"
_PASSIVE_2003 = "http://schemas.xmlsoap.org/ws/2003/07/secext"
_SAML20_BINDINGS = "urn:oasis:names:tc:SAML:2.0:bindings:"
_BINDINGS = (_PASSIVE_2003, f"{_SAML20_BINDINGS}HTTP-Redirect", f"{_SAML20_BINDINGS}HTTP-POST")
_MEX = "http://schemas.xmlsoap.org/ws/2004/09/mex"
_UNSPECIFIED_NAME = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
_SIGNATURE_START, _SIGNATURE_END = b"<ds:Signature ", b"</ds:Signature>"


@dataclass(frozen=True, slots=True)
class MetadataDescription:
    """What the document says; which certificates and in which order is decided in `core.credentials`."""

    issuer: str  # ends in a slash; the addresses of section 6 of the design follow from it
    signing_certificates: tuple[bytes, ...]  # DER, the one that signs first
    decryption_certificates: tuple[bytes, ...] = ()  # DER, the one to encrypt to first
    claim_types: tuple[str, ...] = (NAME_IDENTIFIER, IDENTITY_PROVIDER)
    token_types: tuple[str, ...] = TOKEN_TYPES


def build(description: MetadataDescription, signer: Signer) -> bytes:
    """Write and sign the document: the same bytes for the same content, as far as the signature is deterministic.

    Raises NoSigningCertificate for a symmetric signer, UnwritableClaim for text that XML cannot carry.
    """
    roles = _token_service(description) + _application_service(description) + _identity_provider(description)
    entity = escape_attribute(description.issuer)
    identifier = "_" + sha256(f"{entity} {roles}".encode()).hexdigest()
    start = f'<EntityDescriptor xmlns="{NS["md"]}"{_PREFIXES} ID="{identifier}" entityID="{entity}">'
    before, after = start.encode(), f"{roles}</EntityDescriptor>".encode()
    return before + _signature(before + after, identifier, signer) + after


def _signature(document: bytes, identifier: str, signer: Signer) -> bytes:
    """The signature alone, to be put into the document as it is.

    The canonical form would not do: it has no place for the declaration of `fed`, which only `xsi:type` uses there.
    """
    signed = sign_element(parse(document), identifier, signer, 0)
    return signed[signed.index(_SIGNATURE_START) : signed.index(_SIGNATURE_END) + len(_SIGNATURE_END)]


def _token_service(description: MetadataDescription) -> str:
    """Towards relying parties: the keys that sign, what tokens are there, where to ask."""
    offered_tokens = _each("fed:TokenType", description.token_types)
    offered_claims = _each("auth:ClaimType", description.claim_types, ' Optional="true"')
    services = (description.issuer + path for path in WS_TRUST_13)
    described = _described_at(description.issuer + WS_TRUST_MEX)
    return _role(
        "fed:SecurityTokenServiceType",
        _keys("signing", description.signing_certificates),
        f"<fed:TokenTypesOffered>{offered_tokens}</fed:TokenTypesOffered>",
        f"<fed:ClaimTypesOffered>{offered_claims}</fed:ClaimTypesOffered>",
        _endpoint("fed:TargetScopes", description.issuer),
        *(_endpoint("fed:SecurityTokenServiceEndpoint", service, described) for service in services),
        _endpoint("fed:PassiveRequestorEndpoint", description.issuer + WS_FEDERATION),
    )


def _application_service(description: MetadataDescription) -> str:
    """Towards identity providers: the keys to encrypt to, where to send people back."""
    return _role(
        "fed:ApplicationServiceType",
        _keys("encryption", description.decryption_certificates, _ENCRYPTION_METHODS),
        _endpoint("fed:TargetScopes", description.issuer),
        _endpoint("fed:ApplicationServiceEndpoint", description.issuer + WS_FEDERATION),
        _endpoint("fed:PassiveRequestorEndpoint", description.issuer + WS_FEDERATION),
    )


def _identity_provider(description: MetadataDescription) -> str:
    """The keys that sign once more, for software that looks for them in this role alone.

    It names WS-Federation as an older profile does (the binding of 2003); the SAML protocol is named because some
    readers skip a role without it, and an AuthnRequest is refused with a sentence that says so.
    """
    address = escape_attribute(description.issuer + WS_FEDERATION)
    sign_in = (f'<SingleSignOnService Binding="{binding}" Location="{address}"/>' for binding in _BINDINGS)
    return (
        f'<IDPSSODescriptor protocolSupportEnumeration="{_SAML20_PROTOCOL} {NS["fed"]} {_PASSIVE_2003}">'
        f"{_keys('signing', description.signing_certificates)}"
        f'<SingleLogoutService Binding="{_PASSIVE_2003}" Location="{address}"/>'
        f"<NameIDFormat>{_UNSPECIFIED_NAME}</NameIDFormat>{''.join(sign_in)}</IDPSSODescriptor>"
    )


def _role(role_type: str, *parts: str) -> str:
    return (
        f'<RoleDescriptor xsi:type="{role_type}" protocolSupportEnumeration="{NS["fed"]}">'
        f"{''.join(parts)}</RoleDescriptor>"
    )


def _keys(use: str, certificates: Iterable[bytes], methods: str = "") -> str:
    return "".join(
        f'<KeyDescriptor use="{use}"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>{b64encode(der).decode()}'
        f"</ds:X509Certificate></ds:X509Data></ds:KeyInfo>{methods}</KeyDescriptor>"
        for der in certificates
    )


def _each(element: str, uris: Iterable[str], attributes: str = "") -> str:
    return "".join(f'<{element} Uri="{escape_attribute(uri)}"{attributes}/>' for uri in uris)


def _endpoint(element: str, address: str, metadata: str = "") -> str:
    return (
        f"<{element}><wsa:EndpointReference><wsa:Address>{escape_text(address)}</wsa:Address>{metadata}"
        f"</wsa:EndpointReference></{element}>"
    )


def _described_at(address: str) -> str:
    """Where an endpoint is described (WS-Addressing 1.0 Core, 2.1; WS-MetadataExchange 2004/09, 3)."""
    return (
        f'<wsa:Metadata><mex:Metadata xmlns:mex="{_MEX}"><mex:MetadataSection Dialect="{_MEX}"><mex:MetadataReference>'
        f"<wsa:Address>{escape_text(address)}</wsa:Address></mex:MetadataReference></mex:MetadataSection>"
        "</mex:Metadata></wsa:Metadata>"
    )
