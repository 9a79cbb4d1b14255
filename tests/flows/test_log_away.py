"""The request log cannot be written: no token without its record, and everything else goes on."""

import json
import os
import resource

import pytest

from tests.flows.devices import CACERTS, ENROLL, REENROLL, enrol
from tests.flows.world import World


@pytest.fixture
def broken(world: World) -> World:
    """A world whose log has lost its reader."""
    reader, writer = os.pipe()
    os.close(reader)
    log = world.client.application._edge._books.log
    log._descriptor = writer
    yield world
    os.close(writer)


@pytest.mark.parametrize("party", ["jwt", "swt", "saml20"])
def test_no_token_is_handed_out_without_its_record(broken, party):
    answer = broken.oauth(party)
    assert answer.status_code == 503
    assert "ACS60021" in answer.text
    assert "access_token" not in answer.text


@pytest.mark.parametrize("path", [ENROLL, REENROLL])
def test_no_certificate_is_handed_out_without_its_record(broken, path):
    answer = enrol(broken, path=path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (503, "text/plain; charset=utf-8")
    assert answer.text.startswith("ACS60021: The request log cannot be written.\nTrace id: ")
    assert answer.headers["Retry-After"]
    assert answer.headers["Request-Id"] in answer.text
    assert enrol(broken, authorization="", path=path).status_code == 401


def test_a_refusal_is_still_the_protocols_own(broken):
    assert broken.oauth("jwt", client_secret="wrong").status_code == 401


def test_documents_and_probes_are_still_answered(broken):
    assert broken.get(".well-known/jwks.json").status_code == 200
    assert broken.get(CACERTS).status_code == 200
    assert broken.client.get("/health/live", base_url="http://127.0.0.1:8000").status_code == 200


def test_what_was_not_recorded_is_counted(broken):
    broken.get(".well-known/jwks.json")
    metrics = broken.client.get("/metrics", base_url="http://127.0.0.1:8000").text
    assert "sts_requests_unrecorded_total 1.0" in metrics


@pytest.mark.parametrize("room", [0, 60, 200])
def test_no_token_is_handed_out_whose_record_is_cut_short(world, room):
    assert world.oauth("jwt").status_code == 200
    size = world.log.stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + room, hard))
    try:
        answers = [world.oauth("jwt") for _ in range(2)]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    for answer in answers:
        assert (answer.status_code, "ACS60021" in answer.text, "access_token" in answer.text) == (503, True, False)
    assert world.oauth("jwt").status_code == 200
    torn, record = world.log.read_bytes()[size:].split(b"\n")[-3:-1] if room else (b"", world.log.read_bytes()[size:])
    assert (len(torn), json.loads(record)["status"]) == (room, 200)
