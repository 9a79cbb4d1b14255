"""A device's certificate is worth no more than the secrets that it was issued for."""

import pytest

from tests.crypto.factories import FACTORY
from tests.flows.certified import present, trust
from tests.flows.devices import ENROLL, REENROLL, basic, certificate_of, certificates_of, enrol, enrol_with
from tests.flows.world import World, key_text
from tests.operations.workbench import write_certificate

USUAL = 'name: worker, password: "env:WORKER_PASSWORD", symmetric_key: "env:WORKER_KEY"'
OTHERS = {"OTHER_PASSWORD": "another correct horse", "OTHER_KEY": key_text(b"x")}
# (what an operator makes of the identity afterwards)
CHANGES = {
    "its password": [USUAL.replace("env:WORKER_PASSWORD", "env:OTHER_PASSWORD")],
    "its key": [USUAL.replace("env:WORKER_KEY", "env:OTHER_KEY")],
    "its pinned certificate": [f"{USUAL}, certificate: pinned.cer"],
    "disabled, and enabled again": [f"{USUAL}, enabled: false", USUAL],
    "deleted, and made again": ["name: somebody", USUAL],
}


def become(world: World, identity: str) -> None:
    text = f"namespace: contoso\nservice_identities: [{{{identity}}}]\n"
    world.apply(text, OTHERS, prunes=True)


def last_detail(world: World) -> str:
    return str(world.records()[-1].get("detail"))


@pytest.mark.parametrize("states", CHANGES.values(), ids=CHANGES.keys())
def test_a_certificate_from_before_a_change_of_secrets_neither_renews_nor_gets_tokens(
    proxied: World, states: list[str]
) -> None:
    write_certificate(proxied.home / "pinned.cer")
    proxied.move(days=1)
    held = certificates_of(enrol(proxied))[0]
    assert present(proxied, held).status_code == enrol_with(proxied, held).status_code == 200
    proxied.move(minutes=1)
    for state in states:
        become(proxied, state)
    for path in (ENROLL, REENROLL):
        assert enrol_with(proxied, held, path=path).status_code == 401
        assert "was issued before its secrets changed on 2026-06-02T12:01:00Z" in last_detail(proxied)
    assert present(proxied, held).status_code == 401


@pytest.mark.parametrize("seconds", [0, 1, 59, 299, 300, 301])
def test_a_certificate_from_after_it_is_good_however_soon_it_was_issued(proxied: World, seconds: int) -> None:
    proxied.move(days=1, microseconds=999_999)
    held = certificates_of(enrol(proxied))[0]
    become(proxied, CHANGES["its password"][0])
    proxied.move(seconds=seconds)
    fresh = enrol(proxied, authorization=basic(password=OTHERS["OTHER_PASSWORD"]))
    made = certificate_of(fresh)
    assert (proxied.now - made.not_valid_before_utc).total_seconds() <= min(seconds + 1, 301)
    assert enrol_with(proxied, certificates_of(fresh)[0]).status_code == 200
    assert enrol_with(proxied, held).status_code == 401


def test_what_changes_no_secret_leaves_certificates_good(proxied: World) -> None:
    proxied.move(days=1)
    held = certificates_of(enrol(proxied))[0]
    proxied.move(minutes=10)
    become(proxied, f"{USUAL}, swt_without_expiry: true")
    become(proxied, USUAL)
    assert enrol_with(proxied, held).status_code == 200


def test_a_certificate_of_somebody_elses_ca_does_not_depend_on_our_secrets(proxied: World) -> None:
    trust(proxied)
    held = FACTORY.issue()
    become(proxied, CHANGES["its password"][0])
    assert present(proxied, held).status_code == 200


def test_an_identity_from_before_the_instants_were_kept_goes_on(proxied: World) -> None:
    with proxied.service.installation.database.recording() as connection:
        connection.exec_driver_sql("UPDATE service_identity SET secrets_since = NULL")
    assert enrol_with(proxied, certificates_of(enrol(proxied))[0]).status_code == 200
