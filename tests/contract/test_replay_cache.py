"""What every ReplayCache does."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier

import pytest

from sts.core.errors import ReplayedToken
from sts.core.exchange import TokenUse
from sts.core.model import Namespace
from tests.contract.backends import Backend
from tests.core.builders import DAY, NOW

CONTOSO = Namespace(id=0, name="contoso", issuer="https://sts.example/contoso/")
ISSUER = "https://adfs.example/"
LATER = NOW + timedelta(minutes=10)


def used(token_id: str, issuer: str = ISSUER) -> TokenUse:
    """The use of a token that is good for ten minutes."""
    return TokenUse(issuer, token_id, LATER, NOW)


@pytest.mark.parametrize("token_id", ["1", "", "é", "a\0b", "\ud800", "x" * 100_000], ids=ascii)
def test_second_use_is_refused_in_every_process(backend: Backend, token_id: str) -> None:
    contoso = backend.save_namespace(CONTOSO)
    backend.replays.use(contoso, used(token_id), NOW)
    for process in (backend, backend.other_process()):
        with pytest.raises(ReplayedToken):
            process.replays.use(contoso, used(token_id), NOW)


def test_uses_differ_by_namespace_issuer_and_token(backend: Backend) -> None:
    contoso = backend.save_namespace(CONTOSO)
    fabrikam = backend.save_namespace(replace(CONTOSO, name="fabrikam"))
    uses = [(contoso, ISSUER, "1"), (contoso, ISSUER, "2"), (contoso, "other", "1"), (fabrikam, ISSUER, "1")]
    uses += [(contoso, "x" * 300 + "y", "1"), (contoso, "x" * 300 + "z", "1")]
    for namespace, issuer, token_id in uses:
        backend.replays.use(namespace, used(token_id, issuer), NOW)
    for namespace, issuer, token_id in uses:
        with pytest.raises(ReplayedToken):
            backend.replays.use(namespace, used(token_id, issuer), NOW)


@pytest.mark.parametrize("clock", [NOW - 3650 * DAY, NOW - DAY, NOW - timedelta(hours=1), NOW + DAY, NOW + 3650 * DAY])
def test_moved_clock_opens_no_replay_window(backend: Backend, clock: object) -> None:
    contoso = backend.save_namespace(CONTOSO)
    backend.replays.use(contoso, used("1"), NOW)
    for now in (clock, NOW):
        with pytest.raises(ReplayedToken):
            backend.replays.use(contoso, used("1"), now)


def test_one_of_sixteen_wins(backend: Backend) -> None:
    contoso = backend.save_namespace(CONTOSO)
    barrier = Barrier(16)
    processes = [backend, backend.other_process()]

    def use(number: int) -> bool:
        barrier.wait()
        try:
            processes[number % 2].replays.use(contoso, used("1"), NOW)
        except ReplayedToken:
            return False
        return True

    with ThreadPoolExecutor(16) as threads:
        assert sum(threads.map(use, range(16))) == 1
