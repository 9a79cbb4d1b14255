"""What every SignInStates does."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest

from sts.core.errors import InvalidState
from sts.core.model import Namespace
from sts.core.sign_in_steps import PendingSignIn
from sts.core.uris import AuthenticationMethod
from tests.contract.backends import Backend
from tests.core.builders import NOW

CONTOSO = Namespace(id=0, name="contoso", issuer="https://sts.example/contoso/")
MINUTE = timedelta(minutes=1)


def pending(backend: Backend, **changes: object) -> PendingSignIn:
    """A sign-in that waits."""
    base = PendingSignIn(
        namespace="contoso",
        realm="https://orders.example/",
        reply="https://orders.example/signin",
        context="a&b \u00e9 \U0001f600 </script>",
        provider="adfs",
        nonce=backend.states.new_nonce(),
        browser="0" * 64,
        started_at=NOW,
        fresh=timedelta(),
        delivery="wsfederation",
        method=AuthenticationMethod.X509,
    )
    return base._replace(**changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes", [{}, {"context": None}, {"fresh": None}, {"fresh": 5 * MINUTE}, {"context": "x" * 2048}], ids=str
)
def test_what_is_sealed_opens_as_it_was_in_every_process(backend: Backend, changes: dict[str, object]) -> None:
    sign_in = pending(backend, **changes)
    text = backend.states.seal(sign_in)
    for process in (backend, backend.other_process()):
        assert process.states.open(text, NOW) == sign_in


def test_it_opens_for_ten_minutes(backend: Backend) -> None:
    text = backend.states.seal(pending(backend))
    for ahead in (-3 * MINUTE, 0 * MINUTE, 10 * MINUTE):
        backend.states.open(text, NOW + ahead)
    for ahead in (-4 * MINUTE, 10 * MINUTE + timedelta(seconds=1)):
        with pytest.raises(InvalidState):
            backend.states.open(text, NOW + ahead)


@pytest.mark.parametrize("text", ["", "A", "AAAA", "AQ" + "A" * 60, "\u00e9", "a b", "=" * 8, "x" * 10_000])
def test_nothing_else_opens(backend: Backend, text: str) -> None:
    with pytest.raises(InvalidState):
        backend.states.open(text, NOW)


def test_every_text_and_every_nonce_is_another(backend: Backend) -> None:
    sign_in = pending(backend)
    assert len({backend.states.seal(sign_in) for _ in range(20)}) == 20
    assert len({backend.states.new_nonce() for _ in range(20)}) == 20


def test_second_use_is_refused_in_every_process(backend: Backend) -> None:
    contoso, sign_in = backend.save_namespace(CONTOSO), pending(backend)
    backend.states.use(contoso, sign_in)
    for process in (backend, backend.other_process()):
        with pytest.raises(InvalidState):
            process.states.use(contoso, sign_in)
    backend.states.use(contoso, pending(backend))


def test_one_of_sixteen_at_once_wins(backend: Backend) -> None:
    contoso, sign_in, start = backend.save_namespace(CONTOSO), pending(backend), Barrier(16)

    def use(_: int) -> bool:
        start.wait()
        try:
            backend.states.use(contoso, sign_in)
        except InvalidState:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(use, range(16))) == 1
