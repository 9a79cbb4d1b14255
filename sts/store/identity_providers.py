"""Identity providers."""

from dataclasses import replace
from typing import Any, Final

import sqlalchemy as sa

from sts.core.errors import Conflict
from sts.core.model import ContentEncryption, IdentityProvider, Namespace, PartnerCertificate, ProviderKind
from sts.store import metadata_refreshes, metadata_sources, partner_certificates, rows, sessions, tables
from sts.store.changes import Change, ChangeKind
from sts.store.tables import identity_provider as _TABLE

_PLAIN: Final = (
    *("issuer", "sign_in_url", "sign_out_url", "display_name", "image"),
    *("enabled", "unsolicited", "allow_sha1"),
)


def find(connection: sa.Connection, namespace: Namespace, name: str) -> IdentityProvider:
    """Answer the identity provider of this name; raises NotFound."""
    for provider in _load(connection, namespace, _TABLE.c.name == name):
        return provider
    raise rows.missing(_TABLE, namespace, name)


def list_all(connection: sa.Connection, namespace: Namespace) -> tuple[IdentityProvider, ...]:
    """Answer the identity providers of the namespace, by name."""
    return _load(connection, namespace, sa.true())


def save(change: Change, namespace: Namespace, provider: IdentityProvider) -> IdentityProvider:
    """Store the identity provider; one with id 0 is new and is answered with its id; raises Conflict, NotFound."""
    if provider.id:
        before = rows.stored(change.connection, _TABLE, namespace, provider, "name")
        _touch(change, namespace, before)
        gone = _taken_away(change, provider)
        distrusts = any(each.not_after >= change.now for each in gone)  # whoever had its key could sign anybody in
        if not provider.enabled or before != provider.name or distrusts:
            sessions.end_of_provider(change, namespace, before)
        elif gone:
            sessions.outlive(change, namespace, before, [each.der for each in gone])
    values = {name: getattr(provider, name) for name in _PLAIN} | {
        "kind": provider.kind,
        "email_domains": list(provider.email_domains),
        "decryption": provider.decryption,
        "metadata_source": metadata_sources.written(provider.metadata),
    }
    provider = replace(provider, id=rows.store(change.connection, _TABLE, namespace, provider, values))
    partner_certificates.save(change.connection, _TABLE, provider.id, provider.certificates)
    metadata_refreshes.follow(change, _TABLE, provider.id, provider.metadata)
    _touch(change, namespace, provider.name)
    return provider


def _taken_away(change: Change, provider: IdentityProvider) -> list[PartnerCertificate]:
    """The certificates that it has no more, expired ones too."""
    known = partner_certificates.by_owner(change.connection, _TABLE, _TABLE.c.id == provider.id)
    kept = {certificate.der for certificate in provider.certificates}
    return [each for each in known.get(provider.id, ()) if each.der not in kept]


def delete(change: Change, namespace: Namespace, provider: IdentityProvider) -> None:
    """Delete the identity provider; raises Conflict while a relying party lets people sign in there, NotFound."""
    link, user = tables.relying_party_identity_provider, tables.relying_party
    used = link.c.identity_provider_id == provider.id
    for name in change.connection.scalars(
        sa.select(user.c.name).join_from(user, link).where(used).order_by(user.c.name).limit(1)
    ):
        raise Conflict(f"the identity provider '{provider.name}' is used by the relying party '{name}'")
    rows.remove(change.connection, _TABLE, namespace, provider)
    sessions.end_of_provider(change, namespace, provider.name)
    _touch(change, namespace, provider.name)


def _touch(change: Change, namespace: Namespace, name: str) -> None:
    change.touch(namespace, ChangeKind.IDENTITY_PROVIDER, name)


def _load(
    connection: sa.Connection, namespace: Namespace, condition: sa.ColumnElement[bool]
) -> tuple[IdentityProvider, ...]:
    wanted = sa.and_(_TABLE.c.namespace_id == namespace.id, condition)
    certificates = partner_certificates.by_owner(connection, _TABLE, wanted)
    return tuple(
        IdentityProvider(
            id=row.id,
            name=row.name,
            **{name: getattr(row, name) for name in _PLAIN},
            kind=ProviderKind(row.kind),
            certificates=certificates.get(row.id, ()),
            email_domains=tuple(row.email_domains),
            decryption=_content_encryption(row),
            metadata=metadata_sources.read(row.metadata_source),
        )
        for row in connection.execute(sa.select(_TABLE).where(wanted).order_by(_TABLE.c.name))
    )


def _content_encryption(row: sa.Row[Any]) -> ContentEncryption | None:
    return ContentEncryption(row.decryption) if row.decryption else None
