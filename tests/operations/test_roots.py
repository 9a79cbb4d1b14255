"""The installation's root CA is looked after by rollover, whether or not a tenant CA is made."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from sts.core.errors import KeyUnreadable
from sts.core.model import INSTALLATION, Credential
from sts.operations import ring_status, rollover, rollover_look, tenant_ca, watch
from sts.operations.agenda import Agenda
from sts.store import audit
from sts.store import credentials as table
from tests.operations.workbench import DAY, NOW, Workbench, workbench

YEAR, MINUTE = 365 * DAY, timedelta(minutes=1)
MANUAL = "".join(f"  {ring}: {{automatic: false}}\n" for ring in ("signing", "decryption", "tenant-ca"))


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    """An installation whose only namespace looks after itself in nothing."""
    made = workbench(tmp_path)
    made.apply(f"namespace: contoso\nrollover:\n{MANUAL}")
    return made


def roots(bench: Workbench) -> tuple[Credential, ...]:
    with bench.installation.database.reading() as connection:
        return table.list_roots(connection)


def steps(bench: Workbench, now: datetime) -> list[str]:
    watch.look(bench.installation, now - MINUTE)
    outcome = rollover.run(bench.installation, now)
    assert (outcome.fault, outcome.failed) == (None, ())
    return [f"{done.ring} {done.kind}" for done in outcome.done]


def warnings(bench: Workbench, now: datetime) -> list[str]:
    found = ring_status.status(bench.installation, None, now).warnings
    return [str(each) for each in found if each.subject == "root-ca"]


def test_rollover_makes_the_next_root_hands_over_and_destroys_the_key_of_the_old_one(bench: Workbench) -> None:
    first = roots(bench)[0]
    assert steps(bench, NOW + 6 * YEAR) == []
    assert steps(bench, NOW + 6 * YEAR + DAY) == ["root-ca publish"]
    _, second = roots(bench)
    assert (second.predecessor_id, second.primary_from) == (first.id, NOW + 8 * YEAR)
    assert [steps(bench, NOW + at) for at in (6 * YEAR + 2 * DAY, 8 * YEAR + DAY, 10 * YEAR - DAY)] == [[], [], []]
    shown = tenant_ca.list_roots(bench.installation, NOW + 9 * YEAR)
    assert [(row.thumbprint, row.reason) for row in shown] == [(second.thumbprint, ""), (first.thumbprint, "retired")]
    assert steps(bench, NOW + 10 * YEAR + DAY) == ["root-ca destroy"]
    dead, alive = roots(bench)
    assert (dead.deleted_at, alive.deleted_at) == (NOW + 10 * YEAR + DAY, None)
    bench.installation.key_ring.drop_all()
    with pytest.raises(KeyUnreadable):
        bench.installation.key_ring.secret(INSTALLATION, dead)
    with bench.installation.database.reading() as connection:
        actions = [record.action for record in audit.list_newest(connection, "", 10)]
    assert actions[-1] == "rollover.destroy"


def test_a_root_that_ended_while_nobody_looked_is_replaced_at_once(bench: Workbench) -> None:
    late = NOW + 11 * YEAR
    assert steps(bench, late) == ["root-ca publish", "root-ca destroy"]
    [row] = tenant_ca.list_roots(bench.installation, late)
    assert (row.primary_from, row.not_after) == (late, late + 3650 * DAY)


def test_a_root_that_should_have_its_successor_is_warned_of_until_it_has(bench: Workbench) -> None:
    assert warnings(bench, NOW + 6 * YEAR) == []
    late = NOW + 6 * YEAR + DAY
    [warning] = warnings(bench, late)
    assert warning.startswith("root-ca: publish is due since 2032-11-19T22:00:00Z and was not done; see `sts ca-certif")
    steps(bench, late)
    assert warnings(bench, late) == []


def test_one_namespace_is_rolled_without_the_installation(bench: Workbench) -> None:
    late = NOW + 7 * YEAR
    watch.look(bench.installation, late - MINUTE)
    assert rollover.run(bench.installation, late, "contoso").done == ()
    assert len(roots(bench)) == 1


def test_an_installation_without_namespaces_makes_no_root(tmp_path: Path) -> None:
    empty = workbench(tmp_path)
    assert steps(empty, NOW + DAY) == []
    assert (roots(empty), warnings(empty, NOW + DAY)) == ((), [])


def test_the_service_looks_at_the_root_too_and_again_when_a_policy_changes(bench: Workbench) -> None:
    agenda = Agenda(bench.installation.database)
    late = NOW + 6 * YEAR + DAY
    watch.look(bench.installation, late - MINUTE)
    looked = rollover_look.look(bench.installation, agenda, lambda: late)
    assert [f"{done.ring} {done.kind}" for done in looked.done] == ["root-ca publish"]
    assert str(looked.done[0]).startswith("installation root-ca: publish CN=sts.example root CA ")
    bench.at(late).apply("namespace: contoso\nrollover: {tenant-ca: {automatic: false, lifetime: 9y}}\n")
    later = late + 2 * MINUTE
    looked = rollover_look.look(bench.installation, agenda, lambda: later)
    assert [f"{done.ring} {done.kind}" for done in looked.done] == ["root-ca publish", "root-ca promote"]
    assert [agenda.is_roots_turn(later + at) for at in (MINUTE, timedelta(hours=1))] == [False, True]
