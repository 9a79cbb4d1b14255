"""`sts master-key`: a rotation as operators see it."""

from pathlib import Path

from tests.cli.console import Console
from tests.operations.vault import copy_database


def keys(console: Console) -> Path:
    return console.home / "keys"


def names(console: Console) -> set[str]:
    return {path.name for path in keys(console).iterdir() if path.name.startswith("master.key")}


def test_status_names_the_keys_and_what_they_seal(console: Console) -> None:
    state = console.json("master-key", "status")
    assert state["present"] == state["database"]
    assert state["file"] == str(keys(console) / "master.key")
    assert (state["next"], state["previous"], state["rotation"], state["needs"]) == (None, None, None, [])
    assert state["secrets"] > 3
    told = console.ok("master-key", "status")
    assert f"{state['file']}  {state['present']}  seals the database" in told
    assert f"{state['secrets']} secrets are sealed in the database" in told


def test_rotation_says_what_it_did_and_what_is_next(console: Console) -> None:
    before = console.json("master-key", "status")
    result = console.run("master-key", "rotate")
    assert result.exit_code == 0
    after = console.json("master-key", "status")
    assert after["previous"] == before["present"]
    assert after["present"] == after["database"] != before["present"]
    assert f"sealed {before['secrets']} secrets under the master key {after['present']}" in result.stdout
    assert f"the one before, {before['present']}, is {keys(console) / 'master.key.previous'}" in result.stdout
    assert "next: back up the new one apart from the database" in result.stdout
    assert f"{before['secrets']} of {before['secrets']} secrets sealed anew" in result.stderr
    assert f"{before['secrets']} of {before['secrets']} secrets read back" in result.stderr


def test_rotation_as_json_is_one_value(console: Console) -> None:
    before = console.json("master-key", "status")
    done = console.json("master-key", "rotate")
    assert done == {
        "master_key": console.json("master-key", "status")["present"],
        "replaced": before["present"],
        "secrets": before["secrets"],
        "file": before["file"],
        "previous_file": f"{before['file']}.previous",
        "by_another": False,
    }


def test_certificates_keys_and_the_trail_stay_as_they_are(console: Console) -> None:
    def listings() -> list[object]:
        return [console.json(noun, "list", "--namespace", "contoso") for noun in ("certificate", "key")]

    before = listings()
    console.ok("master-key", "rotate")
    assert listings() == before
    assert console.ok("audit", "verify").startswith("whole: ")
    trail = [record["action"] for record in console.json("audit", "list")]
    assert trail[-2:] == ["master-key.rotate", "master-key.rotated"]


def test_second_rotation_wants_the_previous_key_discarded_on_purpose(console: Console) -> None:
    console.ok("master-key", "rotate")
    assert "sts master-key discard-previous" in console.refused("master-key", "rotate")
    assert "say --yes" in console.refused("master-key", "discard-previous")
    assert names(console) == {"master.key", "master.key.previous"}
    previous = console.json("master-key", "status")["previous"]
    assert console.json("master-key", "discard-previous", "--yes") == {"discarded": previous}
    assert names(console) == {"master.key"}
    assert "there is no" in console.refused("master-key", "discard-previous", "--yes")
    console.ok("master-key", "rotate")


def test_prepared_key_waits_for_the_rotation(console: Console) -> None:
    told = console.ok("master-key", "prepare")
    prepared = console.json("master-key", "status")["next"]
    assert f"the next master key, {prepared}, waits in {keys(console) / 'master.key.next'}" in told
    assert (keys(console) / "master.key.next").stat().st_mode & 0o777 == 0o600
    assert console.json("master-key", "prepare")["next"] == prepared
    assert console.json("master-key", "rotate")["master_key"] == prepared


def test_database_from_before_a_rotation_needs_a_person(console: Console) -> None:
    copy_database(console.home / "sts.db", console.home / "backup.db")
    console.ok("master-key", "rotate")
    copy_database(console.home / "backup.db", console.home / "sts.db")
    result = console.run("master-key", "status")
    assert result.exit_code == 1
    assert "warning: the database is sealed under the previous master key" in result.stderr
    assert "`sts master-key rotate`" in result.stderr
    assert console.json("master-key", "rotate")["master_key"] == console.json("master-key", "status")["present"]
