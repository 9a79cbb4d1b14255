"""Who takes the place of what is revoked, and who breaks where nobody does."""

from datetime import timedelta

import pytest

from sts.core.credentials import Status, primary
from sts.core.errors import Conflict, KeyUnreadable
from sts.core.model import KeyType, Kind, Use
from sts.operations import credential_states, new_credentials, rollover
from sts.operations.credential_states import Breakage
from sts.operations.new_credentials import CertificateOrder, KeyOrder
from sts.operations.rings import Outcome, RingName, Selection
from tests.operations.credentials import generated
from tests.operations.rolling import (
    END,
    MINUTE,
    PUBLISHED,
    SECOND,
    SIGNING,
    TURNED,
    members,
    ring_state,
    roll,
    warnings,
)
from tests.operations.workbench import DAY, NOW, Workbench, write_certificate

RING = RingName("contoso")
PARTNERS = """
namespace: contoso
relying_parties:
  - {name: swt, realm: urn:swt, token_format: swt}
  - {name: stays, realm: urn:stays, token_format: swt}
  - {name: gone, realm: urn:gone, token_format: swt}
identity_providers:
  - {name: adfs, kind: ws-federation, issuer: urn:adfs, certificates: [adfs.cer]}
  - {name: off, kind: ws-federation, issuer: urn:off, certificates: [adfs.cer], enabled: false}
  - {name: people, kind: local}
"""


def partners(bench: Workbench) -> None:
    write_certificate(bench.installation.home / "adfs.cer")
    bench.apply(PARTNERS)


def revoke(bench: Workbench, ring: RingName, breakage: Breakage = Breakage.REFUSED, day: int = 1) -> Outcome:
    """Revoke the active one of a ring."""
    return credential_states.revoke(bench.installation, Selection(ring, 1), NOW + day * DAY, breakage)


def spoil(bench: Workbench, thumbprint: str) -> None:
    """Turn a bit of a sealed key."""
    with bench.installation.database.recording() as connection:
        sealed = connection.exec_driver_sql(
            "SELECT sealed FROM credential WHERE thumbprint = ?", (thumbprint,)
        ).scalar()
        assert isinstance(sealed, bytes)
        turned = sealed[:-1] + bytes([sealed[-1] ^ 1])
        connection.exec_driver_sql("UPDATE credential SET sealed = ? WHERE thumbprint = ?", (turned, thumbprint))


def test_of_several_the_one_that_can_sign_now_takes_the_place_of_a_revoked_primary(quick: Workbench) -> None:
    now_valid = generated(quick, life=800 * DAY).row
    later = CertificateOrder(RING, None, 900 * DAY, KeyType.P256, NOW + 100 * DAY)
    new_credentials.generate_certificate(quick.installation, later, NOW)
    outcome = revoke(quick, RING)
    assert outcome.row.status is Status.REVOKED
    chosen = primary(members(quick.installation), NOW + DAY)
    assert chosen is not None
    assert chosen.thumbprint == now_valid.thumbprint


def test_a_relying_party_whose_own_keys_expired_breaks_with_the_namespaces(quick: Workbench) -> None:
    partners(quick)
    for party, end in (("stays", NOW + 900 * DAY), ("gone", NOW + DAY)):
        ring = RingName("contoso", kind=Kind.SYMMETRIC, relying_party=party)
        new_credentials.generate_key(quick.installation, KeyOrder(ring, NOW, end), NOW)
    keys = RingName("contoso", kind=Kind.SYMMETRIC)
    with pytest.raises(Conflict, match="no token can be issued for gone, swt; "):
        revoke(quick, keys, day=2)
    outcome = revoke(quick, keys, Breakage.ACCEPTED, day=2)
    assert outcome.warnings[1] == "without it no token can be issued for gone, swt"


def test_revoking_the_only_decryption_certificate_names_the_identity_providers_and_must_be_forced(
    quick: Workbench,
) -> None:
    partners(quick)
    ring = RingName("contoso", Use.DECRYPTION)
    sentence = "without it nothing can be read that is encrypted by adfs"
    with pytest.raises(Conflict, match=f"has no published successor: {sentence}; .* --force"):
        revoke(quick, ring)
    outcome = revoke(quick, ring, Breakage.ACCEPTED)
    assert outcome.row.status is Status.REVOKED
    assert outcome.warnings[1] == sentence
    assert [w.subject for w in warnings(quick.installation, NOW + DAY)] == ["decryption"]


def test_one_of_two_decryption_certificates_is_revoked_without_force(quick: Workbench) -> None:
    generated(quick, RingName("contoso", Use.DECRYPTION), life=100 * DAY)
    assert revoke(quick, RingName("contoso", Use.DECRYPTION)).row.status is Status.REVOKED


def test_revoking_the_only_tenant_ca_tells_what_devices_lose_and_must_be_forced(quick: Workbench) -> None:
    ring = RingName("contoso", Use.TENANT_CA)
    with pytest.raises(Conflict, match="without it no certificate can be issued for"):
        revoke(quick, ring)
    assert revoke(quick, ring, Breakage.ACCEPTED).row.status is Status.REVOKED


def test_a_successor_whose_key_does_not_open_takes_nobodys_place(quick: Workbench) -> None:
    roll(quick.installation, PUBLISHED)
    lost = members(quick.installation)[1]
    spoil(quick, lost.thumbprint)
    first = Selection(RING, thumbprint=members(quick.installation)[0].thumbprint)
    with pytest.raises(Conflict, match=f"{lost.thumbprint[:16]}.* would take its place, but its key does not open"):
        credential_states.revoke(quick.installation, first, PUBLISHED + DAY)
    with pytest.raises(KeyUnreadable):
        credential_states.make_primary(quick.installation, Selection(RING, thumbprint=lost.thumbprint), PUBLISHED + DAY)
    outcome = credential_states.revoke(quick.installation, first, PUBLISHED + DAY, Breakage.ACCEPTED)
    assert "its key does not open" in outcome.warnings[-1]
    assert members(quick.installation)[1].primary_from is None


def test_a_successor_whose_key_does_not_open_is_not_promoted_and_the_present_one_goes_on(quick: Workbench) -> None:
    roll(quick.installation, PUBLISHED)
    spoil(quick, members(quick.installation)[1].thumbprint)
    outcome = rollover.run(quick.installation, PUBLISHED + MINUTE)
    assert outcome.failed == ()
    for now in (TURNED - 2 * MINUTE, TURNED - MINUTE, TURNED + DAY, TURNED + DAY + MINUTE):
        outcome = rollover.run(quick.installation, now)
    assert [failure.ring for failure in outcome.failed] == [SIGNING]
    present = primary(members(quick.installation), TURNED + DAY)
    assert present == members(quick.installation)[0]
    told = [w.text for w in warnings(quick.installation, TURNED + DAY)]
    assert any(text.startswith("promote is due since") for text in told)


def test_a_ring_whose_only_primary_was_revoked_and_deleted_waits_for_a_person(quick: Workbench) -> None:
    only = Selection(RING, thumbprint=members(quick.installation)[0].thumbprint)
    credential_states.revoke(quick.installation, only, NOW + DAY, Breakage.ACCEPTED)
    credential_states.delete(quick.installation, only, NOW + DAY)
    for now in (NOW + DAY + MINUTE, PUBLISHED, END):
        assert [line for line in roll(quick.installation, now) if line.startswith("signing ")] == []
        (told,) = (w.text for w in warnings(quick.installation, now) if w.subject == "signing")
        assert "was deleted; nothing serves instead: `sts certificate generate --namespace contoso" in told
    assert len(ring_state(quick.installation).members) == 1


def test_what_signs_for_a_deleted_primary_is_told_and_not_called_never_primary(quick: Workbench) -> None:
    only = Selection(RING, thumbprint=members(quick.installation)[0].thumbprint)
    credential_states.revoke(quick.installation, only, NOW + DAY, Breakage.ACCEPTED)
    credential_states.delete(quick.installation, only, NOW + DAY)
    made = generated(quick, now=NOW + DAY + timedelta(hours=1)).row
    (told,) = (w.text for w in warnings(quick.installation, NOW + 2 * DAY))
    assert f"({made.thumbprint[:16]}), which never was primary, serves instead: `sts certificate make-primary" in told


def test_what_is_about_to_take_the_place_of_a_revoked_primary_is_as_hard_to_lose_as_a_primary(quick: Workbench) -> None:
    generated(quick, life=800 * DAY, now=NOW + DAY)
    taken = NOW + DAY + SECOND  # so soon after its publication it takes over a few seconds later
    selections = [Selection(RING, thumbprint=c.thumbprint) for c in members(quick.installation)]
    credential_states.revoke(quick.installation, selections[0], taken)
    waiting = members(quick.installation)[1]
    assert waiting.primary_from is not None
    assert waiting.primary_from > taken
    with pytest.raises(Conflict, match="no token can be issued for bills, orders"):
        credential_states.revoke(quick.installation, selections[1], taken)
    with pytest.raises(Conflict, match="is about to be the primary"):
        credential_states.delete(quick.installation, selections[1], taken, Breakage.ACCEPTED)
    outcome = credential_states.revoke(quick.installation, selections[1], taken, Breakage.ACCEPTED)
    assert "without it no token can be issued for bills, orders" in outcome.warnings
