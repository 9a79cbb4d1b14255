"""Sessions as rows: ids that follow the time, and tokens that begin with them."""

import secrets
from datetime import timedelta

import pytest

from tests.contract.backends import SqlBackend
from tests.contract.test_sessions import CONTOSO, SIGNED_IN, found
from tests.core.builders import NOW


def other_heads(token: str) -> tuple[str, ...]:
    """The random part of a token behind ids that are none."""
    head, _, chance = token.partition(".")
    wrong = (f"{int(head, 16) + 1:x}", "0", "", "8000000000000000", "f" * 400, f"0{head}", f" {head}", f"0x{head}")
    more = (f"+{head}", f"-{head}", f"{head[:3]}_{head[3:]}", head.upper(), "zz", "\u0661")
    return (*(f"{other}.{chance}" for other in (*wrong, *more)), chance, f"{head}.", head, f"{head}.{chance[:-1]}", ".")


def test_whoever_knows_the_id_of_a_session_alone_has_none(sql: SqlBackend) -> None:
    contoso = sql.save_namespace(CONTOSO)
    token = sql.sessions.start(contoso, SIGNED_IN, NOW)
    sql.sessions.start(contoso, SIGNED_IN, NOW)
    assert {other: sql.sessions.find(contoso, other, NOW) for other in other_heads(token) if other != token} == (
        dict.fromkeys(set(other_heads(token)) - {token})
    )


def test_sessions_that_would_have_the_same_id_have_two(sql: SqlBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    contoso = sql.save_namespace(CONTOSO)
    chance = iter((7, 7, 7, 8))
    monkeypatch.setattr(secrets, "randbits", lambda _: next(chance))
    first, second = (sql.sessions.start(contoso, SIGNED_IN, NOW) for _ in range(2))
    assert found(sql, contoso, second).id - found(sql, contoso, first).id == 1


def test_later_sessions_have_greater_ids(sql: SqlBackend) -> None:
    contoso = sql.save_namespace(CONTOSO)
    begun = [NOW, NOW + timedelta(milliseconds=1), NOW + timedelta(seconds=1)]
    ids = [found(sql, contoso, sql.sessions.start(contoso, SIGNED_IN, at)).id for at in begun]
    assert ids == sorted(ids)
