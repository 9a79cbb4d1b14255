"""Metadata documents of partners, in the shapes of the software that writes them: written here, copied from nobody."""

from base64 import encodebytes
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from lxml import etree

from sts.crypto.signer import SoftwareSigner
from sts.crypto.xmldsig import sign_element
from tests.crypto.identities import certificate

ADFS = "http://adfs.contoso.example/adfs/services/trust"
AZURE = "https://sts.azure.example/00000000-1111-2222-3333-444444444444/"
SHIBBOLETH = "https://idp.university.example/idp/shibboleth"
SIMPLESAML = "https://idp.club.example/saml2/idp/metadata.php"
PORTAL = "urn:portal:contoso"
EMAIL = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress"
UPN = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"

WSFED = "http://docs.oasis-open.org/wsfed/federation/200706"
PASSIVE = "http://schemas.xmlsoap.org/ws/2003/07/secext"
PROTOCOL = "urn:oasis:names:tc:SAML:2.0:protocol"
BINDINGS = "urn:oasis:names:tc:SAML:2.0:bindings:"

_NAMESPACES = (
    'xmlns="urn:oasis:names:tc:SAML:2.0:metadata" xmlns:ds="http://www.w3.org/2000/09/xmldsig#" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
)


@dataclass(frozen=True)
class Shape:
    """What a document says; a test changes one field."""

    entity_id: str = ADFS
    signing: tuple[bytes, ...] = (certificate("rsa2048"),)
    encryption: tuple[bytes, ...] = ()
    address: str = "https://adfs.contoso.example/adfs/ls/"
    attributes: str = ""  # of EntityDescriptor
    prefix: str = "fed"
    use: str | None = "signing"  # how the signing keys are marked
    id: str = ""  # made of the entity ID


def adfs(shape: Shape = Shape()) -> bytes:
    """AD FS 2: the application's role first, then the token service, then both SAML roles."""
    fed = shape.prefix
    passive = _endpoint(f"{fed}:PassiveRequestorEndpoint", shape.address)
    trust = "https://adfs.contoso.example/adfs/services/trust"
    return _entity(
        shape,
        f"""
  <RoleDescriptor xsi:type="{fed}:ApplicationServiceType" xmlns:{fed}="{WSFED}"
      protocolSupportEnumeration="http://docs.oasis-open.org/ws-sx/ws-trust/200512 {WSFED}"
      ServiceDisplayName="Contoso sign-in">
    {_keys("encryption", shape.encryption)}
    <{fed}:ClaimTypesRequested>{_claim(EMAIL, "E-Mail")}</{fed}:ClaimTypesRequested>
    <{fed}:TargetScopes>{_address(f"{trust}/2005/issuedtokenmixed")}{_address(shape.entity_id)}</{fed}:TargetScopes>
    {_endpoint(f"{fed}:ApplicationServiceEndpoint", f"{trust}/2005/issued")}
    {passive}
  </RoleDescriptor>
  <RoleDescriptor xsi:type="{fed}:SecurityTokenServiceType" xmlns:{fed}="{WSFED}"
      protocolSupportEnumeration="{WSFED}" ServiceDisplayName="Contoso sign-in">
    {_keys(shape.use, shape.signing)}
    <{fed}:TokenTypesOffered><{fed}:TokenType Uri="urn:oasis:names:tc:SAML:2.0:assertion"/></{fed}:TokenTypesOffered>
    <{fed}:ClaimTypesOffered>{_claim(EMAIL, "E-Mail")}{_claim(UPN, "UPN")}</{fed}:ClaimTypesOffered>
    {_endpoint(f"{fed}:SecurityTokenServiceEndpoint", f"{trust}/13/issued")}
    {passive}
  </RoleDescriptor>
  <SPSSODescriptor protocolSupportEnumeration="{PROTOCOL}">
    {_keys("encryption", shape.encryption)}
    <AssertionConsumerService Binding="{BINDINGS}HTTP-POST" Location="{shape.address}" index="0"/>
  </SPSSODescriptor>
  <IDPSSODescriptor protocolSupportEnumeration="{PROTOCOL}">
    {_keys(shape.use, shape.signing)}
    <SingleSignOnService Binding="{BINDINGS}HTTP-Redirect" Location="{shape.address}"/>
    <Attribute xmlns="urn:oasis:names:tc:SAML:2.0:assertion" Name="{UPN}" FriendlyName="UPN"/>
  </IDPSSODescriptor>""",
    )


def azure(shape: Shape) -> bytes:
    """Azure AD: the token service first, its prefix bound on the role; the same signing keys in every role."""
    role = f'<RoleDescriptor xsi:type="fed:{{}}" protocolSupportEnumeration="{WSFED}" xmlns:fed="{WSFED}">'
    keys, passive = _keys("signing", shape.signing), _endpoint("fed:PassiveRequestorEndpoint", shape.address)
    return _entity(
        shape,
        role.format("SecurityTokenServiceType")
        + f"{keys}<fed:ClaimTypesOffered>{_claim(EMAIL, 'Email')}</fed:ClaimTypesOffered>"
        + f"{_endpoint('fed:SecurityTokenServiceEndpoint', shape.address)}{passive}</RoleDescriptor>"
        + role.format("ApplicationServiceType")
        + f"{keys}{_endpoint('fed:TargetScopes', shape.entity_id)}"
        + f"{_endpoint('fed:ApplicationServiceEndpoint', shape.address)}{passive}</RoleDescriptor>",
    )


def shibboleth(shape: Shape) -> bytes:
    """Shibboleth: comments, an extension with display names in two languages, keys without a use."""
    return _entity(
        shape,
        f"""
  <!-- this is example metadata only: review it before it is used -->
  <IDPSSODescriptor protocolSupportEnumeration="{PROTOCOL} urn:mace:shibboleth:1.0">
    <Extensions>
      <mdui:UIInfo xmlns:mdui="urn:oasis:names:tc:SAML:metadata:ui">
        <mdui:DisplayName xml:lang="de">Universität</mdui:DisplayName>
        <mdui:DisplayName xml:lang="en">The University</mdui:DisplayName>
      </mdui:UIInfo>
    </Extensions>
    {_keys(None, shape.signing)}
    <SingleLogoutService Binding="{BINDINGS}HTTP-Redirect" Location="{shape.address}/SLO"/>
    <SingleSignOnService Binding="urn:mace:shibboleth:1.0:profiles:AuthnRequest" Location="{shape.address}/shib"/>
    <SingleSignOnService Binding="{BINDINGS}HTTP-POST" Location="{shape.address}/POST"/>
    <SingleSignOnService Binding="{BINDINGS}HTTP-Redirect" Location="{shape.address}/Redirect"/>
  </IDPSSODescriptor>
  <AttributeAuthorityDescriptor protocolSupportEnumeration="{PROTOCOL}">
    {_keys(None, shape.signing)}
  </AttributeAuthorityDescriptor>""",
    )


def simplesamlphp(shape: Shape) -> bytes:
    """SimpleSAMLphp: an md: prefix everywhere, certificates on one line, an organisation and a contact at the end."""
    keys = "".join(
        f'<md:KeyDescriptor use="{use}"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>{_base64(der)}'
        "</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
        for use in ("signing", "encryption")
        for der in shape.signing
    )
    return (
        '<?xml version="1.0"?>\n<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" '
        f'xmlns:ds="http://www.w3.org/2000/09/xmldsig#" entityID="{shape.entity_id}" '
        f'ID="{_identifier(shape)}"{shape.attributes}>'
        f'<md:IDPSSODescriptor protocolSupportEnumeration="{PROTOCOL}">{keys}'
        f'<md:SingleSignOnService Binding="{BINDINGS}HTTP-Redirect" Location="{shape.address}"/>'
        "</md:IDPSSODescriptor><md:Organization><md:OrganizationName xml:lang='en'>club</md:OrganizationName>"
        "<md:OrganizationDisplayName xml:lang='en'>The Club</md:OrganizationDisplayName>"
        "<md:OrganizationURL xml:lang='en'>https://club.example/</md:OrganizationURL></md:Organization>"
        '<md:ContactPerson contactType="technical"><md:GivenName>A</md:GivenName></md:ContactPerson>'
        "</md:EntityDescriptor>\n"
    ).encode()


def application(shape: Shape) -> bytes:
    """A relying party, as WIF's tools write one: realm as entity ID and scope, one passive endpoint, a key."""
    return _entity(
        shape,
        f'<RoleDescriptor xsi:type="fed:ApplicationServiceType" xmlns:fed="{WSFED}" '
        f'protocolSupportEnumeration="{WSFED}">'
        + _keys("encryption", shape.encryption)
        + _keys("signing", shape.signing)
        + _endpoint("fed:TargetScopes", shape.entity_id)
        + _endpoint("fed:PassiveRequestorEndpoint", shape.address)
        + "</RoleDescriptor>",
    )


def shibboleth_application(shape: Shape) -> bytes:
    """A Shibboleth service provider: its WS-Federation endpoint among those of SAML, GCM among its algorithms."""
    names = ("http://www.w3.org/2009/xmlenc11#aes256-gcm", "http://www.w3.org/2001/04/xmlenc#aes256-cbc")
    methods = "".join(f'<EncryptionMethod Algorithm="{name}"/>' for name in names)
    keys = _keys(None, shape.encryption).replace("</KeyDescriptor>", f"{methods}</KeyDescriptor>")
    return _entity(
        shape,
        f"""<SPSSODescriptor protocolSupportEnumeration="{PROTOCOL} {PASSIVE}">{keys}
<AssertionConsumerService Binding="{BINDINGS}HTTP-POST" Location="{shape.address}/SAML2/POST" index="1"/>
<AssertionConsumerService Binding="{PASSIVE}" Location="{shape.address}/ADFS" index="2"/>
</SPSSODescriptor>""",
    )


def several(*documents: bytes, attributes: str = "") -> bytes:
    """An aggregate, as a federation publishes it."""
    inner = b"".join(
        document.partition(b"?>")[2] if document.startswith(b"<?xml") else document for document in documents
    )
    start = f'<EntitiesDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" ID="_all"{attributes}>'
    return start.encode() + inner + b"</EntitiesDescriptor>"


def signed(document: bytes, signer: SoftwareSigner) -> bytes:
    """The document with an enveloped signature as its first child; nothing else in it changes."""
    root = etree.fromstring(document)
    whole = sign_element(root, root.get("ID") or "", signer, 0)
    signature = whole[whole.index(b"<ds:Signature ") : whole.index(b"</ds:Signature>") + len(b"</ds:Signature>")]
    start = document.index(b">", document.index(b"Descriptor ")) + 1
    return document[:start] + signature + document[start:]


def _entity(shape: Shape, roles: str) -> bytes:
    head = f'<EntityDescriptor ID="{_identifier(shape)}" entityID="{shape.entity_id}" {_NAMESPACES}{shape.attributes}>'
    return f"{head}{roles}</EntityDescriptor>".encode()


def _identifier(shape: Shape) -> str:
    return shape.id or "_" + sha256(shape.entity_id.encode()).hexdigest()[:12]


def _keys(use: str | None, certificates: Iterable[bytes]) -> str:
    marked = "" if use is None else f' use="{use}"'
    return "".join(
        f"<KeyDescriptor{marked}><ds:KeyInfo><ds:X509Data><ds:X509Certificate>\n{encodebytes(der).decode()}"
        "</ds:X509Certificate></ds:X509Data></ds:KeyInfo></KeyDescriptor>"
        for der in certificates
    )


def _base64(der: bytes) -> str:
    return encodebytes(der).decode().replace("\n", "")


def _claim(uri: str, name: str) -> str:
    return (
        f'<auth:ClaimType Uri="{uri}" Optional="true" xmlns:auth="http://docs.oasis-open.org/wsfed/authorization/200706">'
        f"<auth:DisplayName>{name}</auth:DisplayName></auth:ClaimType>"
    )


def _address(address: str) -> str:
    return (
        '<EndpointReference xmlns="http://www.w3.org/2005/08/addressing">'
        f"<Address>{address}</Address></EndpointReference>"
    )


def _endpoint(name: str, address: str) -> str:
    return f"<{name}>{_address(address)}</{name}>"
