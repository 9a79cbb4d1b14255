"""What every SignInRecords does."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest

from sts.core.errors import InvalidState, NamespaceNotFound, ReplayedToken
from sts.core.exchange import TokenUse
from sts.core.model import Namespace
from sts.core.sign_in_steps import Completed, PendingSignIn
from tests.contract.backends import Backend
from tests.contract.test_sessions import CONTOSO, ORDERS, SIGNED_IN, STOCK, found
from tests.core.builders import NOW

ISSUER = "https://adfs.example/"


def completed(backend: Backend, token_id: str = "1", nonce: str | None = None) -> Completed:
    """A sign-in that a token completed."""
    realm, reply = ORDERS
    given = backend.states.new_nonce() if nonce is None else nonce
    pending = PendingSignIn("contoso", realm, reply, None, "adfs", given, "0" * 64, NOW)
    use = TokenUse(ISSUER, token_id, NOW + timedelta(minutes=10), NOW)
    return Completed(pending, use, SIGNED_IN._replace(relying_parties=(ORDERS,)))


def test_sign_in_begins_a_session_that_every_process_finds(backend: Backend) -> None:
    contoso = backend.save_namespace(CONTOSO)
    token = backend.records.complete(contoso, completed(backend), NOW)
    session = found(backend.other_process(), contoso, token)
    assert (session.principal, session.relying_parties) == (SIGNED_IN.principal, (ORDERS,))
    backend.sessions.join(session, *STOCK)
    assert found(backend, contoso, token).relying_parties == (ORDERS, STOCK)


def test_sign_in_takes_the_place_of_the_session_before(backend: Backend) -> None:
    contoso = backend.save_namespace(CONTOSO)
    before = backend.records.complete(contoso, completed(backend), NOW)
    next_one = completed(backend, "2")
    known = found(backend, contoso, before)
    backend.records.complete(contoso, next_one._replace(session=next_one.session._replace(id=known.id)), NOW)
    assert backend.sessions.find(contoso, before, NOW) is None


def test_sign_in_that_is_over_is_refused_in_every_process_and_its_token_stays_unused(backend: Backend) -> None:
    contoso = backend.save_namespace(CONTOSO)
    first = completed(backend)
    backend.records.complete(contoso, first, NOW)
    for process in (backend, backend.other_process()):
        with pytest.raises(InvalidState):
            process.records.complete(contoso, first._replace(use=first.use._replace(token_id="2")), NOW)
    assert backend.records.complete(contoso, completed(backend, "2"), NOW)


def test_token_that_was_used_is_refused_in_every_process_and_ends_the_sign_in(backend: Backend) -> None:
    contoso = backend.save_namespace(CONTOSO)
    backend.records.complete(contoso, completed(backend), NOW)
    for process in (backend, backend.other_process()):
        again = completed(backend)
        with pytest.raises(ReplayedToken):
            process.records.complete(contoso, again, NOW)
        with pytest.raises(InvalidState):
            process.states.require_unused(contoso, again.pending)


@pytest.mark.parametrize("first", ["exchanged", "brought"])
def test_token_is_good_for_one_use_at_either_door(backend: Backend, first: str) -> None:
    contoso = backend.save_namespace(CONTOSO)
    use = completed(backend).use
    doors: dict[str, Callable[[], object]] = {
        "exchanged": lambda: backend.replays.use(contoso, use, NOW),
        "brought": lambda: backend.records.complete(contoso, completed(backend), NOW),
    }
    doors[first]()
    for door in doors.values():
        with pytest.raises(ReplayedToken):
            door()


def test_answer_that_nobody_asked_for_needs_no_sign_in(backend: Backend) -> None:
    contoso = backend.save_namespace(CONTOSO)
    for number in range(3):
        assert backend.records.complete(contoso, completed(backend, str(number), nonce=""), NOW)


@pytest.mark.parametrize("same", ["state", "token", "both"])
def test_one_of_sixteen_at_once_wins(backend: Backend, same: str) -> None:
    contoso, start = backend.save_namespace(CONTOSO), Barrier(16)
    processes = [backend, backend.other_process()]
    one = completed(backend)

    def bring(number: int) -> int:
        mine = one
        if same == "state":
            mine = one._replace(use=one.use._replace(token_id=str(number)))
        elif same == "token":
            mine = completed(backend)
        start.wait()
        try:
            processes[number % 2].records.complete(contoso, mine, NOW)
        except (InvalidState, ReplayedToken):
            return 0
        return 1

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(bring, range(16))) == 1


def test_states_of_one_namespace_are_none_of_another(backend: Backend) -> None:
    contoso = backend.save_namespace(CONTOSO)
    fabrikam = backend.save_namespace(Namespace(id=0, name="fabrikam", issuer="https://sts.example/fabrikam/"))
    pending = completed(backend).pending
    backend.states.use(contoso, pending)
    with pytest.raises(InvalidState):
        backend.states.require_unused(contoso, pending)
    backend.states.require_unused(fabrikam, pending)


def test_nobody_signs_in_at_a_namespace_that_is_gone(backend: Backend) -> None:
    contoso, first = backend.save_namespace(CONTOSO), completed(backend)
    backend.delete_namespace(contoso)
    with pytest.raises(NamespaceNotFound):
        backend.records.complete(contoso, first, NOW)
