"""Faults F06 to F09 as people meet them: at the start of the service, at its endpoints and at the command line."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from sts.assemble import assemble
from sts.core.errors import MasterKeyError, StoreUnavailable
from sts.core.model import Credential, Use
from sts.crypto.sealing import MasterKey
from sts.settings import Settings
from sts.store import tables
from sts.web.app import create_app
from tests.cli.console import Console
from tests.flows.operators import KEYS, NAMESPACE, delete, first, generate, promote, revoke
from tests.flows.world import World, lend, open_world
from tests.threats.endpoints import OAUTH, WRAP, ask, contents, send
from tests.threats.test_wrap_assertions import form, text
from tests.tokens.compact import swt

CREDENTIAL = tables.credential
FABRIKAM = """
namespace: fabrikam
relying_parties:
  - {name: jwt, realm: "https://jwt.example/", token_format: jwt, rule_groups: [all]}
service_identities:
  - {name: worker, password: "env:WORKER_PASSWORD"}
rule_groups:
  - {name: all, rules: [{input: {issuer: LOCAL AUTHORITY}}]}
"""
DEDICATED = """
namespace: contoso
relying_parties:
  - name: {format}
    realm: "https://{format}.example/"
    token_format: {format}
    rule_groups: [all]
    credentials: [{{use: signing, kind: symmetric, value: "env:WORKER_KEY", not_before: 2026-01-01T00:00:00Z,
                   not_after: 2027-01-01T00:00:00Z, primary: true}}]
"""

Damage = Callable[[Path], None]


def lose(path: Path) -> None:
    """The file is not there."""
    path.unlink()


def replace_by_another(path: Path) -> None:
    """The file holds a good master key, of another installation."""
    path.unlink()
    MasterKey.create(path)


def shorten(path: Path) -> None:
    """The file is cut."""
    path.write_bytes(path.read_bytes()[:31])


DAMAGES: list[tuple[str, Damage, str]] = [
    ("F06-missing", lose, "is missing, and the database holds secrets that only it opens; restore it"),
    ("F06-wrong", replace_by_another, "not the master key that the database was sealed under; restore that one"),
    ("F06-cut", shorten, "does not have 32 bytes"),
    ("F06-0644", lambda path: path.chmod(0o644), "chmod it to 0600"),
    ("F06-0640", lambda path: path.chmod(0o640), "chmod it to 0600"),
    ("F06-folder", lambda path: (path.unlink(), path.mkdir())[1], "cannot be read"),
]


@pytest.mark.parametrize(("damage", "sentence"), [row[1:] for row in DAMAGES], ids=[row[0] for row in DAMAGES])
def test_start_is_refused_with_a_sentence_and_changes_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, damage: Damage, sentence: str
) -> None:
    before, path = contents(world), world.home / "keys" / "master.key"
    damage(path)
    there = path.is_file() and path.read_bytes()
    monkeypatch.setattr(os, "environ", {**os.environ, "STS_HOME": str(world.home)})
    for start in (lambda: assemble(Settings.from_environ(os.environ)), create_app):
        with pytest.raises(MasterKeyError) as refused:
            start()
        assert "master key" in refused.value.message
        assert sentence in refused.value.message
    console = Console(world.home)
    for command in (["serve"], ["namespace", "list"], ["certificate", "list", "--namespace", "contoso"]):
        told = console.refused(*command)
        assert "master key" in told
        assert sentence in told
    assert (path.is_file() and path.read_bytes()) == there, "no key is made in place of the one that is needed"
    assert contents(world) == before


def test_f06_master_key_is_made_only_while_nothing_depends_on_one(tmp_path: Path) -> None:
    assemble(Settings.from_environ({"STS_HOME": str(tmp_path)})).installation.database.close()
    path = tmp_path / "keys" / "master.key"
    made = path.read_bytes()
    assert (path.stat().st_mode & 0o777, len(made)) == (0o600, 32)
    path.unlink()
    assemble(Settings.from_environ({"STS_HOME": str(tmp_path)})).installation.database.close()
    assert path.read_bytes() != made


def sealed(world: World, namespace: str, use: Use = Use.SIGNING, kind: str = "certificate") -> bytes:
    """The sealed secret of a namespace's own credential."""
    owner = world.service.directory.namespace(namespace)
    credential = next(c for c in owner.credentials if (c.use, c.kind) == (use, kind))
    with world.service.installation.database.reading() as connection:
        return bytes(connection.scalar(sa.select(CREDENTIAL.c.sealed).where(CREDENTIAL.c.id == credential.id)) or b"")


def overwrite(world: World, credential: Credential, secret: bytes) -> None:
    """Put another sealed secret into the row of a credential."""
    with world.service.installation.database.recording() as connection:
        connection.execute(sa.update(CREDENTIAL).where(CREDENTIAL.c.id == credential.id).values(sealed=secret))


def statuses(world: World) -> dict[str, int]:
    """The status of a good request for each relying party."""
    parties = ("swt", "hs256", "jwt", "saml11", "saml20")
    return {party: ask(world, OAUTH, OAUTH.form(realm=f"https://{party}.example/")).status_code for party in parties}


def alarm(world: World, credential: Credential) -> None:
    """The last request met a credential that does not open: an alarm in the log, and the public answer."""
    record = world.records()[-1]
    assert (record["status"], record["alarm"], record["message"]) == (500, True, "a stored key cannot be opened")
    assert f"|contoso|{credential.id}|" in record["detail"]
    answer = ask(world, OAUTH, OAUTH.form(realm="https://jwt.example/"))
    assert "ACS50000: There was an error issuing a token." in answer.text
    assert "cannot be opened" not in answer.text


@pytest.mark.parametrize("source", ["F07-namespace", "F07-use"])
def test_copied_row_does_not_open_and_others_serve(world: World, source: str) -> None:
    world.apply(FABRIKAM)
    signing = first(world, NAMESPACE)
    copies = {"F07-namespace": ("fabrikam", Use.SIGNING), "F07-use": ("contoso", Use.DECRYPTION)}
    overwrite(world, signing, sealed(world, *copies[source]))
    for restarted in lend(open_world(world.home)):
        assert statuses(restarted) == {"swt": 200, "hs256": 200, "jwt": 500, "saml11": 500, "saml20": 500}
        alarm(restarted, signing)
        form = OAUTH.form(realm="https://jwt.example/")
        assert send(restarted, "/fabrikam/oauth2/token", form).status_code == 200
        assert send(restarted, "/contoso/.well-known/jwks.json", method="GET").status_code == 200


@pytest.mark.parametrize("position", [0, 5, 40, 100, -1], ids=lambda position: f"F08-byte-{position}")
def test_flipped_bit_spoils_one_key_and_the_others_serve(world: World, position: int) -> None:
    spoilt, successor = first(world, NAMESPACE), generate(world, NAMESPACE)
    flipped = bytearray(sealed(world, "contoso"))
    flipped[position] ^= 1
    overwrite(world, spoilt, bytes(flipped))
    for restarted in lend(open_world(world.home)):
        assert statuses(restarted) == {"swt": 200, "hs256": 200, "jwt": 500, "saml11": 500, "saml20": 500}
        alarm(restarted, spoilt)
        assert sealed(restarted, "contoso") == bytes(flipped), "it is never replaced silently"
        promote(restarted, NAMESPACE, successor)
        restarted.move(hours=1)
        assert set(statuses(restarted).values()) == {200}


def test_f08_worker_that_has_the_key_in_memory_serves_on(world: World) -> None:
    assert set(statuses(world).values()) == {200}
    overwrite(world, first(world, NAMESPACE), b"damaged")
    assert set(statuses(world).values()) == {200}


def test_f08_spoilt_key_of_a_service_identity_leaves_the_others_alone(world: World) -> None:
    table = tables.service_identity
    with world.service.installation.database.recording() as connection:
        connection.execute(sa.update(table).where(table.c.name == "old").values(symmetric_key=b"damaged"))
    old, worker = (swt(text(world, name), key * 32) for name, key in (("old", b"o"), ("worker", b"w")))
    assert ask(world, WRAP, form(old)).status_code == 500
    assert world.records()[-1]["alarm"] is True
    assert ask(world, WRAP, form(worker)).status_code == 200


def rename_audit(world: World) -> None:
    """The audit trail cannot be written any more."""
    with world.service.installation.database.recording() as connection:
        connection.exec_driver_sql("ALTER TABLE audit RENAME TO elsewhere")


OPERATIONS: list[tuple[str, Callable[[World, Credential], object]]] = [
    ("F09-namespace", lambda world, spare: world.apply(FABRIKAM)),
    ("F09-dedicated", lambda world, spare: world.apply(DEDICATED.format(format="swt"))),
    ("F09-generate-certificate", lambda world, spare: generate(world, NAMESPACE)),
    ("F09-generate-key", lambda world, spare: generate(world, KEYS)),
    ("F09-make-primary", lambda world, spare: promote(world, NAMESPACE, spare)),
    ("F09-revoke", lambda world, spare: revoke(world, NAMESPACE, spare)),
    ("F09-delete", lambda world, spare: delete(world, NAMESPACE, spare)),
]


@pytest.mark.parametrize("operation", [row[1] for row in OPERATIONS], ids=[row[0] for row in OPERATIONS])
def test_key_operation_is_refused_while_the_audit_trail_cannot_be_written(
    world: World, operation: Callable[[World, Credential], object]
) -> None:
    spare = generate(world, NAMESPACE)
    before = contents(world)
    rename_audit(world)
    with pytest.raises(StoreUnavailable):
        operation(world, spare)
    with world.service.installation.database.recording() as connection:
        connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO audit")
    assert contents(world) == before
    operation(world, spare)
    assert contents(world) != before


def test_f09_command_is_refused_and_tokens_are_still_issued(world: World) -> None:
    rename_audit(world)
    console = Console(world.home)
    assert console.refused("certificate", "generate", "--namespace", "contoso", "--use", "signing")
    assert set(statuses(world).values()) == {200}
