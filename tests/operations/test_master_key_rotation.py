"""Rotation of the master key: every secret under the new one, none lost, nothing else changed."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from sts.core.errors import Conflict, KeyUnreadable, NotFound
from sts.crypto import sealing
from sts.crypto.sealing import MasterKey
from sts.operations import audit, master_key, namespaces
from sts.operations.master_key_rotation import Phase, Progress, Rotator, resume, rotate
from sts.store import sealed_rows, tables
from tests.operations.vault import (
    IDENTITY,
    Stopped,
    Vault,
    add_identity,
    database_url,
    fingerprints_of,
    local,
    local_pattern,
    names_in,
    postgresql_server,
    require_rotated,
    secrets_of,
    spoil,
    stop_while,
    vault,
)
from tests.operations.workbench import NOW

__all__ = ["database_url", "local", "local_pattern", "postgresql_server", "vault"]


def test_every_secret_is_under_the_new_key_and_nothing_else_changed(vault: Vault) -> None:
    old = (vault.folder / "master.key").read_bytes()
    other = vault.opened()
    done = vault.rotate()
    assert (done.secrets, done.by_another) == (len(vault.secrets), False)
    assert (done.master_key, done.replaced) == (vault.state().present, MasterKey.from_bytes(old).id.hex())
    for process in (other, vault.installation):
        assert secrets_of(process) == vault.secrets, "a process that runs on needs no restart"
        assert fingerprints_of(process) == vault.fingerprints
    require_rotated(vault, old)
    assert vault.audited()[-2:] == ["master-key.rotate", "master-key.rotated"]
    audit.verify(vault.installation)


def test_fingerprints_of_a_database_from_before_they_had_a_key_of_their_own_stay(local: Vault) -> None:
    with local.installation.database.recording() as connection:
        connection.execute(sa.delete(tables.installation).where(tables.installation.c.name == "fingerprint-key"))
    local.rotate()
    assert fingerprints_of(local.opened()) == local.fingerprints


def test_what_is_made_during_a_rotation_by_any_process_is_under_the_new_key(vault: Vault) -> None:
    other = vault.opened()

    phases = {Phase.SEALING, Phase.VERIFYING}

    def add(progress: Progress) -> None:
        if progress.phase in phases:
            phases.remove(progress.phase)
            add_identity(other, f"made while {progress.phase}", b"m" * 32)

    rotate(vault.rotator(add))
    with vault.installation.database.reading() as connection:
        assert sealed_rows.count(connection, under=bytes.fromhex(vault.state().present)) == len(vault.secrets) + 2
    assert set(vault.found()) - set(vault.secrets) == {
        f"symmetric key of service identity made while {phase} of namespace contoso"
        for phase in ("sealing", "verifying")
    }


def test_what_an_older_process_seals_under_the_old_key_at_the_last_moment_is_sealed_anew(local: Vault) -> None:
    old = local.installation.key_ring.master_keys.present()
    late = iter([b"late"])

    def seal_late(progress: Progress) -> None:
        if progress.phase is Phase.VERIFYING:
            for key in late:
                with local.installation.database.recording() as connection:
                    worker = IDENTITY.c.name == "worker"
                    id = connection.scalar(sa.select(IDENTITY.c.id).where(worker))
                    context = sealing.SealContext("contoso", id or 0, sealed_rows.SHARED_KEY)
                    values = {"symmetric_key": sealing.seal(old, key, context)}
                    connection.execute(sa.update(IDENTITY).where(worker).values(values))

    rotate(local.rotator(seal_late))
    assert local.found()["symmetric key of service identity worker of namespace contoso"] == b"late"
    assert local.state().needs == ()


def test_credential_destroyed_and_namespace_deleted_during_a_rotation_stay_gone(vault: Vault) -> None:
    def delete(progress: Progress) -> None:
        if progress.phase is Phase.SEALING and any(each.name == "contoso" for each in namespaces.list_all(other)):
            namespaces.delete(other, "contoso", NOW)

    other = vault.opened()
    rotate(vault.rotator(delete))
    assert [owner for owner in vault.found() if "contoso" in owner] == []


def test_progress_is_told_from_the_first_secret_to_the_last(local: Vault) -> None:
    told: list[Progress] = []
    rotate(local.rotator(told.append))
    total = len(local.secrets)
    for phase in (Phase.SEALING, Phase.VERIFYING):
        steps = [progress for progress in told if progress.phase is phase]
        assert steps[-1] == Progress(phase, total, total)
        assert [step.done for step in steps] == sorted(step.done for step in steps)


def test_others_have_their_turn_after_each_transaction(local: Vault) -> None:
    pauses: list[float] = []
    rotate(replace(local.rotator(), pause=pauses.append))
    assert len(pauses) == 2, "one for each page"
    assert all(pause > 0 for pause in pauses)


def test_secret_that_does_not_open_is_named_and_both_keys_stay(vault: Vault) -> None:
    old = (vault.folder / "master.key").read_bytes()
    spoil(vault)
    for _ in range(2):
        with pytest.raises(KeyUnreadable) as refused:
            vault.rotate()
        assert "1 of the stored secrets do not open" in refused.value.message
        assert "symmetric key of service identity worker of namespace contoso" in refused.value.message
        assert refused.value.needs_operator
        assert names_in(vault.folder) == {"master.key", "master.key.next"}
        assert (vault.folder / "master.key").read_bytes() == old
        rotation = vault.state().rotation
        assert rotation
        assert (rotation.sealed, rotation.secrets) == (len(vault.secrets) - 1, len(vault.secrets))
    with pytest.raises(NotFound):
        master_key.discard_previous(vault.installation, NOW)
    with vault.installation.database.recording() as connection:
        connection.execute(sa.delete(IDENTITY).where(IDENTITY.c.name == "worker"))
    vault.rotate()
    left = {owner: secret for owner, secret in vault.secrets.items() if "worker" not in owner}
    fingerprints = {name: value for name, value in vault.fingerprints.items() if name != "worker"}
    require_rotated(replace(vault, secrets=left, fingerprints=fingerprints), old)


def test_secret_damaged_after_it_was_sealed_anew_is_found_by_reading_back(local: Vault) -> None:
    def damage(progress: Progress) -> None:
        if progress == Progress(Phase.SEALING, len(local.secrets), len(local.secrets)):
            with local.installation.database.recording() as connection:
                sealed = (
                    connection.scalar(sa.select(IDENTITY.c.symmetric_key).where(IDENTITY.c.name == "worker")) or b""
                )
            spoil(local, sealed=sealed[:-1] + bytes([sealed[-1] ^ 1]))

    with pytest.raises(KeyUnreadable, match="service identity worker"):
        rotate(local.rotator(damage))
    assert names_in(local.folder) == {"master.key", "master.key.next"}


@pytest.mark.parametrize("phase", [Phase.SEALING, Phase.VERIFYING])
def test_rotation_that_was_left_is_finished_by_whoever_looks(vault: Vault, phase: Phase) -> None:
    old = (vault.folder / "master.key").read_bytes()
    with pytest.raises(Stopped):
        rotate(vault.rotator(stop_while(phase)))
    assert vault.state().needs == (master_key.LEFT_UNFINISHED,)
    with pytest.raises(Conflict, match="a rotation of the master key is under way"):
        master_key.prepare(vault.installation, NOW)
    assert vault.found() == vault.secrets
    assert resume(Rotator(vault.opened(), lambda: NOW)) is True
    require_rotated(vault, old)
    assert resume(Rotator(vault.opened(), lambda: NOW)) is False


def test_service_leaves_a_rotation_alone_that_a_process_is_at(local: Vault) -> None:
    answers: list[tuple[bool, bool]] = []

    def look(progress: Progress) -> None:
        rotation = local.state().rotation
        assert rotation
        answers.append((resume(Rotator(local.opened(), lambda: NOW)), rotation.is_running))

    rotate(local.rotator(look))
    assert set(answers) == {(False, True)}
