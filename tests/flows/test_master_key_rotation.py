"""Tokens before, during and after a rotation of the master key: callers and relying parties notice nothing."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from threading import Event

import pytest

from sts.core.model import Credential
from sts.operations.master_key import discard_previous
from sts.operations.master_key_rotation import Phase, Progress, Rotator, rotate
from sts.operations.rings import RingName
from tests.faults import Launcher
from tests.flows.operators import KEYS, NAMESPACE, dedicated, generate, promote
from tests.flows.self_issued import WORKER_KEY, present, self_issued, signed
from tests.flows.server import Server, prepare, running
from tests.flows.tokens import PARTIES, content_of, signer_of
from tests.flows.world import CONTOSO, World, decode, lend, open_world

ROTATIONS = 3
WORKER = 'symmetric_key: "env:WORKER_KEY"'  # whatever else changes of it, every process reads its key again

_LIVES = count(300)  # seconds; a token is taken once


@pytest.fixture
def other(world: World) -> Iterator[World]:
    """A second process on the same database."""
    yield from lend(open_world(world.home))


def rotated(world: World, during: Callable[[Progress], None] = lambda progress: None) -> None:
    """Rotate as the command does, in a process of its own."""
    for command in lend(open_world(world.home)):
        rotate(Rotator(command.service.installation, lambda: world.now, during, lambda seconds: None))


def forget(*worlds: World) -> None:
    """Have processes read every key from the database again."""
    for world in worlds:
        world.service.installation.key_ring.drop_all()


def ask_for_everything(*worlds: World) -> None:
    """A token for every relying party, each read by foreign software, and one for a token that its bearer signed."""
    for world in worlds:
        for party in PARTIES:
            content_of(world, party, world.token(party))
        assert present(world, self_issued(world, seconds=next(_LIVES))).status_code == 200
        assert world.get("FederationMetadata/2007-06/FederationMetadata.xml").status_code == 200


def test_tokens_of_every_format_are_issued_before_during_and_after(world: World, other: World) -> None:
    ask_for_everything(world, other)
    phases = set()

    def during(progress: Progress) -> None:
        phases.add(progress.phase)
        forget(world)
        ask_for_everything(world, other)

    rotated(world, during)
    assert phases == {Phase.SEALING, Phase.VERIFYING}
    forget(world, other)
    ask_for_everything(world, other)
    for restarted in lend(open_world(world.home)):
        ask_for_everything(restarted)


def test_a_key_id_and_what_apply_knows_a_key_by_outlast_rotations(world: World) -> None:
    def key_id() -> str:
        header: dict[str, str] = json.loads(decode(world.token("hs256").split(b".")[0].decode()))
        return header["kid"]

    before, thumbprint = key_id(), signer_of(world, "hs256", world.token("hs256")).thumbprint_sha256
    for _ in range(2):
        rotated(world)
        discard_previous(world.service.installation, world.now)
        forget(world)
        assert key_id() == before
        for restarted in lend(open_world(world.home)):
            assert restarted.apply(CONTOSO).changes == ()
            assert restarted.service.installation.key_ring.fingerprint(b"w" * 32)
            assert signer_of(restarted, "hs256", restarted.token("hs256")).thumbprint_sha256 == thumbprint


@pytest.mark.parametrize(
    ("ring", "party"),
    [(NAMESPACE, "saml20"), (KEYS, "hs256"), (dedicated("jwt"), "jwt"), (dedicated("swt"), "swt")],
    ids=str,
)
def test_a_credential_made_during_a_rotation_signs_afterwards(
    world: World, other: World, ring: RingName, party: str
) -> None:
    made: list[Credential] = []

    def during(progress: Progress) -> None:
        if not made:
            made.append(generate(world, ring))

    rotated(world, during)
    promote(world, ring, made[0])
    discard_previous(world.service.installation, world.now)
    other.service.directory.poll()
    for each in (world, other):
        each.move(minutes=1)
        forget(each)
        ask_for_everything(each)
        assert signer_of(each, party, each.token(party)).id == made[0].id


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server of two workers."""
    prepared = prepare(tmp_path, datetime.now(UTC))
    prepared.apply(CONTOSO, datetime.now(UTC))
    with running(prepared) as live:
        yield live


def test_clients_of_a_running_server_notice_nothing_of_rotations(server: Server, launcher: Launcher) -> None:
    home, over = server.installation.home, Event()

    def ask() -> list[int]:
        """A token for every relying party, again and again, some for a token signed with a key that was just read."""
        statuses = []
        while not over.is_set():
            statuses += [server.oauth(party).status for party in PARTIES]
            statuses.append(server.send("contoso/WRAPv0.9", wrap_form(server)).status)
        return statuses

    with ThreadPoolExecutor(2) as clients:
        answers = [clients.submit(ask) for _ in range(2)]
        try:
            for number in range(ROTATIONS):
                assert launcher.run(home, "master-key", "rotate", point="master-key.page-committed").was_killed
                server.apply(
                    CONTOSO.replace("interactive: false", f"interactive: {number % 2 == 0}"), datetime.now(UTC)
                )
                ended = launcher.run(home, "master-key", "rotate")
                assert (ended.status, "sealed" in ended.stdout) == (0, True), ended
                assert launcher.run(home, "master-key", "discard-previous", "--yes").status == 0
        finally:
            over.set()
        statuses = [status for answer in answers for status in answer.result()]
    assert set(statuses) == {200}
    assert len(statuses) > ROTATIONS * len(PARTIES)
    assert "rotation" not in server.log.read_text()


def wrap_form(server: Server) -> dict[str, str]:
    """A request for a token with one that the service identity `worker` signed itself."""
    ends = int(datetime.now(UTC).timestamp()) + next(_LIVES)
    fields = {"Issuer": "worker", "Audience": f"{server.base_url}/contoso/", "ExpiresOn": str(ends)}
    assertion = signed(fields, WORKER_KEY).decode()
    return {"wrap_assertion_format": "SWT", "wrap_assertion": assertion, "wrap_scope": "https://swt.example/"}
