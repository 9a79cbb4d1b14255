"""`sts namespace`, `sts apply`, `sts export`, `sts schema`, `sts metadata`, `sts audit`, and faults of the home."""

import json
from pathlib import Path

import pytest
from lxml import etree
from sqlalchemy import create_engine, text

from tests.cli.console import Console
from tests.cli.homes import CONTOSO, PASSWORD

KEY_OF_ENTITY = "{urn:oasis:names:tc:SAML:2.0:metadata}EntityDescriptor"


def test_a_namespace_is_created_listed_and_deleted(console: Console) -> None:
    made = console.json("namespace", "create", "fabrikam")
    assert made == {"name": "fabrikam", "issuer": "http://127.0.0.1:8000/fabrikam/", "hosts": []}
    assert [each["name"] for each in console.json("namespace", "list")] == ["contoso", "fabrikam"]
    assert len(console.json("certificate", "list", "--namespace", "fabrikam")) == 2
    assert "already" in console.refused("namespace", "create", "fabrikam")
    assert console.ok("namespace", "delete", "fabrikam", "--yes") == "deleted namespace fabrikam\n"
    assert "there is no namespace 'fabrikam'" in console.refused("namespace", "delete", "fabrikam", "--yes")


def test_without_a_terminal_a_namespace_is_deleted_only_with_yes(console: Console) -> None:
    assert "that takes --yes" in console.refused("namespace", "delete", "contoso", stdin=b"contoso\n")
    assert len(console.json("namespace", "list")) == 1


def test_a_file_is_applied_once_and_then_changes_nothing(console: Console) -> None:
    file = console.home / "contoso.yaml"
    assert console.ok("apply", file, PASSWORD=PASSWORD) == "no changes\n"
    file.write_text(CONTOSO.replace("relying_parties:", "session: 4h\nrelying_parties:"))
    planned = console.json("apply", file, "--dry-run", PASSWORD=PASSWORD)
    assert planned["dry_run"]
    assert [(each["action"], each["noun"]) for each in planned["changes"]] == [("changed", "namespace")]
    assert console.ok("apply", file, "--dry-run", PASSWORD=PASSWORD).startswith("would have changed namespace contoso")
    assert console.ok("apply", "-", stdin=file.read_bytes(), PASSWORD=PASSWORD).startswith("changed namespace contoso")
    assert console.json("apply", file, PASSWORD=PASSWORD)["changes"] == []


def test_what_a_file_leaves_out_is_told_and_deleted_only_when_pruned(console: Console) -> None:
    file = console.home / "less.yaml"
    file.write_text("namespace: contoso\nservice_identities: []\n")
    assert "worker (--prune deletes it)" in console.ok("apply", file)
    assert console.ok("apply", file, "--prune") == "deleted service identity worker\n"
    assert console.ok("apply", file, "--prune") == "no changes\n"


def test_every_fault_of_a_file_is_told_with_its_line(console: Console) -> None:
    file = console.home / "bad.yaml"
    file.write_text("namespace: fabrikam\nsession: soon\nhosts: [A.example]\nnonsense: 1\n")
    message = console.refused("apply", file)
    assert [f"line {line}: " in message for line in (1, 2, 3, 4)] == [False, True, True, True]
    assert len(console.json("namespace", "list")) == 1


def test_an_export_is_applied_again_without_changes(console: Console) -> None:
    exported = console.ok("export", "contoso")
    assert PASSWORD not in exported
    assert "BEGIN PRIVATE" not in exported
    assert console.ok("apply", "-", stdin=exported.encode()) == "no changes\n"
    assert "nobody" in console.refused("export", "nobody")


def test_the_schema_is_json(tmp_path: Path) -> None:
    assert json.loads(Console(tmp_path / "none").ok("schema"))["title"] == "Configuration of one namespace"


def test_metadata_is_shown_and_written_to_the_exchange_folder(console: Console) -> None:
    shown = console.ok("metadata", "show", "--namespace", "contoso").encode()
    assert etree.fromstring(shown).tag == KEY_OF_ENTITY
    value = console.json("metadata", "show", "--namespace", "contoso")
    assert value["document"].encode() == shown.rstrip(b"\n")
    assert value["address"] == "http://127.0.0.1:8000/contoso/FederationMetadata/2007-06/FederationMetadata.xml"
    written = console.json("metadata", "export", "--namespace", "contoso")
    assert Path(written["destination"]) == console.home / "metadata" / "contoso.xml"
    assert Path(written["destination"]).read_bytes() == shown.rstrip(b"\n")
    console.ok("metadata", "export", "--namespace", "contoso", "--destination", console.home / "x.xml")
    assert (console.home / "x.xml").read_bytes() == shown.rstrip(b"\n")


def test_metadata_that_nothing_may_sign_is_refused_with_the_remedy(console: Console) -> None:
    console.ok("certificate", "revoke", "--namespace", "contoso", "--index", 1, "--force")
    message = console.refused("metadata", "export", "--namespace", "contoso")
    assert "was revoked on" in message
    assert "sts certificate make-primary --namespace contoso" in message
    assert not (console.home / "metadata" / "contoso.xml").exists()


def test_the_audit_trail_tells_who_did_what(console: Console) -> None:
    console.ok("namespace", "create", "fabrikam")
    records = console.json("audit", "list")
    assert [record["sequence"] for record in records] == list(range(1, len(records) + 1))
    assert all(record["actor"].startswith("cli:") for record in records)
    assert {record["namespace"] for record in console.json("audit", "list", "--namespace", "fabrikam")} == {"fabrikam"}
    assert console.json("audit", "list", "--limit", 2) == records[-2:]
    assert len(console.ok("audit", "list").splitlines()) == len(records) + 1
    head = console.json("audit", "verify")
    assert head == {"sequence": len(records), "hash": records[-1]["hash"]}
    assert console.ok("audit", "verify").startswith(f"whole: {len(records)} records")


@pytest.mark.parametrize(
    ("damage", "sequence"),
    [
        ("UPDATE audit SET actor = 'nobody' WHERE sequence = 2", 2),
        ("UPDATE audit SET details = '{}' WHERE sequence = 3", 3),
        ("DELETE FROM audit WHERE sequence = 2", 2),
    ],
)
def test_an_altered_audit_trail_names_its_first_broken_record(console: Console, damage: str, sequence: int) -> None:
    engine = create_engine(f"sqlite:///{console.home}/sts.db")
    with engine.begin() as connection:
        for trigger in connection.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all():
            connection.execute(text(f"DROP TRIGGER {trigger}"))
        connection.execute(text(damage))
    engine.dispose()
    assert f"audit record {sequence} " in console.refused("audit", "verify", "--json")


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"STS_BASE_URL": "http://sts.example"}, "plain http, which is allowed for a loopback address only"),
        ({"STS_WORKERS": "none"}, "STS_WORKERS"),
        ({"STS_BASE_URL": "x", "STS_WORKERS": "none", "STS_LOG_FORMAT": "xml"}, "STS_LOG_FORMAT"),
    ],
)
def test_wrong_settings_are_told_all_at_once(console: Console, settings: dict[str, str], error: str) -> None:
    message = console.refused("namespace", "list", **settings)
    assert error in message
    assert all(name in message for name in settings)


def test_a_master_key_that_others_can_read_stops_every_command(console: Console) -> None:
    (console.home / "keys" / "master.key").chmod(0o644)
    assert "master key" in console.refused("namespace", "list")
    assert "master key" in console.refused("serve")


def test_a_missing_master_key_is_not_replaced(console: Console) -> None:
    (console.home / "keys" / "master.key").unlink()
    assert "master key" in console.refused("certificate", "list", "--namespace", "contoso")
    assert not (console.home / "keys" / "master.key").exists()
