"""Writes a namespace as a configuration file that `apply` accepts again; secrets are left out and named."""

from collections.abc import Collection, Iterator, Mapping
from typing import Final

import yaml

from sts.core.errors import NotFound
from sts.core.model import Credential, MetadataSource, Origin
from sts.operations.configuration.forms import (
    IDENTITY_PROVIDER_DEFAULTS,
    RELYING_PARTY_DEFAULTS,
    SERVICE_IDENTITY_DEFAULTS,
    Form,
    certificate_text,
    identity_provider_form,
    namespace_form,
    relying_party_form,
    rule_group_form,
    service_identity_form,
    without_defaults,
    without_documented,
)
from sts.operations.configuration.known import load_known
from sts.operations.configuration.model import Known
from sts.operations.installation import Installation
from sts.operations.metadata_merge import PARTY_KEYS, PROVIDER_KEYS

_HEADING: Final = """\
# The namespace {name} without its secrets. `sts apply` takes this file; what is not in it stays as it is.
"""
_LEFT_OUT: Final = "# Not in this file:\n"


def export(installation: Installation, name: str) -> str:
    """The namespace as YAML text; raises NotFound."""
    with installation.database.reading() as connection:
        known = load_known(connection, installation.base_url, name)
    if known.namespace is None:
        raise NotFound(f"there is no namespace '{name}'")
    secrets = "".join(f"# - {line}\n" for line in _secrets(known))
    heading = _HEADING.format(name=name) + (_LEFT_OUT + secrets if secrets else "")
    return heading + dump(_file(known))


def dump(form: Form) -> str:
    """Write plain data so that `document.read_document` reads the same."""
    return yaml.dump(form, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=120)


class _Dumper(yaml.SafeDumper):
    """Writes certificates as blocks, line breaks and the like escaped, and everything where it stands."""

    def ignore_aliases(self, data: object) -> bool:
        return True

    def represent_str(self, data: str) -> yaml.ScalarNode:
        if data.startswith("-----BEGIN"):
            return self.represent_scalar("tag:yaml.org,2002:str", data, style="|")
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=None if data.isprintable() else '"')


_Dumper.add_representer(str, _Dumper.represent_str)


def _file(known: Known) -> Form:
    assert known.namespace is not None  # noqa: S101  the caller has looked
    parties = (
        _documented(relying_party_form(party, certificate_text), party.metadata, RELYING_PARTY_DEFAULTS, PARTY_KEYS)
        for party in known.relying_parties.values()
    )
    providers = (
        _documented(
            identity_provider_form(provider, certificate_text),
            provider.metadata,
            IDENTITY_PROVIDER_DEFAULTS,
            PROVIDER_KEYS,
        )
        for provider in known.identity_providers.values()
    )
    identities = (service_identity_form(identity, certificate_text) for identity in known.service_identities.values())
    return {
        "namespace": known.namespace.name,
        **namespace_form(known.namespace),
        "relying_parties": list(parties),
        "identity_providers": list(providers),
        "service_identities": [without_defaults(form, SERVICE_IDENTITY_DEFAULTS) for form in identities],
        "rule_groups": [rule_group_form(group) for group in known.rule_groups.values()],
    }


def _documented(
    form: Form, source: MetadataSource | None, defaults: Mapping[str, object], documented: Collection[str]
) -> Form:
    """A partner's entry: what its document says is left away, what overrides it stands there even as a default."""
    overrides = () if source is None else source.overrides
    left = {key: value for key, value in defaults.items() if key not in overrides}
    return without_defaults(without_documented(form, documented, source), left)


def _secrets(known: Known) -> Iterator[str]:
    """What the file cannot say, in the order of its sections."""
    for credential in _imported(known.credentials(None)):
        yield f"the imported {_described(credential)} of the namespace"
    for name in known.relying_parties:
        for credential in _living(known.credentials(name)):
            yield f"the {_described(credential)} of relying party {name}"
    for identity in known.service_identities.values():
        if identity.password_hash is not None:
            yield f"the password of service identity {identity.name}"
        if identity.has_symmetric_key:
            yield f"the symmetric key of service identity {identity.name}"


def _living(credentials: tuple[Credential, ...]) -> tuple[Credential, ...]:
    return tuple(c for c in credentials if c.deleted_at is None)


def _imported(credentials: tuple[Credential, ...]) -> tuple[Credential, ...]:
    return tuple(c for c in _living(credentials) if c.origin is Origin.IMPORTED)


def _described(credential: Credential) -> str:
    what = "key" if credential.subject is None else f"certificate {credential.subject!a}"
    return f"{credential.use} {what} {credential.thumbprint}"
