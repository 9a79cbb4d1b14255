"""Some hundred messages of sessions: what is good is granted, what is bad refused, and nothing fails."""

from collections.abc import Iterator
from random import Random

import pytest

from tests.flows.world import CONTOSO, World, lend, make_world
from tests.protocols.wstrust.messages import ROOT
from tests.sessions.messages import BAD, GOOD, Scene, Sent
from tests.sessions.run import Tally, run, run_each
from tests.threats.endpoints import send
from tests.threats.trust_door import furnished

COUNT = 300


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A service with callers of every kind."""
    for world in lend(make_world(tmp_path_factory.mktemp("sessions"), CONTOSO)):
        yield furnished(world)


@pytest.mark.parametrize("seed", [1, 2])
def test_sessions_with_mixed_faults_are_answered_as_they_must_be_and_none_fails(service: World, seed: int) -> None:
    first = Scene(ROOT, service.now, Random(seed))

    def scene() -> Scene:
        service.move(milliseconds=20)
        return Scene(ROOT, service.now, first.random, first.tokens)

    def deliver(message: Sent) -> tuple[int, bytes]:
        options = {"method": message.method, "headers": {"Content-Type": message.media_type}}
        answer = send(service, f"/contoso/{message.path}", message.body, source="192.0.2.7", **options)
        return answer.status_code, answer.data

    tally = Tally()
    run_each(scene, deliver, tally)
    run(scene, deliver, COUNT, tally)
    assert tally.wrong == []
    assert tally.kinds.keys() == {*GOOD, *BAD}
    assert tally.count == COUNT + len(GOOD) + len(BAD)
    assert set(tally.statuses) <= {200, 400, 405, 413, 429}
