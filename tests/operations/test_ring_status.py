"""What `sts rollover status` warns of, in every ring, before nothing signs any more."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from sts.core.credentials import metadata_credential, published_decryption, signing_credential
from sts.core.errors import IssuingFailed
from sts.core.model import KeyType, Kind, Use
from sts.core.rollover import RingName as CoreRing
from sts.operations import credential_states, new_credentials, ring_status, rollover
from sts.operations.credential_states import Breakage
from sts.operations.new_credentials import CertificateFile, CertificateOrder, KeyOrder
from sts.operations.rings import Listing, Outcome, RingName, Selection, list_credentials
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
    contoso,
    members,
    ring_state,
    roll,
    warnings,
)
from tests.operations.workbench import DAY, ENVIRONMENT, NOW, Workbench, write_pkcs12

RING = RingName("contoso")
ORDERS = RingName("contoso", relying_party="orders")
SWT = RingName("contoso", kind=Kind.SYMMETRIC, relying_party="swt")
MANUAL = QUICK.replace("signing: {", "signing: {automatic: false, ")


def texts(bench: Workbench, now: datetime, subject: str = "signing") -> list[str]:
    return [w.text for w in warnings(bench.installation, now) if w.subject == subject]


def late_certificate(bench: Workbench, ring: RingName = RING) -> Outcome:
    """One that begins a day after the primary's end, as an operator who mistook the year might make it."""
    order = CertificateOrder(ring, None, 730 * DAY, KeyType.P256, END + DAY)
    return new_credentials.generate_certificate(bench.installation, order, NOW)


def late_schedule(bench: Workbench) -> None:
    """The next one made primary by hand, but for after the end."""
    row = generated(bench, life=900 * DAY).row
    this = Selection(RING, thumbprint=row.thumbprint)
    credential_states.make_primary(bench.installation, this, NOW + DAY, END + DAY)
    rollover.resume(bench.installation, "contoso", SIGNING, NOW + DAY)


@pytest.mark.parametrize("late", [late_certificate, late_schedule])
def test_an_automatic_ring_makes_another_successor_where_the_one_it_has_would_come_too_late(
    quick: Workbench, late: Callable[[Workbench], object]
) -> None:
    late(quick)
    assert [line for line in roll(quick.installation, PUBLISHED) if "signing" in line] == ["signing publish"]
    assert [line for line in roll(quick.installation, TURNED - MINUTE) if "signing" in line] == ["signing promote"]
    for now in (TURNED, END + SECOND, END + DAY, END + 100 * DAY):
        roll(quick.installation, now)
        assert metadata_credential(contoso(quick.installation), now).id == members(quick.installation)[2].id
        assert texts(quick, now) == []


@pytest.mark.parametrize("late", [late_certificate, late_schedule])
def test_a_held_or_manual_ring_warns_from_the_lead_on_of_a_successor_that_comes_too_late(
    quick: Workbench, late: Callable[[Workbench], object]
) -> None:
    quick.apply(MANUAL)
    late(quick)
    assert texts(quick, PUBLISHED - SECOND) == []
    (first,), (again,) = texts(quick, PUBLISHED), texts(quick, TURNED)
    expected = "takes over only on 2028-11-21" if late is late_schedule else "has no successor: `sts certificate gen"
    assert expected in first
    assert again.startswith(first)
    assert again != first


def test_an_automatic_ring_whose_successor_must_come_late_warns_of_it(quick: Workbench) -> None:
    roll(quick.installation, END - timedelta(hours=2))
    (told,) = texts(quick, END - timedelta(hours=1))
    assert "ends on 2028-11-20T22:00:00Z and its successor takes over by itself only on 2028-11-21T20:00:00Z" in told
    assert "`sts certificate make-primary --namespace contoso --use signing --thumbprint" in told
    (told,) = texts(quick, END + timedelta(hours=1))
    assert told.endswith("has expired; its successor takes over by itself on 2028-11-21T20:00:00Z")
    assert "make-primary" not in told


def test_a_relying_partys_own_ring_warns_with_its_name_in_the_command(quick: Workbench) -> None:
    generated(quick, ORDERS, life=730 * DAY)
    subject = "relying party orders"
    told = [texts(quick, now, subject) for now in (PUBLISHED - SECOND, PUBLISHED, TURNED)]
    assert told[0] == []
    command = "`sts certificate generate --namespace contoso --relying-party orders --use signing`"
    assert [len(each) for each in told] == [0, 1, 1]
    assert command in told[1][0]
    assert command in told[2][0]
    assert told[1] != told[2]


def revoked(bench: Workbench) -> None:
    generated(bench, ORDERS, life=730 * DAY)
    credential_states.revoke(bench.installation, Selection(ORDERS, 1), NOW, Breakage.ACCEPTED)


def to_come(bench: Workbench) -> None:
    late_certificate(bench, ORDERS)


def key_revoked(bench: Workbench) -> None:
    new_credentials.generate_key(bench.installation, KeyOrder(SWT), NOW)
    credential_states.revoke(bench.installation, Selection(SWT, 1), NOW, Breakage.ACCEPTED)


@pytest.mark.parametrize(
    ("happens", "party", "reason"),
    [
        (revoked, "orders", "was revoked on"),
        (to_come, "orders", "is not valid before 2028-11-21T22:00:00Z"),
        (key_revoked, "swt", "was revoked on"),
    ],
)
def test_a_relying_party_for_which_nothing_can_sign_is_a_warning(
    quick: Workbench, happens: Callable[[Workbench], None], party: str, reason: str
) -> None:
    happens(quick)
    (told,) = texts(quick, NOW + DAY, f"relying party {party}")
    assert told.startswith("no token can be issued: ")
    assert reason in told
    assert f"--namespace contoso --relying-party {party}" in told
    assert ring_status.status(quick.installation, "contoso", NOW + DAY).needs_person


def test_a_gap_between_two_certificates_of_a_relying_party_is_known_beforehand(quick: Workbench) -> None:
    generated(quick, ORDERS, life=730 * DAY)
    late_certificate(quick, ORDERS)
    (told,) = texts(quick, PUBLISHED, "relying party orders")
    assert "takes over only on 2028-11-21T22:00:00Z: in between there is none" in told


def test_a_key_that_has_expired_gives_way_to_the_namespaces_with_a_warning(quick: Workbench) -> None:
    new_credentials.generate_key(quick.installation, KeyOrder(SWT, NOW, NOW + 100 * DAY), NOW)
    assert "has no successor: `sts key generate" in texts(quick, NOW + 60 * DAY, "relying party swt")[0]
    assert texts(quick, NOW + 101 * DAY, "relying party swt")[0].endswith("the namespace's key signs instead")


def test_a_namespace_without_keys_warns_where_somebody_needs_one(quick: Workbench) -> None:
    with quick.installation.database.recording() as connection:
        connection.exec_driver_sql("DELETE FROM credential WHERE kind = 'symmetric'")
    (told,) = texts(quick, NOW, "signing-keys")
    assert told.startswith("no token for swt: no symmetric signing key can sign: there is none")
    quick.apply("{namespace: contoso, relying_parties: [{name: swt, realm: urn:swt, token_format: jwt}]}")
    assert texts(quick, NOW, "signing-keys") == []


@pytest.mark.parametrize("leave", ["manual", "held"])
def test_keys_that_have_ended_are_destroyed_in_rings_that_people_look_after(quick: Workbench, leave: str) -> None:
    row = generated(quick, life=900 * DAY).row
    quick.apply(MANUAL if leave == "manual" else QUICK)
    credential_states.make_primary(quick.installation, Selection(RING, thumbprint=row.thumbprint), NOW + DAY)
    assert [line for line in roll(quick.installation, END) if "signing" in line] == []
    assert [line for line in roll(quick.installation, END + SECOND) if "signing" in line] == ["signing destroy"]
    assert [line for line in roll(quick.installation, NOW + 1000 * DAY) if "signing" in line] == []


def test_keys_of_relying_parties_that_have_ended_are_destroyed_but_for_the_last(quick: Workbench) -> None:
    for life in (100 * DAY, 200 * DAY):
        generated(quick, ORDERS, life=life)
    listed = Listing("contoso", Kind.CERTIFICATE, relying_party="orders")
    assert ring_status.status(quick.installation, "contoso", NOW).rings[0].next_step == "publish", "its own next step"
    for now, kept in ((NOW + 100 * DAY, 2), (NOW + 100 * DAY + SECOND, 1), (NOW + 300 * DAY, 1)):
        roll(quick.installation, now)
        assert len(list_credentials(quick.installation, listed, now)) == kept
    with pytest.raises(IssuingFailed):
        raise_refusal(quick, NOW + 300 * DAY)


def raise_refusal(bench: Workbench, now: datetime) -> None:
    known = bench.known()
    assert known.namespace is not None
    signing_credential(known.namespace, known.relying_parties["orders"], now)


def test_an_expired_decryption_certificate_tells_when_its_key_is_destroyed(quick: Workbench) -> None:
    for now in (PUBLISHED, TURNED - MINUTE, END + SECOND):
        roll(quick.installation, now)
    listed = list_credentials(quick.installation, Listing("contoso", Kind.CERTIFICATE, Use.DECRYPTION), END + SECOND)
    assert [(row.status, row.next_step) for row in listed] == [("Active", "retired"), ("Expired", "destroyed")]
    assert listed[1].next_step_at == END + 30 * DAY + SECOND


def imported(bench: Workbench, path: Path, ends: datetime) -> Outcome:
    write_pkcs12(path, subject="CN=bought", not_after=ends)
    file = CertificateFile(RING, path.read_bytes(), ENVIRONMENT["PFX"].encode())
    return new_credentials.import_certificate(bench.installation, file, NOW)


def test_whoever_imports_into_an_automatic_ring_is_told_what_becomes_of_it(quick: Workbench, tmp_path: Path) -> None:
    (told,) = imported(quick, tmp_path / "long.pfx", END + 300 * DAY).warnings
    assert "rolls over by itself: this one takes over on 2028-10-06T22:00:00Z; nothing replaces it by itself" in told
    (told,) = imported(quick, tmp_path / "short.pfx", END - DAY).warnings
    assert told == "the ring signing rolls over by itself and passes this one over, unless it is made primary"
    quick.apply(MANUAL)
    assert imported(quick, tmp_path / "manual.pfx", END + 400 * DAY).warnings == ()


@pytest.mark.parametrize(("written", "mode"), [("", "manual"), ("automatic: true, ", "automatic")])
def test_a_policy_that_says_so_makes_a_ring_automatic_whatever_its_primary(
    quick: Workbench, tmp_path: Path, written: str, mode: str
) -> None:
    quick.apply(QUICK.replace("signing: {", f"signing: {{{written}"))
    row = imported(quick, tmp_path / "bought.pfx", END).row
    credential_states.make_primary(quick.installation, Selection(RING, thumbprint=row.thumbprint), NOW + MINUTE)
    rollover.resume(quick.installation, "contoso", SIGNING, NOW + MINUTE)
    found = ring_status.status(quick.installation, "contoso", NOW + DAY)
    assert found.rings[0].mode == mode
    expected = ["signing publish"] if mode == "automatic" else []
    assert [line for line in roll(quick.installation, PUBLISHED) if "signing" in line] == expected


def test_partners_encrypt_to_the_primary_while_the_ring_is_held(quick: Workbench) -> None:
    roll(quick.installation, PUBLISHED)
    old, new = members(quick.installation, DECRYPTION)
    assert published_decryption(contoso(quick.installation), PUBLISHED)[0] == new
    ring = RingName("contoso", Use.DECRYPTION)
    credential_states.make_primary(quick.installation, Selection(ring, thumbprint=old.thumbprint), PUBLISHED + DAY)
    assert ring_state(quick.installation, DECRYPTION).hold is not None
    assert published_decryption(contoso(quick.installation), PUBLISHED + DAY)[0].id == old.id
    rollover.resume(quick.installation, "contoso", CoreRing.DECRYPTION, PUBLISHED + DAY)
    assert published_decryption(contoso(quick.installation), PUBLISHED + DAY)[0].id == new.id
