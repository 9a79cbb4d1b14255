"""What every Sessions does."""

from datetime import timedelta

import pytest

from sts.core.errors import NamespaceNotFound
from sts.core.exchange import Principal
from sts.core.model import Claim, Namespace
from sts.core.sign_in_steps import Session
from sts.core.uris import AuthenticationMethod
from tests.contract.backends import Backend
from tests.core.builders import NOW

CONTOSO = Namespace(id=0, name="contoso", issuer="https://sts.example/contoso/", session=timedelta(hours=1))
ALICE = Principal(
    name="alice",
    identity_provider="https://adfs.example/",
    claims=(Claim("urn:a", "b \u00e9 \U0001f600", "adfs"), Claim("urn:a", "c", "adfs")),
    authenticated_at=NOW - timedelta(minutes=3),
    method=AuthenticationMethod.X509,
    dated=False,
)
SIGNED_IN = Session(0, "adfs", ALICE, vouched="a certificate", browser="0" * 64)
ORDERS = ("https://orders.example/?x=1", "https://orders.example/signin")
STOCK = ("https://stock.example/", "https://stock.example/signin")


def found(backend: Backend, namespace: Namespace, token: str) -> Session:
    """The session of a token, which is there."""
    session = backend.sessions.find(namespace, token, NOW)
    assert session is not None
    return session


def test_session_is_found_by_its_token_in_every_process(backend: Backend) -> None:
    contoso = backend.save_namespace(CONTOSO)
    token = backend.sessions.start(contoso, SIGNED_IN, NOW)
    begun = found(backend, contoso, token)
    for process in (backend, backend.other_process()):
        assert process.sessions.find(contoso, token, NOW) == begun
    assert begun == SIGNED_IN._replace(id=begun.id)
    assert backend.sessions.find(contoso, f"{token}x", NOW) is None
    assert backend.sessions.find(contoso, "", NOW) is None


def test_session_lasts_as_long_as_the_namespace_says(backend: Backend) -> None:
    contoso = backend.save_namespace(CONTOSO)
    token = backend.sessions.start(contoso, SIGNED_IN, NOW)
    assert backend.sessions.find(contoso, token, NOW + timedelta(minutes=59, seconds=59)) is not None
    assert backend.sessions.find(contoso, token, NOW + timedelta(hours=1)) is None


@pytest.mark.parametrize(("minutes", "lasts"), [(20, 20), (0, 0), (-2, 0), (90, 60)])
def test_session_is_over_when_its_identity_provider_says_so(backend: Backend, minutes: int, lasts: int) -> None:
    contoso = backend.save_namespace(CONTOSO)
    principal = ALICE._replace(session_ends=NOW + timedelta(minutes=minutes))
    token = backend.sessions.start(contoso, SIGNED_IN._replace(principal=principal), NOW)
    if lasts:
        assert backend.sessions.find(contoso, token, NOW + timedelta(minutes=lasts, seconds=-1)) is not None
    assert backend.sessions.find(contoso, token, NOW + timedelta(minutes=lasts)) is None


def test_session_is_that_of_its_namespace_alone(backend: Backend) -> None:
    contoso = backend.save_namespace(CONTOSO)
    other = backend.save_namespace(Namespace(id=0, name="fabrikam", issuer="https://sts.example/fabrikam/"))
    token = backend.sessions.start(contoso, SIGNED_IN, NOW)
    assert backend.sessions.find(other, token, NOW) is None


def test_relying_parties_are_remembered_once_each(backend: Backend) -> None:
    contoso = backend.save_namespace(CONTOSO)
    token = backend.sessions.start(contoso, SIGNED_IN, NOW)
    begun = found(backend, contoso, token)
    for realm, reply in (STOCK, ORDERS, STOCK):
        backend.sessions.join(begun, realm, reply)
    assert found(backend.other_process(), contoso, token).relying_parties == (ORDERS, STOCK)


def test_new_session_takes_the_place_of_the_old_one(backend: Backend) -> None:
    contoso = backend.save_namespace(CONTOSO)
    old = backend.sessions.start(contoso, SIGNED_IN._replace(relying_parties=(STOCK,)), NOW)
    known = found(backend, contoso, old)
    new = backend.sessions.start(contoso, Session(known.id, "other", ALICE, (ORDERS,)), NOW)
    assert backend.sessions.find(contoso, old, NOW) is None
    again = found(backend, contoso, new)
    assert (again.provider, set(again.relying_parties)) == ("other", {ORDERS, STOCK})
    assert again.id != known.id


def test_new_session_takes_over_what_joined_the_old_one_after_it_was_found(backend: Backend) -> None:
    contoso = backend.save_namespace(CONTOSO)
    known = found(backend, contoso, backend.sessions.start(contoso, SIGNED_IN, NOW))
    assert backend.other_process().sessions.join(known, *STOCK)
    new = backend.sessions.start(contoso, known._replace(relying_parties=(ORDERS,)), NOW)
    assert set(found(backend, contoso, new).relying_parties) == {ORDERS, STOCK}


def test_new_session_takes_nothing_over_from_one_that_was_ended_meanwhile(backend: Backend) -> None:
    contoso = backend.save_namespace(CONTOSO)
    known = found(backend, contoso, backend.sessions.start(contoso, SIGNED_IN._replace(relying_parties=(STOCK,)), NOW))
    backend.other_process().sessions.end(contoso, known, NOW)
    new = backend.sessions.start(contoso, known._replace(relying_parties=(ORDERS,)), NOW)
    assert found(backend, contoso, new).relying_parties == (ORDERS,)


def test_sessions_of_one_browser_end_together_at_their_namespace_and_all_their_relying_parties_are_told(
    backend: Backend,
) -> None:
    contoso = backend.save_namespace(CONTOSO)
    fabrikam = backend.save_namespace(Namespace(id=0, name="fabrikam", issuer="https://sts.example/fabrikam/"))
    start = backend.sessions.start
    first = start(contoso, SIGNED_IN._replace(relying_parties=(STOCK,)), NOW)
    second = start(contoso, SIGNED_IN._replace(relying_parties=(ORDERS,)), NOW)
    strangers = start(contoso, SIGNED_IN._replace(browser="1" * 64), NOW)
    elsewhere = start(fabrikam, SIGNED_IN, NOW)
    unmarked = start(contoso, SIGNED_IN._replace(browser=""), NOW)
    backend.sessions.join(found(backend, contoso, first), *ORDERS)
    assert set(backend.sessions.end(contoso, found(backend, contoso, second), NOW)) == {ORDERS, STOCK}
    for token in (first, second):
        assert backend.other_process().sessions.find(contoso, token, NOW) is None
    assert found(backend, contoso, strangers)
    assert found(backend, fabrikam, elsewhere)
    assert backend.sessions.end(contoso, found(backend, contoso, unmarked), NOW) == ()


def test_unmarked_sessions_end_one_by_one(backend: Backend) -> None:
    contoso = backend.save_namespace(CONTOSO)
    first, second = (backend.sessions.start(contoso, SIGNED_IN._replace(browser=""), NOW) for _ in range(2))
    backend.sessions.end(contoso, found(backend, contoso, first), NOW)
    assert found(backend, contoso, second)


def test_session_that_is_over_by_its_time_is_told_of_no_more(backend: Backend) -> None:
    contoso = backend.save_namespace(CONTOSO)
    backend.sessions.start(contoso, SIGNED_IN._replace(relying_parties=(STOCK,)), NOW - timedelta(hours=1))
    known = found(backend, contoso, backend.sessions.start(contoso, SIGNED_IN._replace(relying_parties=(ORDERS,)), NOW))
    assert backend.sessions.end(contoso, known, NOW) == (ORDERS,)


def test_ended_session_is_gone_everywhere_and_ending_it_again_does_no_harm(backend: Backend) -> None:
    contoso = backend.save_namespace(CONTOSO)
    token = backend.sessions.start(contoso, SIGNED_IN, NOW)
    begun = found(backend, contoso, token)
    assert backend.sessions.join(begun, *STOCK)
    for told in ((STOCK,), ()):
        assert backend.sessions.end(contoso, begun, NOW) == told
        assert backend.other_process().sessions.find(contoso, token, NOW) is None
    assert not backend.sessions.join(begun, *ORDERS)
    assert backend.sessions.find(contoso, token, NOW) is None


def test_sessions_go_with_their_namespace(backend: Backend) -> None:
    contoso = backend.save_namespace(CONTOSO)
    token = backend.sessions.start(contoso, SIGNED_IN, NOW)
    begun = found(backend, contoso, token)
    backend.sessions.join(begun, *STOCK)
    backend.delete_namespace(contoso)
    again = backend.save_namespace(CONTOSO)
    assert backend.sessions.find(again, token, NOW) is None


def test_no_session_begins_at_a_namespace_that_is_gone(backend: Backend) -> None:
    contoso = backend.save_namespace(CONTOSO)
    backend.delete_namespace(contoso)
    with pytest.raises(NamespaceNotFound):
        backend.sessions.start(contoso, SIGNED_IN, NOW)
