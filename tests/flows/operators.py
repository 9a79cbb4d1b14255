"""What an operator does to the world's credentials, in the words of the flows."""

from dataclasses import replace
from datetime import datetime, timedelta

from sts.core.model import Credential, KeyType, Kind, Use
from sts.operations import credential_states, new_credentials
from sts.operations.credential_states import Breakage
from sts.operations.new_credentials import CertificateOrder, KeyOrder
from sts.operations.rings import Outcome, RingName, Selection
from tests.flows.world import World

NAMESPACE = RingName("contoso")
KEYS = RingName("contoso", kind=Kind.SYMMETRIC)
DECRYPTION = RingName("contoso", use=Use.DECRYPTION)


def ring_of(party: str) -> RingName:
    """The ring of the namespace that signs for one of the world's relying parties."""
    return KEYS if party in ("swt", "hs256") else NAMESPACE


def dedicated(party: str) -> RingName:
    """The ring of that kind which is the relying party's own."""
    return replace(ring_of(party), relying_party=party)


def generate(
    world: World,
    ring: RingName,
    *,
    begin: datetime | None = None,
    days: float = 730,
    key_type: KeyType = KeyType.P256,
) -> Credential:
    """Make a credential; decryption certificates are RSA whatever is asked for, others quick to make."""
    begin = begin or world.now.replace(microsecond=0)
    life = timedelta(days=days)
    if ring.kind is Kind.SYMMETRIC:
        made = new_credentials.generate_key(world.service.installation, KeyOrder(ring, begin, begin + life), world.now)
    else:
        kind = KeyType.RSA2048 if ring.use is Use.DECRYPTION else key_type
        order = CertificateOrder(ring, lifetime=life, key_type=kind, not_before=begin)
        made = new_credentials.generate_certificate(world.service.installation, order, world.now)
    return held(world, made)


def held(world: World, outcome: Outcome) -> Credential:
    """The credential behind a row, as requests see it."""
    party = outcome.row.relying_party
    everything = world.namespace.credentials if party is None else world.relying_party(party).credentials
    return next(c for c in everything if c.thumbprint_sha256 == outcome.row.thumbprint_sha256)


def promote(world: World, ring: RingName, chosen: Credential, at: datetime | None = None) -> Outcome:
    """Make a credential primary."""
    return credential_states.make_primary(world.service.installation, _selection(ring, chosen), world.now, at)


def revoke(world: World, ring: RingName, chosen: Credential) -> Outcome:
    """Revoke a credential."""
    return credential_states.revoke(world.service.installation, _selection(ring, chosen), world.now, Breakage.ACCEPTED)


def delete(world: World, ring: RingName, chosen: Credential) -> Outcome:
    """Delete a credential."""
    return credential_states.delete(world.service.installation, _selection(ring, chosen), world.now, Breakage.ACCEPTED)


def _selection(ring: RingName, chosen: Credential) -> Selection:
    return Selection(ring, thumbprint=chosen.thumbprint_sha256)


def first(world: World, ring: RingName) -> Credential:
    """The oldest undeleted credential of a ring: what the namespace was made with."""
    party = ring.relying_party
    everything = world.namespace.credentials if party is None else world.relying_party(party).credentials
    return next(c for c in everything if c.use is ring.use and c.kind is ring.kind and c.deleted_at is None)
