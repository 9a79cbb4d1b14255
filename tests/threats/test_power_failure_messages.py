"""The machine goes down: messages of WS-Trust that it may have answered are refused, however far ahead they are dated.

What a machine may lose: ADR 16.
"""

import shutil
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from sts.core.presented import FRESH, LONGEST_AHEAD
from sts.operations.power_failure import LONGEST_UNSEEN
from sts.web.rollover_thread import INTERVAL
from tests.flows.world import SECRET, START, World, make_world, open_world
from tests.protocols.wstrust.messages import TrustMessage, digest_token, nonce, request, timestamp, username_token
from tests.threats.rolling_world import MINUTE, SECOND, look
from tests.threats.test_power_failure import BOOT, NEXT_BOOT, Machine, boot_file

REALM = "https://jwt.example/"
DIGESTER = """
namespace: contoso
service_identities:
  - {name: digester, password: "env:WORKER_PASSWORD", recoverable_password: true}
"""
TokenMade = Callable[[datetime], str]
TOKENS: dict[str, TokenMade] = {
    "password": lambda created: username_token("worker", SECRET),
    "password with a nonce": lambda created: username_token("worker", SECRET, nonce(b"n" * 16, created)),
    "digest": lambda created: digest_token("digester", SECRET, b"d" * 16, created),
}


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a service that answers messages, to be copied."""
    home = tmp_path_factory.mktemp("services")
    world = make_world(home, boot_id_file=boot_file(home, BOOT))
    world.apply(DIGESTER)
    world.close()
    return home


@pytest.fixture
def machine(services: Path, tmp_path: Path) -> Iterator[Machine]:
    """A machine whose service has looked at its clock, and answered a message."""
    folder = tmp_path / "disk"
    folder.mkdir()
    home = Path(shutil.copytree(services, tmp_path / "home"))
    found = Machine(folder, open_world(home, boot_id_file=boot_file(folder, BOOT)))
    look(found.world, START)
    assert status(found.world, message(START, TOKENS["password"])) == 200
    yield found
    found.world.close()


def message(created: datetime, token: TokenMade) -> TrustMessage:
    """A message of that moment."""
    return TrustMessage(created, token(created), request(REALM))


def status(world: World, sent: TrustMessage) -> int:
    """What it is answered with."""
    return world.post(sent.path, sent.xml(), content_type=sent.media_type).status_code


def refused(world: World, sent: TrustMessage) -> bool:
    """Whether it is refused for what the machine may have lost."""
    answered = status(world, sent)
    return answered != 200 and "may have been lost when the machine went down" in world.records()[-1].get("detail", "")


@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS)
@pytest.mark.parametrize("seconds", [0, 180, 181, 299, 300])
def test_message_that_is_dated_ahead_is_not_answered_again(machine: Machine, token: TokenMade, seconds: int) -> None:
    machine.save_what_the_disk_saw()
    sent = message(machine.world.now + timedelta(seconds=seconds), token)
    assert status(machine.world, sent) == 200
    assert status(machine.world, sent) != 200
    machine.world.move(seconds=20)
    machine.go_down()
    world = machine.start(NEXT_BOOT)
    for _ in range(33):
        assert refused(world, sent) or world.now > sent.now + FRESH
        assert status(world, sent) != 200
        world.move(seconds=20)
    assert status(world, message(world.now, TOKENS["password"])) == 200


def test_digest_that_is_dated_ahead_further_than_its_message_is_not_taken_again(machine: Machine) -> None:
    """The Timestamp is of now, and without a signature: who sends it again writes another."""
    machine.save_what_the_disk_saw()
    ahead = machine.world.now + FRESH
    sent = TrustMessage(machine.world.now, digest_token("digester", SECRET, b"d" * 16, ahead), request(REALM))
    assert status(machine.world, sent) == 200
    machine.world.move(seconds=20)
    machine.go_down()
    world = machine.start(NEXT_BOOT)
    for _ in range(28):
        again = TrustMessage(world.now, sent.token, sent.body, stamp=timestamp(min(world.now + FRESH, ahead)))
        assert refused(world, again)
        world.move(seconds=20)


@pytest.mark.parametrize("unseen", [timedelta(0), 19 * SECOND, INTERVAL], ids=str)
def test_message_of_after_the_last_look_is_not_answered_again_where_the_clock_is_behind(
    machine: Machine, unseen: timedelta
) -> None:
    world = machine.world
    machine.save_what_the_disk_saw()
    world.clock.now = START + unseen
    sent = message(world.now + FRESH, TOKENS["password"])
    assert status(world, sent) == 200
    machine.go_down()
    world.clock.now = START - timedelta(days=400)
    world = machine.start(NEXT_BOOT)
    world.clock.now = START + INTERVAL + MINUTE
    assert refused(world, sent)


def test_messages_are_answered_again_when_none_of_before_is_fresh(machine: Machine) -> None:
    world = machine.world
    world.move(hours=1)
    look(world, world.now)
    world.move(minutes=1)  # the machine is down
    world = machine.start(NEXT_BOOT)
    start = world.now
    assert refused(world, message(start + LONGEST_AHEAD, TOKENS["digest"]))
    world.clock.now = start + LONGEST_AHEAD + SECOND
    assert status(world, message(world.now, TOKENS["digest"])) == 200


def test_no_look_is_further_back_than_the_mark_reaches() -> None:
    assert LONGEST_UNSEEN > INTERVAL
