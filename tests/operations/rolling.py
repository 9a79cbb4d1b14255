"""A namespace whose rings roll over by themselves, and what a test asks and does while the clock moves."""

from datetime import datetime, timedelta

from sts.core.model import Credential, Namespace
from sts.core.rollover import RingName
from sts.operations import audit, ring_status, rollover, watch
from sts.operations.installation import Installation
from sts.operations.ring_status import Warning_
from sts.operations.rollover import RingState
from sts.store import namespaces
from tests.operations.workbench import DAY, NOW

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
END = NOW + 730 * DAY  # of everything that the namespace was made with, but its symmetric key
PUBLISHED, TURNED = END - 90 * DAY, END - 45 * DAY
SIGNING, DECRYPTION = RingName.SIGNING, RingName.DECRYPTION
QUICK = """
namespace: contoso
rollover:
  signing: {key_type: p256}
  tenant-ca: {key_type: p256}
relying_parties:
  - {name: orders, realm: urn:orders, token_format: jwt}
  - {name: bills, realm: urn:bills, token_format: saml20}
  - {name: swt, realm: urn:swt, token_format: swt}
  - {name: off, realm: urn:off, token_format: jwt, enabled: false}
"""


def roll(installation: Installation, now: datetime) -> list[str]:
    """What a process does that looks once a minute: two looks agree on the time, then all that is due is done."""
    watch.look(installation, now - MINUTE)
    outcome = rollover.run(installation, now)
    assert (outcome.fault, outcome.failed) == (None, ())
    return [f"{done.ring} {done.kind}" for done in outcome.done]


def roll_through(installation: Installation, *instants: datetime) -> list[list[str]]:
    """The same at several instants in turn."""
    return [roll(installation, now) for now in instants]


def contoso(installation: Installation) -> Namespace:
    """The namespace as it stands in the database."""
    with installation.database.reading() as connection:
        return namespaces.find(connection, installation.base_url, "contoso")


def ring_state(installation: Installation, name: RingName = SIGNING) -> RingState:
    """One ring as it stands in the database."""
    with installation.database.reading() as connection:
        return next(s for s in rollover.states(connection, installation, "contoso") if s.name is name)


def members(installation: Installation, name: RingName = SIGNING) -> tuple[Credential, ...]:
    """Its credentials, oldest first, tombstones too."""
    return ring_state(installation, name).members


def warnings(installation: Installation, now: datetime) -> list[Warning_]:
    """What needs a person."""
    return list(ring_status.status(installation, "contoso", now).warnings)


def audited(installation: Installation) -> list[tuple[str, str]]:
    """Who did what, the making of the namespace left out; the trail must verify."""
    length = audit.verify(installation).sequence
    records = audit.list_newest(installation, "contoso", length)
    made = next(i for i, record in enumerate(records) if record.action == "relying-party.create")
    return [(r.actor, r.action) for r in records[made:] if not r.action.startswith("relying-party.")]
