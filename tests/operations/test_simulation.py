"""The real rollover under a moving clock: ten years, short lives, and what it leaves to people."""

import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from sts.core.errors import NamespaceNotFound, OperatorError
from sts.core.model import Kind
from sts.core.rollover import RingName as Name
from sts.operations import credential_states, new_credentials, rollover, simulation
from sts.operations.installation import Installation
from sts.operations.new_credentials import CertificateFile, CertificateOrder
from sts.operations.rings import RingName, Selection
from sts.operations.simulation import Event, EventKind, Simulation, Span, rehearsal, simulate
from sts.store.database import Database
from sts.store.keyring import SealedKeyRing
from sts.store.master_key_opening import open_master_keys
from tests.contract.fixtures import database_url, postgresql_server
from tests.operations.workbench import DAY, ENVIRONMENT, NOW, Workbench, reopened, workbench, write_pkcs12

__all__ = ["database_url", "postgresql_server"]

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
AUTOMATIC = (Name.SIGNING, Name.DECRYPTION, Name.TENANT_CA)
SIGNING = RingName("contoso")
FOUR_MINUTES = """
namespace: fabrikam
rollover:
  signing: {lifetime: 4m, key_type: p256}
  decryption: {lifetime: 4m}
  tenant-ca: {lifetime: 4m, key_type: p256}
  signing-keys: {lifetime: 4m, automatic: true}
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an installation with two namespaces, to be copied: keys take time to make."""
    home = tmp_path_factory.mktemp("template")
    made = workbench(home)
    made.apply("namespace: contoso\nsession: 4h\n")
    made.apply(FOUR_MINUTES)
    made.installation.database.close()
    return home


@pytest.fixture
def bench(tmp_path: Path, template: Path) -> Workbench:
    return reopened(Path(shutil.copytree(template, tmp_path / "home")))


@pytest.fixture(scope="module")
def decade(template: Path) -> Simulation:
    """Ten years of a namespace with the default policies."""
    return years(reopened(template), 10)


@pytest.fixture(scope="module")
def minutes(template: Path) -> Simulation:
    """Nine minutes of a namespace whose credentials live for four."""
    return simulate(reopened(template).installation, "fabrikam", Span(NOW, NOW + 9 * MINUTE))


def years(bench: Workbench, count: int, namespace: str = "contoso") -> Simulation:
    return simulate(bench.installation, namespace, Span(NOW, NOW + count * 365 * DAY))


def of_ring(simulation: Simulation, ring: Name) -> list[Event]:
    return [event for event in simulation.events if event.ring is ring]


def named(events: list[Event], kind: EventKind) -> dict[str, Event]:
    return {event.thumbprint: event for event in events if event.event is kind}


def kinds(simulation: Simulation, ring: Name) -> list[str]:
    return [event.event.value for event in of_ring(simulation, ring)]


def successions(simulation: Simulation, ring: Name) -> Iterator[tuple[datetime, Event, Event]]:
    """The end of each primary, and when the one after it was published and promoted."""
    events = of_ring(simulation, ring)
    public, retired = named(events, EventKind.PUBLISHED), named(events, EventKind.RETIRED)
    for promoted in named(events, EventKind.PROMOTED).values():
        (before,) = [event for event in retired.values() if event.at == promoted.at]
        yield before.not_after, public[promoted.thumbprint], promoted


@pytest.mark.parametrize("ring", AUTOMATIC)
def test_two_year_certificates_follow_the_seeds_timeline_for_ten_years(decade: Simulation, ring: Name) -> None:
    found = [(end - public.at, end - promoted.at) for end, public, promoted in successions(decade, ring)]
    assert found == [(90 * DAY, 45 * DAY)] * 5


@pytest.mark.parametrize(
    ("ring", "kept"), [(Name.SIGNING, SECOND), (Name.DECRYPTION, 30 * DAY + SECOND), (Name.TENANT_CA, SECOND)]
)
def test_what_is_retired_expires_and_is_destroyed_after_its_end(
    decade: Simulation, ring: Name, kept: timedelta
) -> None:
    events = of_ring(decade, ring)
    retired, expired = named(events, EventKind.RETIRED), named(events, EventKind.EXPIRED)
    destroyed = named(events, EventKind.DESTROYED)
    assert len(retired) == 5
    assert set(destroyed) == set(retired) == set(expired)
    assert {event.at - event.not_after for event in expired.values()} == {timedelta(0)}
    assert {event.at - event.not_after for event in destroyed.values()} == {kept}


@pytest.mark.parametrize("ring", AUTOMATIC)
def test_a_new_certificate_begins_when_it_is_published_and_lives_for_two_years(decade: Simulation, ring: Name) -> None:
    public = named(of_ring(decade, ring), EventKind.PUBLISHED).values()
    assert len(public) == 5
    assert {(event.not_before - event.at, event.not_after - event.at) for event in public} == {
        (timedelta(0), 730 * DAY)
    }


def test_events_are_in_order_and_those_before_the_start_are_left_out(decade: Simulation) -> None:
    assert [event.at for event in decade.events] == sorted(event.at for event in decade.events)
    assert decade.events[0].at == NOW + 640 * DAY
    assert decade.events[0].event is EventKind.PUBLISHED


def test_metadata_has_the_signing_primary_first_and_the_next_decryption_certificate_first(decade: Simulation) -> None:
    events = of_ring(decade, Name.SIGNING) + of_ring(decade, Name.DECRYPTION)
    first, announced, promoted, alone = decade.metadata[:4]
    (old,), (known,) = first.signing, first.decryption
    new = next(e.thumbprint for e in events if e.ring is Name.SIGNING)
    fresh = next(e.thumbprint for e in events if e.ring is Name.DECRYPTION)
    assert (announced.signing, announced.decryption) == ((old, new), (fresh, known))
    assert (promoted.signing, promoted.decryption) == ((new, old), (fresh, known))
    assert (alone.signing, alone.decryption) == ((new,), (fresh,))
    assert [each.at - NOW for each in (first, announced, promoted, alone)] == [
        *(timedelta(0), 640 * DAY, 685 * DAY, 730 * DAY + SECOND)
    ]


def test_every_signing_certificate_was_public_long_before_it_signed(decade: Simulation) -> None:
    for before, after in pairwise(decade.metadata):
        assert after.signing[0] in before.signing


def test_the_manual_ring_of_symmetric_keys_only_ends_and_people_are_told_90_days_before(decade: Simulation) -> None:
    assert kinds(decade, Name.SIGNING_KEYS) == ["expired"]
    (foreseen,) = decade.foreseen
    assert (foreseen.warning.subject, foreseen.at) == ("signing-keys", NOW + 3560 * DAY)
    assert "has no successor" in foreseen.warning.text


@pytest.mark.parametrize("ring", list(Name))
def test_four_minute_credentials_roll_by_the_same_rule(minutes: Simulation, ring: Name) -> None:
    """Symmetric keys too, since the policy says so."""
    found = [(end - public.at, end - promoted.at) for end, public, promoted in successions(minutes, ring)]
    assert found == [(2 * MINUTE, MINUTE)] * 4
    assert minutes.foreseen == ()


def test_what_signed_until_shortly_before_its_end_is_kept_for_a_day(bench: Workbench) -> None:
    bench.apply(
        "namespace: tailspin\nrollover: {signing: {lifetime: 12h, key_type: p256}, tenant-ca: {key_type: p256}}\n"
    )
    found = simulate(bench.installation, "tailspin", Span(NOW, NOW + 2 * DAY))
    events = of_ring(found, Name.SIGNING)
    retired, destroyed = named(events, EventKind.RETIRED), named(events, EventKind.DESTROYED)
    assert len(destroyed) == 3
    assert {destroyed[thumbprint].at - retired[thumbprint].at for thumbprint in destroyed} == {DAY + SECOND}


def imported(bench: Workbench) -> None:
    """An imported certificate becomes primary, and the ring is let go."""
    write_pkcs12(bench.installation.home / "own.pfx", subject="CN=imported")
    content = (bench.installation.home / "own.pfx").read_bytes()
    file = CertificateFile(SIGNING, content, ENVIRONMENT["PFX"].encode())
    row = new_credentials.import_certificate(bench.installation, file, NOW).row
    chosen = Selection(SIGNING, thumbprint=row.thumbprint)
    credential_states.make_primary(bench.installation, chosen, NOW + MINUTE)
    rollover.resume(bench.installation, "contoso", Name.SIGNING, NOW + MINUTE)


def test_an_imported_primary_is_not_replaced_by_itself(bench: Workbench) -> None:
    imported(bench)
    found = simulate(bench.installation, "contoso", Span(NOW + MINUTE, NOW + 400 * DAY))
    assert kinds(found, Name.SIGNING) == ["expired"]
    assert [(each.warning.subject, each.at) for each in found.foreseen] == [
        ("signing", NOW + 275 * DAY),
        ("signing", NOW + 365 * DAY + SECOND),
    ]


def test_a_held_ring_does_nothing_while_the_others_roll(bench: Workbench) -> None:
    order = CertificateOrder(SIGNING, lifetime=800 * DAY)
    row = new_credentials.generate_certificate(bench.installation, order, NOW).row
    credential_states.make_primary(bench.installation, Selection(SIGNING, thumbprint=row.thumbprint), NOW + DAY)
    found = simulate(bench.installation, "contoso", Span(NOW + DAY + MINUTE, NOW + 820 * DAY))
    assert kinds(found, Name.SIGNING) == ["expired", "destroyed", "expired"], "nothing is made and nothing promoted"
    assert kinds(found, Name.DECRYPTION) == ["published", "promoted", "retired", "expired", "destroyed"]
    assert found.foreseen[0].at == NOW + DAY + MINUTE
    assert "sts rollover resume" in found.foreseen[0].warning.text


def test_a_ring_goes_on_when_it_is_let_go(bench: Workbench) -> None:
    order = CertificateOrder(SIGNING, lifetime=800 * DAY)
    row = new_credentials.generate_certificate(bench.installation, order, NOW).row
    credential_states.make_primary(bench.installation, Selection(SIGNING, thumbprint=row.thumbprint), NOW + DAY)
    assert rollover.resume(bench.installation, "contoso", Name.SIGNING, NOW + 2 * DAY)
    found = simulate(bench.installation, "contoso", Span(NOW + 2 * DAY, NOW + 820 * DAY))
    ((end, public, promoted),) = successions(found, Name.SIGNING)
    assert (end, end - public.at, end - promoted.at) == (NOW + 800 * DAY, 90 * DAY, 45 * DAY)


def test_an_installation_that_stood_still_for_three_years_catches_up(bench: Workbench) -> None:
    start = NOW + 3 * 365 * DAY
    found = simulate(bench.installation, "contoso", Span(start, start + 60 * DAY))
    events = of_ring(found, Name.SIGNING)
    assert [(event.event.value, event.at - start) for event in events] == [
        ("published", timedelta(0)),
        ("promoted", DAY),
        ("retired", DAY),
        ("destroyed", 2 * DAY + SECOND),
    ]


def test_an_operators_schedule_is_kept(bench: Workbench) -> None:
    row = new_credentials.generate_certificate(bench.installation, CertificateOrder(SIGNING), NOW).row
    chosen = Selection(SIGNING, thumbprint=row.thumbprint)
    credential_states.make_primary(bench.installation, chosen, NOW, NOW + 100 * DAY)
    found = simulate(bench.installation, "contoso", Span(NOW + MINUTE, NOW + 200 * DAY))
    assert [(event.event.value, event.at) for event in of_ring(found, Name.SIGNING)] == [
        ("promoted", NOW + 100 * DAY),
        ("retired", NOW + 100 * DAY),
    ]


def contents(home: Path) -> dict[str, bytes]:
    """Every file but those that SQLite keeps beside its database while it is open."""
    return {path.name: path.read_bytes() for path in home.rglob("*") if path.is_file() and "-" not in path.suffix}


def test_the_installation_stays_as_it_is(bench: Workbench) -> None:
    bench.installation.database.close()
    before = contents(bench.installation.home)
    years(bench, 3)
    bench.installation.database.close()
    assert contents(bench.installation.home) == before


def test_a_copy_lies_in_a_private_folder_without_the_master_key_and_goes_in_the_end(bench: Workbench) -> None:
    with rehearsal(bench.installation, "contoso") as copy:
        rollover.run(copy, NOW + 3 * 365 * DAY)
        home = copy.home
        assert home.stat().st_mode & 0o077 == 0
        names = {path.name for path in home.iterdir()}
        assert {name for name in names if not name.startswith("sts.db")} == {"newest-change"}
        master = bench.installation.key_ring.master_keys.path.read_bytes()
        assert not any(master in path.read_bytes() for path in home.iterdir())
    assert not home.exists()


def test_only_the_one_namespace_is_copied(bench: Workbench) -> None:
    with rehearsal(bench.installation, "contoso") as copy, copy.database.reading() as connection:
        assert {state.namespace.name for state in rollover.states(connection, copy)} == {"contoso"}


def test_progress_tells_each_instant_in_order(bench: Workbench) -> None:
    told: list[datetime] = []
    simulate(bench.installation, "contoso", Span(NOW, NOW + 740 * DAY), told.append)
    assert told[0] == NOW
    assert told == sorted(set(told))
    assert NOW + 640 * DAY in told


def test_a_simulation_that_ends_before_it_starts_is_refused(bench: Workbench) -> None:
    with pytest.raises(OperatorError, match="before it starts"):
        simulate(bench.installation, "contoso", Span(NOW, NOW - DAY))


def test_an_unknown_namespace_is_refused(bench: Workbench) -> None:
    with pytest.raises(NamespaceNotFound):
        simulate(bench.installation, "nobody", Span(NOW, NOW + DAY))


def test_a_namespace_in_any_database_can_be_copied(tmp_path: Path, database_url: str) -> None:
    database = Database(database_url)
    database.migrate()
    key_ring = SealedKeyRing(database, open_master_keys(database, tmp_path / "master.key", NOW))
    bench = Workbench(Installation(tmp_path, "https://sts.example", database, key_ring, (), "tests"))
    bench.apply("namespace: contoso\nhosts: [contoso.example]\nrollover: {tenant-ca: {lifetime: 2y, key_type: p256}}\n")
    row = new_credentials.generate_certificate(bench.installation, CertificateOrder(SIGNING), NOW).row
    credential_states.make_primary(bench.installation, Selection(SIGNING, thumbprint=row.thumbprint), NOW + MINUTE)
    found = simulate(bench.installation, "contoso", Span(NOW + DAY, NOW + 650 * DAY))
    assert {(event.ring, event.event) for event in found.events} == {
        (Name.DECRYPTION, EventKind.PUBLISHED),
        (Name.TENANT_CA, EventKind.PUBLISHED),
    }
    database.close()


def test_a_schedule_for_symmetric_keys_is_played_too(bench: Workbench) -> None:
    keys = RingName("contoso", kind=Kind.SYMMETRIC)
    row = new_credentials.generate_key(bench.installation, new_credentials.KeyOrder(keys), NOW).row
    chosen = Selection(keys, thumbprint=row.thumbprint)
    credential_states.make_primary(bench.installation, chosen, NOW, NOW + 10 * DAY)
    found = simulation.simulate(bench.installation, "contoso", Span(NOW + MINUTE, NOW + 20 * DAY))
    assert [(e.ring.value, e.event.value, e.at) for e in found.events] == [
        ("signing-keys", "promoted", NOW + 10 * DAY),
        ("signing-keys", "retired", NOW + 10 * DAY),
    ]
