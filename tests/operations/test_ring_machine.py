"""Operators, the rollover and the clock in any order: whatever happens to a ring, the promises hold (rollover.md)."""

import shutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from sts.core.credentials import SPREAD, metadata_credential, next_change, primary, published_signing
from sts.core.errors import Conflict, IssuingFailed, NotFound
from sts.core.model import Credential, KeyType, Origin
from sts.core.ring_defaults import MAX_AGE
from sts.core.rollover import StepKind, due_from, spans
from sts.operations import audit, credential_states, new_credentials, rollover, watch
from sts.operations.credential_states import Breakage
from sts.operations.new_credentials import CertificateOrder
from sts.operations.rings import RingName as RingOf
from sts.operations.rings import Selection
from sts.operations.rollover import Done, RingState
from tests.core.builders import DAY, SECOND
from tests.operations.rolling import MINUTE, SIGNING, contoso, ring_state
from tests.operations.workbench import NOW, reopened, workbench

RING = RingOf("contoso")
LIFE = 100 * DAY
MOST = 12  # certificates, so that a run does not grow without end
CONTOSO = """
namespace: contoso
rollover:
  signing: {lifetime: 100d, key_type: p256}
  decryption: {automatic: false}
  tenant-ca: {automatic: false, key_type: p256}
relying_parties:
  - {name: orders, realm: urn:orders, token_format: jwt}
"""
PAUSES = st.sampled_from([SECOND, 6 * SECOND, MINUTE, DAY / 24, DAY, 5 * DAY, 24 * DAY, 50 * DAY, 101 * DAY])
BACKWARDS = st.sampled_from([DAY / 24, DAY, 400 * DAY, NOW - datetime(1970, 1, 2, tzinfo=NOW.tzinfo)])
MEMBER = st.integers(min_value=0, max_value=MOST)


class Ring(RuleBasedStateMachine):
    """One ring of one namespace in a database of its own."""

    template: ClassVar[Path]

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        home = Path(shutil.copytree(self.template, Path(self.folder.name) / "home"))
        self.installation = reopened(home).installation
        self.now = NOW

    def teardown(self) -> None:
        audit.verify(self.installation)
        self.installation.database.close()
        self.folder.cleanup()

    @property
    def state(self) -> RingState:
        return ring_state(self.installation, SIGNING)

    def wake(self) -> None:
        """The rollover acts as it does once a minute."""
        before = self.state
        watch.look(self.installation, self.now - MINUTE)
        outcome = rollover.run(self.installation, self.now)
        assert outcome.fault is None
        for done in outcome.done:
            assert before.hold is None, "nothing happens by itself in a held ring"
            self.judge(before, done)

    def judge(self, before: RingState, done: Done) -> None:
        """What it did, by promises 3 and 8."""
        present = primary(before.members, self.now)
        chosen = next(c for c in self.state.members if c.id == done.credential.id)
        if done.kind is StepKind.PROMOTE:
            assert present is not None
            assert chosen.primary_from is not None
            assert chosen.published_at is not None
            in_public = spans(present.not_after - present.not_before, before.policy, MAX_AGE).in_public
            assert chosen.primary_from - chosen.published_at >= in_public
        if done.kind is StepKind.DESTROY:
            assert chosen.not_after < self.now
            assert chosen.origin is Origin.GENERATED
            assert chosen.id not in {c.id for c in published_signing(contoso(self.installation), self.now)}
            assert present is None or chosen.id != present.id

    @rule(pause=PAUSES)
    def sleep_and_wake(self, pause: timedelta) -> None:
        self.now += pause
        self.wake()

    @rule()
    def wake_when_something_is_due(self) -> None:
        ahead = [due_from(step) for step in self.state.planned(self.now) if due_from(step) > self.now]
        self.now = min(ahead, default=self.now)
        self.wake()

    @rule(pause=PAUSES)
    def sleep(self, pause: timedelta) -> None:
        self.now += pause

    @precondition(lambda self: len(self.state.members) < MOST)
    @rule(life=st.sampled_from([DAY, LIFE / 2, LIFE, 3 * LIFE]), begin=st.sampled_from([0 * DAY, DAY, LIFE / 2]))
    def generate(self, life: timedelta, begin: timedelta) -> None:
        order = CertificateOrder(RING, None, life, KeyType.P256, self.now + begin)
        new_credentials.generate_certificate(self.installation, order, self.now)

    @rule(member=MEMBER, wait=st.sampled_from([0 * DAY, SECOND, DAY, LIFE / 2]))
    def make_primary(self, member: int, wait: timedelta) -> None:
        with suppress(Conflict, NotFound):
            credential_states.make_primary(self.installation, self.chosen(member), self.now, self.now + wait)
            assert self.state.hold is not None

    @rule(member=MEMBER, breakage=st.sampled_from(Breakage))
    def revoke(self, member: int, breakage: Breakage) -> None:
        could_sign = self.signer()
        with suppress(Conflict, NotFound):
            credential_states.revoke(self.installation, self.chosen(member), self.now, breakage)
            if breakage is Breakage.REFUSED and could_sign is not None:
                able = self.signer() or self.signer(self.now + SPREAD)  # a successor may be new to every node
                assert able is not None, "what would break relying parties must be accepted"

    @rule(member=MEMBER, breakage=st.sampled_from(Breakage))
    def delete(self, member: int, breakage: Breakage) -> None:
        could_sign = self.signer()
        with suppress(Conflict, NotFound):
            credential_states.delete(self.installation, self.chosen(member), self.now, breakage)
            assert could_sign is None or self.signer() == could_sign

    @rule()
    def resume(self) -> None:
        rollover.resume(self.installation, "contoso", SIGNING, self.now)

    @rule(jump=BACKWARDS)
    def find_the_clock_behind(self, jump: timedelta) -> None:
        watch.look(self.installation, self.now - MINUTE)
        watch.look(self.installation, self.now)
        before = self.state
        assert rollover.run(self.installation, self.now - jump).fault is not None
        assert self.state == before

    @rule(jump=st.sampled_from([400 * DAY, 3650 * DAY]))
    def find_the_clock_ahead_once(self, jump: timedelta) -> None:
        watch.look(self.installation, self.now - MINUTE)
        watch.look(self.installation, self.now)
        before = self.state
        assert rollover.run(self.installation, self.now + jump).fault is not None
        assert self.state == before

    def chosen(self, member: int) -> Selection:
        """One of the ring, tombstones too."""
        members = self.state.members
        return Selection(RING, thumbprint=members[member % len(members)].thumbprint)

    def signer(self, now: datetime | None = None) -> Credential | None:
        """What signs, now unless another instant is asked for."""
        try:
            return metadata_credential(contoso(self.installation), now or self.now)
        except IssuingFailed:
            return None

    @invariant()
    def at_most_one_is_primary_and_none_only_before_the_first(self) -> None:
        members = self.state.members
        for at in self.instants():
            in_office = [c for c in members if c.deleted_at is None and is_in_office(c, at)]
            assert len(in_office) <= 1
            if primary(members, at) is None:
                assert all(c.deleted_at is not None for c in members if c.primary_from is not None)

    @invariant()
    def what_signs_is_published_and_first_if_nobody_does_anything_more(self) -> None:
        namespace = contoso(self.installation)
        for at in self.instants():
            with suppress(IssuingFailed):
                signer = metadata_credential(namespace, at)
                assert published_signing(namespace, at)[0] == signer
                assert signer.revoked_at is None

    @invariant()
    def keys_are_there_until_they_are_destroyed_and_no_longer(self) -> None:
        with self.installation.database.reading() as connection:
            sealed = connection.exec_driver_sql("SELECT id, sealed IS NOT NULL FROM credential").all()
        kept = {int(row[0]) for row in sealed if row[1]}
        for credential in self.state.members:
            assert (credential.id in kept) is (credential.deleted_at is None)

    def instants(self) -> Iterator[datetime]:
        """Now and whenever something changes by itself."""
        namespace = contoso(self.installation)
        at: datetime | None = self.now
        while at is not None:
            yield at
            at = next_change(namespace, at)


def is_in_office(credential: Credential, now: datetime) -> bool:
    """Whether it has become primary, and no other since."""
    since, until = credential.primary_from, credential.demoted_at
    return since is not None and since <= now and (until is None or until > now)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an installation in which one ring rolls by itself, to be copied."""
    home = tmp_path_factory.mktemp("template")
    made = workbench(home)
    made.apply(CONTOSO)
    made.installation.database.close()
    return home


def test_whatever_happens_to_a_ring_the_promises_hold(template: Path) -> None:
    Ring.template = template
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large]
    rules = settings(max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=checks)
    run_state_machine_as_test(Ring, settings=rules)
