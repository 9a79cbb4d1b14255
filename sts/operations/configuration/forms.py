"""How stored things are written in a configuration file: the keys of the file, for exports and for comparing."""

from collections.abc import Callable, Collection, Mapping

from sts.core.model import (
    ClaimPattern,
    IdentityProvider,
    Kind,
    MetadataSource,
    Namespace,
    PartnerCertificate,
    ProviderKind,
    RelyingParty,
    RingPolicy,
    Rule,
    RuleGroup,
    ServiceIdentity,
    TokenFormat,
)
from sts.core.spans import format_span
from sts.crypto import certificates

Form = dict[str, object]
_KEPT_OF_SOURCES = ("entity_id", "overrides", "waiting", "vanished", "signers", "signed")  # never written to a file
WriteCertificate = Callable[[PartnerCertificate], str]


def certificate_text(certificate: PartnerCertificate) -> str:
    """A certificate in full, as PEM text."""
    return certificates.pem(certificate.der).decode("ascii")


def certificate_name(certificate: PartnerCertificate) -> str:
    """A certificate in a message: its subject and its thumbprint."""
    return f"{certificate.subject} ({certificate.thumbprint})"


def relying_party_form(party: RelyingParty, write: WriteCertificate) -> Form:
    """Every key of a relying party but its credentials."""
    is_jwt = party.token_format is TokenFormat.JWT
    certificate = party.encryption_certificate
    return {
        "name": party.name,
        "realm": party.realm,
        "token_format": str(party.token_format),
        "signing": str(party.signing if is_jwt else Kind.CERTIFICATE),
        "token_lifetime": int(party.token_lifetime.total_seconds()),
        "reply": list(party.reply),
        "error_url": party.error_url,
        "encryption": "required" if party.encryption_required else "none",
        "encryption_certificate": None if certificate is None else write(certificate),
        "encryption_algorithm": str(party.encryption_algorithm),
        "proof_of_possession": party.proof_of_possession,
        "managed": party.managed,
        "enabled": party.enabled,
        "jwt_type": party.jwt_type,
        "identity_providers": list(party.identity_providers),
        "rule_groups": list(party.rule_groups),
        **_source_form(party.metadata, write),
    }


def identity_provider_form(provider: IdentityProvider, write: WriteCertificate) -> Form:
    """Every key of an identity provider."""
    return {
        "name": provider.name,
        "kind": str(provider.kind),
        "issuer": provider.issuer,
        "sign_in_url": provider.sign_in_url,
        "sign_out_url": provider.sign_out_url,
        "certificates": [write(certificate) for certificate in provider.certificates],
        "email_domains": list(provider.email_domains),
        "display_name": provider.display_name,
        "image": provider.image,
        "enabled": provider.enabled,
        "unsolicited": provider.unsolicited,
        "allow_sha1": provider.allow_sha1,
        "decryption": "none" if provider.decryption is None else str(provider.decryption),
        **_source_form(provider.metadata, write),
    }


def service_identity_form(identity: ServiceIdentity, write: WriteCertificate) -> Form:
    """Every key of a service identity but its secrets."""
    return {
        "name": identity.name,
        "certificate": None if identity.certificate is None else write(identity.certificate),
        "enabled": identity.enabled,
        "swt_without_expiry": identity.swt_without_expiry,
        "interactive": identity.interactive,
        "may_act": identity.may_act,
        "recoverable_password": identity.recoverable_password,
    }


def rule_group_form(group: RuleGroup) -> Form:
    """Every key of a rule group."""
    return {"name": group.name, "rules": [_rule_form(rule) for rule in group.rules]}


def namespace_form(namespace: Namespace) -> Form:
    """The keys of the namespace itself."""
    return {
        "hosts": list(namespace.hosts),
        "session": format_span(namespace.session),
        "rollover": {ring: _policy_form(policy) for ring, policy in namespace.rollover.items()},
    }


def without_documented(form: Form, documented: Collection[str], source: MetadataSource | None) -> Form:
    """What is left of a form when what the partner's own document says is left away, and what waits in it."""
    if source is None:
        return {key: value for key, value in form.items() if key not in _KEPT_OF_SOURCES}
    told = {*documented} - {*source.overrides}
    return {key: value for key, value in form.items() if key not in told and key not in _KEPT_OF_SOURCES}


def without_defaults(form: Form, defaults: Mapping[str, object]) -> Form:
    """What is left of a form when whatever an absent key means is left away."""
    return {key: value for key, value in form.items() if key not in defaults or value != defaults[key]}


def _source_form(source: MetadataSource | None, write: WriteCertificate) -> Form:
    """The one key of the file, and what is kept of the document besides."""
    if source is None:
        absent: Form = {"metadata": None, "entity_id": None, "overrides": [], "waiting": []}
        return {**absent, "vanished": [], "signers": [], "signed": False}
    return {
        "metadata": source.location,
        "entity_id": source.entity_id,
        "overrides": list(source.overrides),
        "waiting": [*map(write, source.pending), *source.pending_reply, *source.withheld],
        "vanished": list(source.vanished),
        "signers": [write(certificate) for certificate in source.signers],
        "signed": source.signed,
    }


_BLANK_PARTY = RelyingParty(id=0, name="", realm="", token_format=TokenFormat.JWT)
_BLANK_PROVIDER = IdentityProvider(id=0, name="", kind=ProviderKind.WS_FEDERATION)
_BLANK_IDENTITY = ServiceIdentity(id=0, name="")
_REQUIRED = ("name", "realm", "token_format")


def _defaults(form: Form) -> Form:
    return {key: value for key, value in form.items() if key not in _REQUIRED}


RELYING_PARTY_DEFAULTS: Mapping[str, object] = _defaults(relying_party_form(_BLANK_PARTY, certificate_name))
IDENTITY_PROVIDER_DEFAULTS: Mapping[str, object] = _defaults(identity_provider_form(_BLANK_PROVIDER, certificate_name))
SERVICE_IDENTITY_DEFAULTS: Mapping[str, object] = _defaults(service_identity_form(_BLANK_IDENTITY, certificate_name))


def _policy_form(policy: RingPolicy) -> Form:
    form: Form = {
        "automatic": policy.automatic,
        "lifetime": format_span(policy.lifetime),
        "lead": format_span(policy.lead),
        "turn": format_span(policy.turn),
        "key_type": None if policy.key_type is None else str(policy.key_type),
    }
    return {key: value for key, value in form.items() if value is not None}


def _rule_form(rule: Rule) -> Form:
    form: Form = {"input": _pattern_form(rule.input)}
    if rule.condition is not None:
        form["and"] = _pattern_form(rule.condition)
    output = {"type": rule.output_type, "value": rule.output_value}
    written = {key: value for key, value in output.items() if value is not None}
    return {**form, "output": written} if written else form


def _pattern_form(pattern: ClaimPattern) -> Form:
    form = {"issuer": pattern.issuer, "type": pattern.type, "value": pattern.value}
    return {key: value for key, value in form.items() if value is not None}
