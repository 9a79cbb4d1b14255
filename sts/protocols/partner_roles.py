"""The two roles of a partner in its metadata: what it says as an identity provider, and as a relying party.

WS-Federation 1.2, 3.1; SAML 2.0 metadata, 2.4. Real documents are not schema-valid: what is not understood is passed
over, what would be used and cannot be is refused.
"""

import binascii
from base64 import b64decode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from lxml import etree

from sts.core.addresses import check_url
from sts.core.errors import InvalidMetadata
from sts.core.model import ContentEncryption
from sts.crypto.xml import NS

MAX_KEYS: Final = 32  # of one role
MAX_ADDRESSES: Final = 100
MAX_CLAIM_TYPES: Final = 500
MAX_TEXT: Final = 256  # characters of a display name
MAX_URI: Final = 1024

MD: Final = f"{{{NS['md']}}}"
_FED, _DS, _AUTH, _WSA = (f"{{{NS[prefix]}}}" for prefix in ("fed", "ds", "auth", "wsa"))
_XSI_TYPE: Final = f"{{{NS['xsi']}}}type"
_SAML_NAME: Final = f"{{{NS['saml20']}}}Attribute"
_DISPLAY_NAME: Final = "{urn:oasis:names:tc:SAML:metadata:ui}DisplayName"
_LANGUAGE: Final = "{http://www.w3.org/XML/1998/namespace}lang"
_REDIRECT: Final = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
_POST: Final = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
_PASSIVE: Final = "http://schemas.xmlsoap.org/ws/2003/07/secext"  # how Shibboleth names WS-Federation's
_CONTENT: Final = {
    "http://www.w3.org/2009/xmlenc11#aes256-gcm": ContentEncryption.AES256_GCM,
    NS["xenc"] + "aes256-cbc": ContentEncryption.AES256_CBC,
}

TOKEN_SERVICE: Final = f"{_FED}SecurityTokenServiceType"
APPLICATION: Final = f"{_FED}ApplicationServiceType"
IDP_SSO: Final = f"{MD}IDPSSODescriptor"
SP_SSO: Final = f"{MD}SPSSODescriptor"


@dataclass(frozen=True, slots=True)
class ClaimOffer:
    """A claim type that an identity provider says it gives."""

    type: str
    display_name: str | None = None


@dataclass(frozen=True, slots=True)
class ProviderRole:
    """What a document says of an identity provider; certificates are DER as it has them, not judged."""

    sign_in_url: str | None
    sign_out_url: str | None
    certificates: tuple[bytes, ...] = field(repr=False)
    claims: tuple[ClaimOffer, ...] = ()
    display_name: str | None = None


@dataclass(frozen=True, slots=True)
class ApplicationRole:
    """What a document says of a relying party; certificates are DER as it has them, not judged."""

    realm: str
    reply: tuple[str, ...]
    certificates: tuple[bytes, ...] = field(repr=False)  # to encrypt to, the first it names first
    encryption: ContentEncryption | None = None  # the best that it lists; None: it lists none
    display_name: str | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading of an entity: under which base URL, and what is odd about it."""

    base_url: str
    warnings: list[str]

    def url(self, element: etree._Element, text: str | None) -> str:
        """The address that an endpoint names; raises InvalidMetadata for one that browsers may not be sent to."""
        try:
            return check_url((text or "").strip(), self.base_url)
        except ValueError as error:
            raise InvalidMetadata(f"the {etree.QName(element).localname} of the document: {error}") from error


def resolve_type(role: etree._Element) -> str:
    """What a role is: its xsi:type as {namespace}name, whichever prefix it is written with, or its own tag."""
    if role.tag != f"{MD}RoleDescriptor":
        return str(role.tag)
    prefix, _, name = (role.get(_XSI_TYPE) or "").strip().rpartition(":")
    return f"{{{role.nsmap.get(prefix or None, '')}}}{name}"


def provider_role(entity: etree._Element, types: Sequence[str], reading: Reading) -> ProviderRole | None:
    """The identity provider in an entity whose roles are of these types; None if it plays no such role."""
    services = [role for role, kind in zip(roles(entity), types, strict=True) if kind == TOKEN_SERVICE]
    plain = [role for role, kind in zip(roles(entity), types, strict=True) if kind == IDP_SSO]
    if not services and not plain:
        return None
    sign_in, sign_out = _passive(services, reading) or _single_sign_on(plain, reading)
    everything = (*services, *plain)
    return ProviderRole(
        sign_in_url=sign_in,
        sign_out_url=sign_out,
        certificates=_keys(everything, "signing", reading),
        claims=tuple(_claims(everything)),
        display_name=_name(entity, everything),
    )


def application_role(entity: etree._Element, types: Sequence[str], reading: Reading) -> ApplicationRole | None:
    """The relying party in an entity whose roles are of these types; None if it plays no such role."""
    applications = [role for role, kind in zip(roles(entity), types, strict=True) if kind == APPLICATION]
    plain = [role for role, kind in zip(roles(entity), types, strict=True) if kind == SP_SSO]
    chosen = applications or plain
    if not chosen:
        return None
    scopes = [text for role in applications for text in _addresses(role, "TargetScopes")]
    entity_id = entity.get("entityID") or ""
    listed = {_CONTENT.get(each.get("Algorithm") or "") for role in chosen for each in _encryption_methods(role)}
    return ApplicationRole(
        realm=entity_id if not scopes or entity_id in scopes else scopes[0],
        reply=_reply(applications, plain, reading),
        certificates=_keys(chosen, "encryption", reading),
        encryption=next((each for each in _CONTENT.values() if each in listed), None),
        display_name=_name(entity, chosen),
    )


def signing_keys(entity: etree._Element) -> tuple[bytes, ...]:
    """The certificates that an entity signs with, in whatever role."""
    return _keys(roles(entity), "signing", Reading("", []))


def roles(entity: etree._Element) -> list[etree._Element]:
    """The role descriptors of an entity."""
    return [child for child in entity if child.find(f"{MD}KeyDescriptor") is not None or _is_role(child)]


def _is_role(child: etree._Element) -> bool:
    return child.tag in (f"{MD}RoleDescriptor", IDP_SSO, SP_SSO)


def _passive(services: Iterable[etree._Element], reading: Reading) -> tuple[str, str] | None:
    for service in services:
        for element, text in _endpoints(service, "PassiveRequestorEndpoint"):
            url = reading.url(element, text)
            return url, url
    return None


def _single_sign_on(plain: Iterable[etree._Element], reading: Reading) -> tuple[str | None, str | None]:
    """Some software has one address for both protocols, other software does not."""
    for role in plain:
        found = _by_binding(role.findall(f"{MD}SingleSignOnService"), (_PASSIVE, _REDIRECT, _POST))
        if not found:
            continue
        leave = _by_binding(role.findall(f"{MD}SingleLogoutService"), (_PASSIVE, _REDIRECT, _POST))
        reading.warnings.append(
            "the document names no WS-Federation endpoint: its address of SAML single sign-on is taken; "
            "if that does not understand WS-Federation, set sign_in_url by hand"
        )
        sign_in = reading.url(found[0], found[0].get("Location"))
        return sign_in, reading.url(leave[0], leave[0].get("Location")) if leave else None
    reading.warnings.append("the document names no address to sign in at: set sign_in_url by hand")
    return None, None


def _reply(
    applications: Sequence[etree._Element], plain: Sequence[etree._Element], reading: Reading
) -> tuple[str, ...]:
    passive = [found for role in applications for found in _endpoints(role, "PassiveRequestorEndpoint")]
    if not passive:
        consumers = [each for role in plain for each in role.findall(f"{MD}AssertionConsumerService")]
        passive = [(each, each.get("Location")) for each in _default_first(_by_binding(consumers, (_PASSIVE, _POST)))]
        if passive and passive[0][0].get("Binding") != _PASSIVE:
            reading.warnings.append(
                "the document names no WS-Federation endpoint: its addresses for SAML responses are taken; "
                "if they do not understand WS-Federation, set reply by hand"
            )
    _require_few(len(passive), MAX_ADDRESSES, "reply addresses")
    return tuple(dict.fromkeys(reading.url(element, text) for element, text in passive))


def _by_binding(found: Sequence[etree._Element], bindings: Iterable[str]) -> list[etree._Element]:
    """Those of the first binding that any of them has."""
    chosen = ([each for each in found if each.get("Binding") == binding] for binding in bindings)
    return next((each for each in chosen if each), [])


def _default_first(found: Sequence[etree._Element]) -> list[etree._Element]:
    return sorted(found, key=lambda each: (each.get("isDefault") or "").strip() not in ("true", "1"))


def _endpoints(role: etree._Element, name: str) -> Iterator[tuple[etree._Element, str | None]]:
    for holder in role.findall(f"{_FED}{name}"):
        yield from ((holder, address.text) for address in holder.findall(f"{_WSA}EndpointReference/{_WSA}Address"))


def _addresses(role: etree._Element, name: str) -> Iterator[str]:
    yield from (text.strip() for _, text in _endpoints(role, name) if text is not None and text.strip())


def _keys(found: Iterable[etree._Element], use: str, reading: Reading) -> tuple[bytes, ...]:
    """The certificate of each key; one without a use is for both (threats, M05)."""
    keys = [key for role in found for key in role.findall(f"{MD}KeyDescriptor") if key.get("use", use) == use]
    _require_few(len(keys), MAX_KEYS, f"keys for {use}")
    ders: dict[bytes, None] = {}
    for key in keys:
        text = key.findtext(f"{_DS}KeyInfo/{_DS}X509Data/{_DS}X509Certificate")
        try:
            ders[b64decode("".join((text or "").split()), validate=True)] = None
        except (binascii.Error, ValueError):
            reading.warnings.append(f"a certificate for {use} is not base64 and is passed over")
    if ders.pop(b"", ()) is None:
        reading.warnings.append(f"a key for {use} comes without certificate and is passed over")
    return tuple(ders)


def _encryption_methods(role: etree._Element) -> Iterator[etree._Element]:
    for key in role.findall(f"{MD}KeyDescriptor"):
        if key.get("use", "encryption") == "encryption":
            yield from key.findall(f"{MD}EncryptionMethod")


def _claims(found: Iterable[etree._Element]) -> Iterator[ClaimOffer]:
    offers: dict[str, ClaimOffer] = {}
    for role in found:
        for offer in role.findall(f"{_FED}ClaimTypesOffered/{_AUTH}ClaimType"):
            _add(offers, offer.get("Uri"), offer.findtext(f"{_AUTH}DisplayName"))
        for attribute in role.findall(_SAML_NAME):
            _add(offers, attribute.get("Name"), attribute.get("FriendlyName"))
    yield from offers.values()


def _add(offers: dict[str, ClaimOffer], uri: str | None, name: str | None) -> None:
    uri = (uri or "").strip()
    if uri and uri.isprintable() and len(uri) <= MAX_URI and len(offers) < MAX_CLAIM_TYPES:
        offers.setdefault(uri, ClaimOffer(uri, _line(name)))


def _name(entity: etree._Element, found: Sequence[etree._Element]) -> str | None:
    """What people call it: the role's own name, else that for the discovery page, else the organisation's."""
    own = (role.get("ServiceDisplayName") for role in found)
    shown = _in_english(each for role in found for each in role.findall(f"{MD}Extensions//{_DISPLAY_NAME}"))
    houses = (*found, entity)
    organisation = (e for house in houses for e in house.findall(f"{MD}Organization/{MD}OrganizationDisplayName"))
    return next((line for text in (*own, *shown, *_in_english(organisation)) if (line := _line(text))), None)


def _in_english(found: Iterable[etree._Element]) -> list[str | None]:
    return [each.text for each in sorted(found, key=lambda each: not (each.get(_LANGUAGE) or "").startswith("en"))]


def _line(text: str | None) -> str | None:
    line = " ".join((text or "").split())[:MAX_TEXT].strip()
    return line if line and line.isprintable() else None


def _require_few(count: int, most: int, what: str) -> None:
    if count > most:
        raise InvalidMetadata(f"the document names {count} {what} for one partner; at most {most} are read")
