"""An operator generates, promotes, revokes and deletes tenant CAs, which is all that a manual ring has."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from sts.core.credentials import Status
from sts.core.errors import Conflict, NamespaceNotFound, OperatorError
from sts.core.model import KeyType, Use
from sts.operations import credential_states, tenant_ca
from sts.operations.credential_states import Breakage
from sts.operations.rings import CredentialRow, Outcome, Selection
from sts.operations.tenant_ca import CAWish, ring_of
from tests.operations.rolling import warnings
from tests.operations.workbench import DAY, NOW, Workbench, workbench

YEAR = 365 * DAY
SECOND = timedelta(seconds=1)
RING = ring_of("contoso")
WISH = CAWish("contoso", key_type=KeyType.P256)
CONTOSO = """
namespace: contoso
service_identities:
  - {name: device-1, password: env:PASSWORD}
  - {name: device-2, password: env:PASSWORD}
  - {name: gone, password: env:PASSWORD, enabled: false}
"""
MANUAL = "rollover: {tenant-ca: {automatic: false, key_type: p256}}\n"


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    made = workbench(tmp_path)
    made.apply(CONTOSO)
    return made


def rows(bench: Workbench, now: datetime) -> tuple[CredentialRow, ...]:
    return tenant_ca.list_authorities(bench.installation, "contoso", now)


def this(row: CredentialRow) -> Selection:
    return Selection(RING, thumbprint=row.thumbprint_sha256)


def generated(bench: Workbench, now: datetime = NOW + DAY) -> Outcome:
    return tenant_ca.generate(bench.installation, WISH, now)


def test_one_is_generated_published_and_not_primary(bench: Workbench) -> None:
    outcome = generated(bench)
    assert (outcome.row.use, outcome.row.status, outcome.row.reason) == (Use.TENANT_CA, Status.INACTIVE, "next")
    assert (outcome.row.index, outcome.row.not_after - outcome.row.not_before) == (2, 2 * YEAR)
    assert [row.status for row in rows(bench, NOW + DAY)] == [Status.ACTIVE, Status.INACTIVE]


def test_it_lives_as_long_as_was_asked(bench: Workbench) -> None:
    outcome = tenant_ca.generate(bench.installation, CAWish("contoso", 12 * YEAR, KeyType.P256), NOW)
    assert outcome.row.not_after == NOW + 12 * YEAR
    assert len(tenant_ca.list_roots(bench.installation, NOW)) == 2


@pytest.mark.parametrize("lifetime", [timedelta(0), timedelta(seconds=59), 101 * YEAR, 5000 * YEAR])
def test_a_life_that_is_none_of_a_ca_is_refused(bench: Workbench, lifetime: timedelta) -> None:
    with pytest.raises(OperatorError, match="a minute at least and 100 years at most"):
        tenant_ca.generate(bench.installation, CAWish("contoso", lifetime), NOW)
    with pytest.raises(NamespaceNotFound):
        tenant_ca.generate(bench.installation, CAWish("fabrikam"), NOW)


def test_the_one_that_was_made_primary_issues_and_the_ring_is_held(bench: Workbench) -> None:
    new = generated(bench).row
    outcome = credential_states.make_primary(bench.installation, this(new), NOW + DAY)
    assert "services that do not trust it yet will refuse the certificates that it issues" in outcome.warnings[0]
    assert "sts rollover resume --namespace contoso --ring tenant-ca" in outcome.warnings[1]
    later = NOW + 2 * DAY
    assert rows(bench, later)[0].thumbprint == new.thumbprint
    assert rows(bench, later)[1].reason == "retired"


def test_a_manual_ring_is_replaced_by_hand_after_its_end(tmp_path: Path) -> None:
    bench = workbench(tmp_path)
    bench.apply(CONTOSO + MANUAL)
    for at, commands in ((NOW + 2 * YEAR - DAY, ["generate"]), (NOW + 3 * YEAR, ["generate", "make-primary"])):
        [warning] = [w for w in warnings(bench.installation, at) if w.subject == "tenant-ca"]
        assert all(f"`sts ca-certificate {verb} --namespace contoso`" in warning.text for verb in commands)
    late = NOW + 3 * YEAR
    new = generated(bench, late).row
    credential_states.make_primary(bench.installation, this(new), late)
    assert rows(bench, late + DAY)[0].status is Status.ACTIVE


def test_revoking_one_with_a_successor_promotes_that_and_says_who_must_enrol_again(bench: Workbench) -> None:
    new = generated(bench).row
    old = rows(bench, NOW + DAY)[0]
    outcome = credential_states.revoke(bench.installation, this(old), NOW + DAY)
    assert outcome.row.status is Status.REVOKED
    told = " ".join(outcome.warnings)
    assert "takes its place now; services that do not trust it yet" in told
    assert "must enrol again with a password or key (device-1, device-2)" in told
    assert rows(bench, NOW + DAY + 7 * SECOND)[0].thumbprint == new.thumbprint


def test_revoking_the_only_one_must_be_forced_and_says_who_can_enrol_no_more(bench: Workbench) -> None:
    [only] = rows(bench, NOW)
    words = r"no certificate can be issued for device-1, device-2; make another primary first, .* --force"
    with pytest.raises(Conflict, match=words):
        credential_states.revoke(bench.installation, this(only), NOW)
    outcome = credential_states.revoke(bench.installation, this(only), NOW, Breakage.ACCEPTED)
    assert "`sts ca-certificate make-primary --namespace contoso --thumbprint ...`" in outcome.warnings[0]
    new = generated(bench).row
    credential_states.make_primary(bench.installation, this(new), NOW + DAY)
    assert rows(bench, NOW + 2 * DAY)[0].status is Status.ACTIVE


def test_one_that_issued_within_a_day_is_deleted_only_where_breakage_is_accepted(bench: Workbench) -> None:
    old, new = rows(bench, NOW)[0], generated(bench).row
    credential_states.make_primary(bench.installation, this(new), NOW + DAY)
    with pytest.raises(Conflict, match="with --force"):
        credential_states.delete(bench.installation, this(old), NOW + DAY + SECOND * 10)
    credential_states.delete(bench.installation, this(old), NOW + 2 * DAY + SECOND * 10)
    assert [row.thumbprint for row in rows(bench, NOW + 2 * DAY)] == [new.thumbprint]


def test_roots_are_listed_like_every_ring(bench: Workbench) -> None:
    [row] = tenant_ca.list_roots(bench.installation, NOW)
    assert (row.index, row.use, row.status, row.not_after) == (1, Use.ROOT_CA, Status.ACTIVE, NOW + 3650 * DAY)
    tenant_ca.generate(bench.installation, CAWish("contoso", 6 * YEAR, KeyType.P256), NOW)
    first, second = tenant_ca.list_roots(bench.installation, NOW)
    assert (first.status, first.next_step, first.next_step_at) == (Status.ACTIVE, "retired", NOW + 4 * YEAR)
    assert (second.status, second.reason, second.next_step) == (Status.INACTIVE, "next", "promoted")
