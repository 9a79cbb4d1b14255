"""The master keys around a rotation: prepared, kept, discarded, needed again by a copy of the database."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from sts.core.errors import Conflict, MasterKeyError, NotFound
from sts.crypto import sealing
from sts.crypto.sealing import MasterKey
from sts.operations import master_key
from sts.operations.master_key_rotation import Rotator, resume, rotate
from tests.operations.vault import (
    IDENTITY,
    Vault,
    copy_of,
    database_url,
    filled,
    local,
    local_pattern,
    names_in,
    open_at,
    postgresql_server,
    require_rotated,
    restore,
    secrets_of,
    vault,
)
from tests.operations.workbench import NOW

__all__ = ["database_url", "local", "local_pattern", "postgresql_server", "vault"]


def test_second_rotation_waits_until_the_previous_key_is_discarded(vault: Vault) -> None:
    vault.rotate()
    present = (vault.folder / "master.key").read_bytes()
    with pytest.raises(Conflict, match=r"master\.key\.previous is still there.*sts master-key discard-previous"):
        vault.rotate()
    with pytest.raises(Conflict, match="is still there"):
        master_key.prepare(vault.installation, NOW)
    assert vault.state().rotation is None
    master_key.discard_previous(vault.installation, NOW)
    master_key.prepare(vault.installation, NOW)
    vault.rotate()
    require_rotated(vault, present)


def test_rotation_goes_to_the_key_that_was_prepared(local: Vault) -> None:
    prepared = master_key.prepare(local.installation, NOW).next
    assert master_key.prepare(local.installation, NOW).next == prepared
    assert local.found() == local.secrets
    old = (local.folder / "master.key").read_bytes()
    assert local.rotate().master_key == prepared
    require_rotated(local, old)
    assert local.audited() == ["master-key.prepare", "master-key.rotate", "master-key.rotated"]


def test_database_of_several_machines_wants_the_next_key_everywhere_first(database_url: str, tmp_path: Path) -> None:
    if database_url.startswith("sqlite"):
        pytest.skip("SQLite is one machine's")
    vault = filled(database_url, tmp_path)
    (tmp_path / "master.key.next").unlink()
    with pytest.raises(Conflict, match=r"run `sts master-key prepare`, copy .*master\.key\.next to the same place"):
        vault.rotate()
    assert vault.state().rotation is None


def test_other_machine_names_its_files_when_it_looks(database_url: str, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    vault = filled(database_url, here)
    master_key.prepare(vault.installation, NOW)
    there.mkdir()
    for path in here.iterdir():
        (there / path.name).write_bytes(path.read_bytes())
        (there / path.name).chmod(0o600)
    machine = open_at(database_url, there)
    vault.rotate()
    assert secrets_of(machine) == vault.secrets
    assert names_in(there) == {"master.key", "master.key.next"}
    assert resume(Rotator(machine, lambda: NOW)) is True
    assert names_in(there) == {"master.key", "master.key.previous"}
    assert (there / "master.key").read_bytes() == (here / "master.key").read_bytes()
    assert secrets_of(open_at(database_url, there)) == vault.secrets


def test_folder_in_which_nothing_can_be_renamed_is_told_and_serves(
    local: Vault, caplog: pytest.LogCaptureFixture
) -> None:
    """As where the keys are a mounted secret: links, which the operator alone may change."""
    mounted, path = local.folder.parent / "mounted", local.folder / "master.key"
    path.rename(mounted)
    path.symlink_to(mounted)
    with pytest.raises(MasterKeyError, match=r"is a symbolic link to .* name that file itself in STS_MASTER_KEY_FILE"):
        local.rotate()
    assert local.state().rotation is None
    MasterKey.create(local.folder / "master.key.next")
    with pytest.raises(MasterKeyError, match=r"Keep .*master\.key as master\.key\.previous and give master\.key\.next"):
        local.rotate()
    assert local.found() == local.secrets
    assert "Keep" in caplog.text
    assert local.state().needs == (master_key.NOT_NAMED,)
    path.unlink()
    mounted.rename(local.folder / "master.key.previous")
    (local.folder / "master.key.next").rename(path)
    require_rotated(local, (local.folder / "master.key.previous").read_bytes())


def test_copy_from_before_a_rotation_opens_under_the_previous_key_and_is_brought_to_the_present(
    local: Vault, caplog: pytest.LogCaptureFixture
) -> None:
    old = (local.folder / "master.key").read_bytes()
    copy = copy_of(local)
    local.rotate()
    present = (local.folder / "master.key").read_bytes()
    restore(local, copy)
    with caplog.at_level(logging.WARNING):
        assert local.found() == local.secrets
    assert "the database is sealed under" in caplog.text
    assert "`sts master-key rotate` brings it to the present master key" in caplog.text
    assert local.state().needs == (master_key.FROM_A_COPY,)
    with pytest.raises(Conflict, match="the database holds secrets that only"):
        master_key.discard_previous(local.opened(), NOW)
    restored = replace(local, installation=local.opened())
    restored.rotate()
    assert (local.folder / "master.key").read_bytes() == present, "no third key"
    require_rotated(restored, old)


def test_copy_from_before_a_rotation_says_which_key_it_needs(local: Vault) -> None:
    old = (local.folder / "master.key").read_bytes()
    copy = copy_of(local)
    local.rotate()
    master_key.discard_previous(local.installation, NOW)
    restore(local, copy)
    with pytest.raises(MasterKeyError) as refused:
        local.opened()
    assert f"restore that one (id {MasterKey.from_bytes(old).id.hex()})" in refused.value.message
    assert "A copy of the database from before a rotation needs the master key of that time" in refused.value.message
    (local.folder / "master.key.previous").touch(0o600)
    (local.folder / "master.key.previous").write_bytes(old)
    assert local.found() == local.secrets


def test_discarding_is_refused_when_there_is_nothing_or_it_is_needed(local: Vault) -> None:
    with pytest.raises(NotFound, match=r"there is no .*master\.key\.previous"):
        master_key.discard_previous(local.installation, NOW)
    local.rotate()
    with local.installation.database.recording() as connection:
        previous = local.installation.key_ring.master_keys.previous()
        assert previous
        worker = IDENTITY.c.name == "worker"
        context = sealing.SealContext("contoso", connection.scalar(sa.select(IDENTITY.c.id).where(worker)) or 0, "x")
        values = {"symmetric_key": sealing.seal(previous, b"key", context)}
        connection.execute(sa.update(IDENTITY).where(worker).values(values))
    with pytest.raises(Conflict, match="the database holds secrets that only"):
        master_key.discard_previous(local.installation, NOW)
    assert (local.folder / "master.key.previous").exists()


def test_master_key_is_made_anew_only_while_nothing_is_sealed_even_after_a_rotation(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/sts.db"
    folder = tmp_path / "keys"
    folder.mkdir()
    rotate(Rotator(open_at(url, folder), lambda: NOW))
    (folder / "master.key").unlink()
    (folder / "master.key.previous").unlink()
    vault = filled(url, folder)
    vault.rotate()
    assert vault.found() == vault.secrets
