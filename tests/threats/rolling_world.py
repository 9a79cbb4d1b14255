"""The whole service, with keys that are quick to make, and rollovers under a clock that a test moves."""

import shutil
from datetime import datetime, timedelta
from pathlib import Path

from sts.core.model import Credential
from sts.core.rollover import RingName
from sts.operations import ring_status, rollover, watch
from tests.flows.tokens import PARTIES, signer_of
from tests.flows.world import CONTOSO, START, World, make_world, open_world
from tests.operations.rolling import members

DAY, HOUR, MINUTE, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
END = START + 730 * DAY  # of the first certificates
PUBLISHED, TURNED = END - 90 * DAY, END - 45 * DAY
QUICK = CONTOSO.replace(
    "relying_parties:", "rollover: {signing: {key_type: p256}, tenant-ca: {key_type: p256}}\nrelying_parties:"
)


def make_pattern(home: Path) -> Path:
    """Make a service in a folder, to be copied."""
    make_world(home, QUICK).close()
    return home


def copied(pattern: Path, target: Path) -> World:
    """Open a copy of it."""
    return open_world(Path(shutil.copytree(pattern, target)))


def roll(world: World, now: datetime) -> list[str]:
    """Set the clock and do what is due, as a process does that looks every minute."""
    world.clock.now = now
    watch.look(world.service.installation, now - MINUTE)
    return look(world, now)


def look(world: World, now: datetime) -> list[str]:
    """One look alone."""
    world.clock.now = now
    outcome = rollover.run(world.service.installation, now)
    assert outcome.failed == ()
    return [f"{done.ring} {done.kind}" for done in outcome.done]


def signers(world: World) -> set[int]:
    """What signs for relying parties by certificate, by the tokens they get; every relying party gets one."""
    signed_by = {party: signer_of(world, party, world.token(party)).id for party in PARTIES}
    return {signed_by[party] for party in ("jwt", "saml11", "saml20")}


def alarm(world: World) -> str:
    """What `sts rollover status` says is wrong."""
    found = ring_status.status(world.service.installation, None, world.now)
    assert found.needs_person
    assert found.fault is not None
    return found.fault


def credentials(world: World) -> tuple[Credential, ...]:
    """Every credential as the database has it."""
    return tuple(c for name in RingName for c in members(world.service.installation, name))
