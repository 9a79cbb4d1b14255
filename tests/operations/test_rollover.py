"""What rollover does by itself, on a real database under a clock that the test moves (rollover.md, "The plan")."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_private_key
from cryptography.x509 import load_der_x509_certificate

from sts.core.credentials import decryption_credentials, metadata_credential, published_decryption, published_signing
from sts.core.errors import IssuingFailed, KeyUnreadable, NamespaceNotFound
from sts.core.model import Credential, Kind, Namespace, Use
from sts.core.rollover import RingName
from sts.operations import audit, credential_states, new_credentials, rollover, watch
from sts.operations.installation import Installation
from sts.operations.new_credentials import CertificateFile, CertificateOrder
from sts.operations.rings import RingName as RingOf
from sts.operations.rings import Selection
from sts.settings import Settings
from tests.operations.credentials import generated
from tests.operations.rolling import (
    DECRYPTION,
    END,
    MINUTE,
    PUBLISHED,
    QUICK,
    SECOND,
    SIGNING,
    TURNED,
    audited,
    contoso,
    members,
    roll,
    roll_through,
    warnings,
)
from tests.operations.workbench import DAY, ENVIRONMENT, NOW, Workbench, workbench, write_pkcs12

HOUR = timedelta(hours=1)
AUTOMATIC = ["signing", "decryption", "tenant-ca"]
OAEP = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)


def test_each_step_is_done_from_its_instant_on_and_once(quick: Workbench) -> None:
    def all_rings(step: str) -> list[str]:
        return [f"{ring} {step}" for ring in AUTOMATIC]

    timeline = [
        (NOW, []),
        (PUBLISHED - SECOND, []),
        (PUBLISHED, all_rings("publish")),
        (PUBLISHED + HOUR, []),
        (TURNED - MINUTE - SECOND, []),
        (TURNED - MINUTE, all_rings("promote")),  # a minute ahead, so that every node has read it
        (TURNED + HOUR, []),
        (END, []),
        (END + SECOND, ["signing destroy", "tenant-ca destroy"]),
        (END + 30 * DAY, []),
        (END + 30 * DAY + SECOND, ["decryption destroy"]),
        (PUBLISHED + 640 * DAY - SECOND, []),
        (PUBLISHED + 640 * DAY, all_rings("publish")),
    ]
    assert roll_through(quick.installation, *[at for at, _ in timeline]) == [expected for _, expected in timeline]


@pytest.mark.parametrize(("ring", "grace"), [("signing", 0 * DAY), ("decryption", 30 * DAY), ("tenant-ca", 0 * DAY)])
def test_what_is_stored_are_the_instants_of_the_plan(quick: Workbench, ring: str, grace: timedelta) -> None:
    roll_through(quick.installation, PUBLISHED, TURNED - MINUTE, END + grace + SECOND)
    old, new = members(quick.installation, RingName(ring))
    assert (old.published_at, old.primary_from, old.demoted_at, old.not_after) == (NOW, NOW, TURNED, END)
    assert (new.created_at, new.published_at, new.not_before) == (PUBLISHED, PUBLISHED, PUBLISHED)
    assert (new.primary_from, new.demoted_at, new.not_after) == (TURNED, None, PUBLISHED + 730 * DAY)
    assert (old.predecessor_id, new.predecessor_id) == (None, old.id)
    assert (old.deleted_at, new.deleted_at) == (END + grace + SECOND, None)
    assert (new.subject == old.subject) is (ring != "tenant-ca")


def test_every_node_turns_in_the_very_second(quick: Workbench) -> None:
    roll_through(quick.installation, PUBLISHED, TURNED - MINUTE)
    namespace = contoso(quick.installation)
    old, new = members(quick.installation)
    signers = [metadata_credential(namespace, at) for at in (TURNED - SECOND, TURNED, TURNED + SECOND)]
    assert [signer.id for signer in signers] == [old.id, new.id, new.id]
    assert [c.id for c in published_signing(namespace, TURNED - SECOND)] == [old.id, new.id]
    assert [c.id for c in published_signing(namespace, TURNED)] == [new.id, old.id]


def test_every_step_is_audited_as_what_the_rollover_did(quick: Workbench) -> None:
    roll_through(quick.installation, PUBLISHED, TURNED - MINUTE, END + SECOND)
    assert audited(quick.installation) == [
        *[("rollover", "certificate.generate"), ("rollover", "rollover.publish")] * 3,
        *[("rollover", "rollover.promote")] * 3,
        *[("rollover", "rollover.destroy")] * 2,
    ]
    records = audit.list_newest(quick.installation, "contoso", 100)
    old, new = members(quick.installation)
    told = {r.action: (r.subject, r.at, r.details) for r in reversed(records) if r.details.get("ring") == "signing"}
    asked = {"ring": "signing", "thumbprint": new.thumbprint}
    assert told == {
        "rollover.publish": (f"credential:{new.id}", PUBLISHED, {**asked, "due": "2028-08-22T22:00:00Z"}),
        "rollover.promote": (
            f"credential:{new.id}",
            TURNED - MINUTE,
            {**asked, "due": "2028-10-06T22:00:00Z", "primary_from": "2028-10-06T22:00:00Z"},
        ),
        "rollover.destroy": (
            f"credential:{old.id}",
            END + SECOND,
            {"ring": "signing", "thumbprint": old.thumbprint, "due": "2028-11-20T22:00:01Z"},
        ),
    }


def test_a_destroyed_key_is_gone_and_its_tombstone_stays(quick: Workbench) -> None:
    old = members(quick.installation)[0]
    assert quick.installation.key_ring.secret(contoso(quick.installation), old)
    roll_through(quick.installation, PUBLISHED, TURNED - MINUTE, END + SECOND)
    with pytest.raises(KeyUnreadable):
        quick.installation.key_ring.secret(contoso(quick.installation), old)
    assert members(quick.installation)[0].certificate == old.certificate


SPOILING = """
CREATE TRIGGER spoil AFTER UPDATE OF sealed ON credential WHEN new.sealed IS NOT NULL AND new.use = 'signing'
BEGIN UPDATE credential SET sealed = {stored} WHERE id = new.id; END
"""


@pytest.mark.parametrize("stored", ["x'00'", "(SELECT sealed FROM credential WHERE id = 1)", "zeroblob(200)"])
def test_what_cannot_be_read_back_is_not_published(quick: Workbench, stored: str) -> None:
    def execute(statement: str) -> None:
        with quick.installation.database.recording() as connection:
            connection.exec_driver_sql(statement)

    execute("PRAGMA recursive_triggers = OFF")
    execute(SPOILING.format(stored=stored))
    before = members(quick.installation)
    watch.look(quick.installation, PUBLISHED - MINUTE)
    outcome = rollover.run(quick.installation, PUBLISHED)
    assert [(each.namespace, each.ring) for each in outcome.failed] == [("contoso", SIGNING)]
    assert [done.ring for done in outcome.done] == [RingName.DECRYPTION, RingName.TENANT_CA]
    assert members(quick.installation) == before
    assert audited(quick.installation).count(("rollover", "rollover.publish")) == 2
    execute("DROP TRIGGER spoil")
    assert roll(quick.installation, PUBLISHED + MINUTE) == ["signing publish"]


def encrypted_to(credential: Credential) -> bytes:
    """What a partner encrypts to a certificate that it read in the metadata."""
    key = load_der_x509_certificate(credential.certificate or b"").public_key()
    assert isinstance(key, RSAPublicKey)
    return key.encrypt(b"a content key", OAEP)


def decrypted(installation: Installation, namespace: Namespace, data: bytes, now: datetime) -> bytes | None:
    """What becomes of it with the keys that there are now, tried in order."""
    for credential in decryption_credentials(namespace, now):
        key = load_der_private_key(installation.key_ring.secret(namespace, credential), None)
        assert isinstance(key, RSAPrivateKey)
        try:
            return key.decrypt(data, OAEP)
        except ValueError:
            continue
    return None


def test_the_next_decryption_certificate_is_advertised_at_once_and_both_decrypt(quick: Workbench) -> None:
    installation = quick.installation
    roll(installation, PUBLISHED)
    old, new = members(installation, DECRYPTION)
    namespace = contoso(installation)
    assert [c.id for c in published_decryption(namespace, PUBLISHED - SECOND)] == [old.id]
    assert [c.id for c in published_decryption(namespace, PUBLISHED)] == [new.id, old.id]
    assert [c.id for c in decryption_credentials(namespace, PUBLISHED)] == [old.id, new.id]
    sent = [encrypted_to(credential) for credential in (old, new)]
    for now in (PUBLISHED, TURNED - MINUTE, END, END + SECOND, END + 30 * DAY):
        roll(installation, now)
        assert [decrypted(installation, contoso(installation), data, now) for data in sent] == [b"a content key"] * 2
    assert [c.id for c in published_decryption(contoso(installation), END + SECOND)] == [new.id]
    later = END + 30 * DAY + SECOND
    assert roll(installation, later) == ["decryption destroy"]
    assert [decrypted(installation, contoso(installation), data, later) for data in sent] == [None, b"a content key"]


@pytest.mark.parametrize(
    ("started", "turns", "urgent"),
    [
        pytest.param(-89 * DAY, -44 * DAY, False, id="a day late: the full turn"),
        pytest.param(-60 * DAY, -15 * DAY, False, id="a month late: the full turn"),
        pytest.param(-40 * DAY, -2 * DAY, False, id="later: two days before the end"),
        pytest.param(-3 * DAY, -2 * DAY, False, id="three days before the end"),
        pytest.param(-2 * DAY, -DAY, True, id="critical: a day in public all the same"),
        pytest.param(-HOUR, 23 * HOUR, True, id="an hour before the end: not before a day in public"),
        pytest.param(200 * DAY, 201 * DAY, True, id="long after the end"),
    ],
)
def test_a_server_that_was_off_for_long_makes_up_for_it_in_time(
    quick: Workbench, started: timedelta, turns: timedelta, urgent: bool
) -> None:
    installation = quick.installation
    watch.look(installation, END + started - MINUTE)
    done = [d for d in rollover.run(installation, END + started).done if d.ring is SIGNING]
    assert [(d.kind, d.urgent) for d in done] == [("publish", urgent)]
    assert [line for line in roll(installation, END + turns - MINUTE - SECOND) if "signing" in line] == []
    assert "signing promote" in roll(installation, END + turns - MINUTE)
    assert members(installation)[1].primary_from == END + turns
    assert metadata_credential(contoso(installation), END + turns).id == members(installation)[1].id


def test_a_promotion_that_came_late_waits_until_every_node_has_read_it(quick: Workbench) -> None:
    roll_through(quick.installation, PUBLISHED, TURNED + DAY)
    assert members(quick.installation)[1].primary_from == TURNED + DAY + timedelta(seconds=6)


def test_a_successor_that_came_to_nothing_is_replaced_by_another(quick: Workbench) -> None:
    roll_through(quick.installation, PUBLISHED, PUBLISHED + 3000 * DAY)
    old, lost, new = members(quick.installation)
    assert (lost.predecessor_id, new.predecessor_id) == (old.id, lost.id)
    assert (lost.primary_from, lost.deleted_at) == (None, PUBLISHED + 3000 * DAY)


def test_an_empty_ring_gets_its_first_which_is_primary_at_once(quick: Workbench) -> None:
    with quick.installation.database.recording() as connection:
        connection.exec_driver_sql("DELETE FROM credential WHERE use = 'decryption'")
    assert roll(quick.installation, NOW + DAY) == ["decryption publish"]
    (first,) = members(quick.installation, DECRYPTION)
    assert (first.primary_from, first.predecessor_id) == (NOW + DAY, None)


def configure(bench: Workbench, rings: str) -> None:
    bench.apply(f"namespace: contoso\nrollover:\n{rings}")


def make_primary(bench: Workbench, thumbprint: str, now: datetime) -> None:
    """An operator's decision; the hold that it leaves is released."""
    credential_states.make_primary(bench.installation, Selection(RingOf("contoso"), thumbprint=thumbprint), now)
    assert rollover.resume(bench.installation, "contoso", SIGNING, now)


def import_signing(bench: Workbench, path: Path) -> None:
    """An operator's own certificate, made primary."""
    write_pkcs12(path, subject="CN=bought", not_after=END)
    file = CertificateFile(RingOf("contoso"), path.read_bytes(), ENVIRONMENT["PFX"].encode())
    row = new_credentials.import_certificate(bench.installation, file, NOW).row
    make_primary(bench, row.thumbprint, NOW + MINUTE)


Left = Callable[[Workbench, Path], None]
LEFT_TO_PEOPLE: list[Left] = [
    lambda bench, path: configure(bench, "  signing: {automatic: false, key_type: p256}\n"),
    import_signing,
]


@pytest.mark.parametrize("leave", LEFT_TO_PEOPLE, ids=["a manual ring", "an imported primary"])
def test_a_ring_that_is_left_to_people_does_nothing_and_warns_at_the_same_instants(
    quick: Workbench, leave: Left, tmp_path: Path
) -> None:
    installation = quick.installation
    leave(quick, tmp_path / "bought.pfx")
    told = {}
    for now in (PUBLISHED - SECOND, PUBLISHED, TURNED, END, END + SECOND):
        assert {line for line in roll(installation, now) if line.startswith("signing ")} <= {"signing destroy"}
        told[now] = [w.text for w in warnings(installation, now) if w.subject == "signing"]
    assert told[PUBLISHED - SECOND] == []
    for now in (PUBLISHED, TURNED, END):
        assert "has no successor: `sts certificate generate --namespace contoso --use signing`" in told[now][0]
    assert told[PUBLISHED] != told[TURNED] == told[END], "the log tells each text once"
    assert "cannot be used any more; make another primary" in told[END + SECOND][0]
    with pytest.raises(IssuingFailed):
        metadata_credential(contoso(installation), END + SECOND)


def test_a_manual_ring_with_a_successor_warns_from_the_day_it_should_turn(quick: Workbench) -> None:
    configure(quick, "  signing: {automatic: false, key_type: p256}\n")
    generated(quick, now=PUBLISHED, life=730 * DAY)
    for now, expected in ((TURNED - SECOND, []), (TURNED, ["signing"])):
        told = warnings(quick.installation, now)
        assert [w.subject for w in told if "`sts certificate make-primary --namespace contoso" in w.text] == expected


def test_what_was_imported_is_never_destroyed_by_itself(quick: Workbench, tmp_path: Path) -> None:
    import_signing(quick, tmp_path / "bought.pfx")
    make_primary(quick, members(quick.installation)[0].thumbprint, NOW + DAY)
    roll_through(quick.installation, PUBLISHED, TURNED - MINUTE, END + SECOND)
    made, bought, _ = members(quick.installation)
    assert (made.deleted_at, bought.subject, bought.deleted_at) == (END + SECOND, "CN=bought", None)


def test_symmetric_keys_roll_where_the_policy_says_so(quick: Workbench) -> None:
    configure(quick, "  signing-keys: {automatic: true, lifetime: 730d}\n")
    end = members(quick.installation, RingName.SIGNING_KEYS)[0].not_after
    for now, step in ((end - 90 * DAY, "publish"), (end - 45 * DAY - MINUTE, "promote"), (end + SECOND, "destroy")):
        assert f"signing-keys {step}" in roll(quick.installation, now)
    old, new = members(quick.installation, RingName.SIGNING_KEYS)
    assert (new.kind, new.use, new.not_after - new.not_before) == (Kind.SYMMETRIC, Use.SIGNING, 730 * DAY)
    assert (old.demoted_at, new.primary_from) == (end - 45 * DAY, end - 45 * DAY)


def test_one_namespace_is_run_alone(quick: Workbench) -> None:
    quick.apply(QUICK.replace("contoso", "fabrikam"))
    watch.look(quick.installation, PUBLISHED - MINUTE)
    done = rollover.run(quick.installation, PUBLISHED, "fabrikam").done
    assert [(d.namespace, d.ring) for d in done] == [("fabrikam", ring) for ring in AUTOMATIC]
    assert roll(quick.installation, PUBLISHED) == [f"{ring} publish" for ring in AUTOMATIC]
    with pytest.raises(NamespaceNotFound):
        rollover.run(quick.installation, PUBLISHED, "northwind")


def test_progress_is_told_before_each_step(quick: Workbench) -> None:
    told: list[str] = []
    watch.look(quick.installation, PUBLISHED - MINUTE)
    rollover.run(quick.installation, PUBLISHED, progress=told.append)
    assert told == [f"contoso {ring}: publish" for ring in AUTOMATIC]


def test_the_settings_of_an_installation_move_every_ring_that_has_no_policy_of_its_own(tmp_path: Path) -> None:
    environ = {
        "STS_ROLLOVER_LIFETIME": "100d",
        "STS_ROLLOVER_LEAD": "40d",
        "STS_ROLLOVER_TURN": "10d",
        "STS_ROLLOVER_KEY_TYPE": "p256",
    }
    bench = workbench(tmp_path)
    defaults = Settings.from_environ(environ).ring_defaults
    bench = replace(bench, installation=replace(bench.installation, defaults=defaults))
    bench.apply("{namespace: contoso, rollover: {tenant-ca: {lifetime: 2y, lead: 90d, turn: 45d, key_type: p256}}}")
    made = {name: members(bench.installation, name)[0] for name in RingName}
    lives = {name.value: (each.not_after - each.not_before) // DAY for name, each in made.items()}
    assert lives == {"signing": 100, "decryption": 100, "tenant-ca": 730, "signing-keys": 3650}
    assert made[RingName.SIGNING].key_type == "p256"
    assert roll_through(bench.installation, NOW + 60 * DAY - SECOND, NOW + 60 * DAY) == [
        [],
        ["signing publish", "decryption publish"],
    ]
    assert roll_through(bench.installation, NOW + 70 * DAY - MINUTE) == [["signing promote", "decryption promote"]]
    row = new_credentials.generate_certificate(bench.installation, CertificateOrder(RingOf("contoso")), NOW).row
    assert row.not_after == NOW + 100 * DAY


def test_settings_may_leave_every_ring_to_people(tmp_path: Path) -> None:
    bench = workbench(tmp_path)
    defaults = Settings.from_environ({"STS_ROLLOVER_AUTOMATIC": "false", "STS_ROLLOVER_KEY_TYPE": "p256"}).ring_defaults
    bench = replace(bench, installation=replace(bench.installation, defaults=defaults))
    bench.apply("{namespace: contoso, rollover: {signing: {automatic: true}}}")
    assert roll(bench.installation, NOW + 640 * DAY) == ["signing publish"]
