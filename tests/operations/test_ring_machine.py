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

from sts.core.credentials import (
    SPREAD,
    decryption_credentials,
    next_change,
    primary,
    published_decryption,
    published_signing,
    selected,
)
from sts.core.errors import Conflict, NotFound
from sts.core.model import Credential, KeyType, Kind, Origin, Use
from sts.core.ring_defaults import MAX_AGE
from sts.core.rollover import RingName, StepKind, due_from, spans
from sts.operations import audit, credential_states, new_credentials, ring_status, rollover, watch
from sts.operations.credential_states import Breakage
from sts.operations.new_credentials import CertificateOrder, KeyOrder
from sts.operations.rings import RingName as RingOf
from sts.operations.rings import Selection
from sts.operations.rollover import Done, RingState
from tests.core.builders import DAY, SECOND
from tests.operations.rolling import MINUTE, SIGNING, contoso, ring_state
from tests.operations.workbench import NOW, reopened, workbench

LIFE = 100 * DAY
MOST = 12  # credentials, so that a run does not grow without end
POLICIES = {
    RingName.SIGNING: "lifetime: 100d, key_type: p256",
    RingName.DECRYPTION: "lifetime: 100d",
    RingName.TENANT_CA: "key_type: p256",
    RingName.SIGNING_KEYS: "lifetime: 100d",
}
PARTIES = """
  - {name: orders, realm: urn:orders, token_format: jwt}
  - {name: bills, realm: urn:bills, token_format: swt}
"""
PAUSES = st.sampled_from([SECOND, 6 * SECOND, MINUTE, DAY / 24, DAY, 5 * DAY, 24 * DAY, 50 * DAY, 101 * DAY])
BACKWARDS = st.sampled_from([DAY / 24, DAY, 400 * DAY, NOW - datetime(1970, 1, 2, tzinfo=NOW.tzinfo)])
MEMBER = st.integers(min_value=0, max_value=MOST)


class Ring(RuleBasedStateMachine):
    """One ring of one namespace in a database of its own."""

    templates: ClassVar[Path]  # a folder for each ring
    name: ClassVar[RingName]

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        home = Path(shutil.copytree(self.templates / self.name, Path(self.folder.name) / "home"))
        self.installation = reopened(home).installation
        self.now = NOW

    def teardown(self) -> None:
        audit.verify(self.installation)
        self.installation.database.close()
        self.folder.cleanup()

    @property
    def state(self) -> RingState:
        return ring_state(self.installation, self.name)

    def wake(self) -> None:
        """The rollover acts as it does once a minute."""
        before = self.state
        watch.look(self.installation, self.now - MINUTE)
        outcome = rollover.run(self.installation, self.now)
        assert outcome.fault is None
        assert outcome.failed == ()
        for done in outcome.done:
            if done.ring is self.name:
                assert before.hold is None or done.kind is StepKind.DESTROY, "a held ring only destroys by itself"
                self.judge(before, done)

    def judge(self, before: RingState, done: Done) -> None:
        """What it did, by promises 3 and 8."""
        present = primary(before.members, self.now)
        chosen = next(c for c in self.state.members if c.id == done.credential.id)
        if done.kind is StepKind.PUBLISH and present is None:
            assert all(c.primary_from is None for c in before.members), "what was public for no time never signs"
        if done.kind is StepKind.PROMOTE:
            assert present is not None
            assert chosen.not_after > present.not_after
            assert chosen.published_at is not None
            assert present.published_at is not None
            assert chosen.published_at >= present.published_at or was_never_primary(before, chosen.id)
            assert chosen.primary_from is not None
            assert chosen.published_at is not None
            in_public = spans(present.not_after - present.not_before, before.policy, MAX_AGE).in_public
            assert chosen.primary_from - chosen.published_at >= in_public
        if done.kind is StepKind.DESTROY:
            assert chosen.not_after < self.now
            assert chosen.origin is Origin.GENERATED
            namespace = contoso(self.installation)
            public = (*published_signing(namespace, self.now), *published_decryption(namespace, self.now))
            assert chosen.id not in {c.id for c in public}
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

    @rule(events=st.integers(min_value=1, max_value=8))
    def be_looked_after(self, events: int) -> None:
        """Awake at whatever is due or changes: what signs then ends with a warning before, or never."""
        for _ in range(events):
            state = self.state
            ahead = {due_from(step) for step in state.steps(self.now)} | {next_change(state.namespace, self.now)}
            at = min((each for each in ahead if each is not None and each > self.now), default=None)
            if at is None:
                return
            could_sign, told = self.signer(at - SECOND), self.told(at - SECOND)
            self.now = at
            self.wake()
            assert could_sign is None or self.signer() is not None or told, "an outage that nobody was told of"

    @rule(pause=PAUSES)
    def sleep(self, pause: timedelta) -> None:
        self.now += pause

    @precondition(lambda self: len(self.state.members) < MOST)
    @rule(
        life=st.sampled_from([DAY, LIFE / 2, LIFE, 3 * LIFE]),
        begin=st.sampled_from([0 * DAY, DAY, LIFE / 2, 1.2 * LIFE]),
    )
    def generate(self, life: timedelta, begin: timedelta) -> None:
        start = self.now + begin
        if self.ring.kind is Kind.SYMMETRIC:
            new_credentials.generate_key(self.installation, KeyOrder(self.ring, start, start + life), self.now)
            return
        key_type = KeyType.P256 if self.ring.use is Use.SIGNING else KeyType.RSA2048
        order = CertificateOrder(self.ring, None, life, key_type, start)
        new_credentials.generate_certificate(self.installation, order, self.now)

    @rule(member=MEMBER, wait=st.sampled_from([0 * DAY, SECOND, DAY, LIFE / 2, 1.2 * LIFE]))
    def make_primary(self, member: int, wait: timedelta) -> None:
        with suppress(Conflict, NotFound):
            credential_states.make_primary(self.installation, self.chosen(member), self.now, self.now + wait)
            assert self.state.hold is not None

    @rule(member=MEMBER, breakage=st.sampled_from(Breakage))
    def revoke(self, member: int, breakage: Breakage) -> None:
        could_sign = self.signer()
        with suppress(Conflict, NotFound):
            credential_states.revoke(self.installation, self.chosen(member), self.now, breakage)
            if breakage is Breakage.REFUSED and could_sign is not None and self.ring.use is Use.SIGNING:
                able = self.signer() or self.signer(self.now + SPREAD)  # a successor may be new to every node
                assert able is not None, "what would break relying parties must be accepted"

    @rule(member=MEMBER, breakage=st.sampled_from(Breakage))
    def delete(self, member: int, breakage: Breakage) -> None:
        could_sign = self.signer()
        with suppress(Conflict, NotFound):
            credential_states.delete(self.installation, self.chosen(member), self.now, breakage)
            still = self.signer()  # it is not demoted if what was to take its place is gone
            assert could_sign is None or (still is not None and still.id == could_sign.id)

    @rule()
    def resume(self) -> None:
        rollover.resume(self.installation, "contoso", self.name, self.now)

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

    @property
    def ring(self) -> RingOf:
        return RingOf("contoso", self.name.use, self.name.kind)

    def chosen(self, member: int) -> Selection:
        """One of the ring, tombstones too."""
        members = self.state.members
        return Selection(self.ring, thumbprint=members[member % len(members)].thumbprint)

    def signer(self, now: datetime | None = None) -> Credential | None:
        """What is in use, now unless another instant is asked for."""
        return selected(self.state.members, now or self.now)

    def told(self, now: datetime) -> bool:
        """Whether whoever looks is told that the ring needs a person."""
        with self.installation.database.reading() as connection:
            return any(w.subject == self.name for w in ring_status.warnings_of(connection, (self.state,), now))

    @invariant()
    def at_most_one_is_primary_and_none_only_before_the_first(self) -> None:
        members = self.state.members
        for at in self.instants():
            in_office = [c for c in members if c.deleted_at is None and is_in_office(c, at)]
            assert len(in_office) <= 1
            if primary(members, at) is None:
                past = [c for c in members if c.primary_from is not None and c.primary_from <= at]
                assert all(c.deleted_at is not None for c in past)

    @invariant()
    def what_signs_is_published_and_first_if_nobody_does_anything_more(self) -> None:
        namespace, members = contoso(self.installation), self.state.members
        for at in self.instants():
            signer = selected(members, at)
            if signer is None:
                continue
            assert signer.revoked_at is None
            if self.name is SIGNING:
                assert published_signing(namespace, at)[0] == signer
            elif self.name is RingName.DECRYPTION:
                assert signer in published_decryption(namespace, at)
                assert signer in decryption_credentials(namespace, at)

    @invariant()
    def it_never_lacks_what_signs_without_a_warning_before(self) -> None:
        members = self.state.members
        ends = (at for at in self.instants() if at > self.now and selected(members, at) is None)
        end = next(ends, None)
        if selected(members, self.now) is None:
            assert self.told(self.now)
        elif end is not None:
            assert self.told(end - SECOND)

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


def was_never_primary(state: RingState, credential_id: int) -> bool:
    return all(c.primary_from is None for c in state.members if c.id == credential_id)


def is_in_office(credential: Credential, now: datetime) -> bool:
    """Whether it has become primary, and no other since."""
    since, until = credential.primary_from, credential.demoted_at
    return since is not None and since <= now and (until is None or until > now)


def configuration(automatic: RingName) -> str:
    """A namespace in which one ring rolls by itself: making keys for the others would take time."""
    rings = {each: f"automatic: {str(each is automatic).lower()}, {policy}" for each, policy in POLICIES.items()}
    lines = "".join(f"  {each}: {{{policy}}}\n" for each, policy in rings.items())
    return f"namespace: contoso\nrollover:\n{lines}relying_parties:{PARTIES}"


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folders of installations in which one ring rolls by itself, to be copied."""
    folder = tmp_path_factory.mktemp("templates")
    for name in (RingName.SIGNING, RingName.DECRYPTION, RingName.SIGNING_KEYS):
        (folder / name).mkdir()
        made = workbench(folder / name)
        made.apply(configuration(name))
        made.installation.database.close()
    return folder


class SigningCertificates(Ring):
    """The ring whose certificates sign tokens and metadata."""

    name = SIGNING


class DecryptionCertificates(Ring):
    """The ring whose certificates partners encrypt to."""

    name = RingName.DECRYPTION


class SigningKeys(Ring):
    """The ring of symmetric keys, where it is left to itself."""

    name = RingName.SIGNING_KEYS


@pytest.mark.parametrize(
    ("machine", "examples"),
    [(SigningCertificates, 20), (SigningKeys, 20), (DecryptionCertificates, 5)],  # RSA keys take time to make
)
def test_whatever_happens_to_a_ring_the_promises_hold(machine: type[Ring], examples: int, templates: Path) -> None:
    machine.templates = templates
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large]
    rules = settings(max_examples=examples, stateful_step_count=25, deadline=None, suppress_health_check=checks)
    run_state_machine_as_test(machine, settings=rules)
