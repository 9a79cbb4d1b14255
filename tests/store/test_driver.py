"""The connection that is kept out of the pool: one transaction after another, whatever became of the one before."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from sts.core.errors import ReplayedToken, StoreUnavailable
from sts.store.driver import KeptConnection

WRITTEN = "SELECT number FROM used ORDER BY number"


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[KeptConnection]:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'sts.db'}", connect_args={"timeout": 0})

    @event.listens_for(engine, "connect")
    def begin_nothing(connection: object, record: object) -> None:
        connection.isolation_level = None  # type: ignore[attr-defined]  # the driver's, which is not annotated
        connection.execute("PRAGMA journal_mode = WAL")  # type: ignore[attr-defined]

    kept = KeptConnection(engine)
    with kept.transaction() as connection:
        connection.connection.execute("CREATE TABLE used (number INTEGER PRIMARY KEY)")
    yield kept
    kept.close()


def write(kept: KeptConnection, number: int) -> None:
    with kept.transaction() as connection:
        connection.connection.execute("INSERT INTO used VALUES (?)", (number,))


def write_and_refuse(kept: KeptConnection, number: int) -> None:
    with kept.transaction() as connection:
        connection.connection.execute("INSERT INTO used VALUES (?)", (number,))
        raise ReplayedToken("The token was used before.")


def written(kept: KeptConnection) -> list[int]:
    with kept.transaction() as connection:
        return [number for (number,) in connection.connection.execute(WRITTEN)]


def test_transactions_one_after_another_have_the_same_connection(kept: KeptConnection) -> None:
    seen = set()
    for _ in range(3):
        with kept.transaction() as connection:
            seen.add(id(connection.connection))
    assert len(seen) == 1


def test_what_was_written_before_an_error_is_not_there_and_the_next_one_works(kept: KeptConnection) -> None:
    with pytest.raises(ReplayedToken):
        write_and_refuse(kept, 1)
    write(kept, 2)
    assert written(kept) == [2]


def test_an_error_of_the_driver_says_that_the_database_does_not_answer(kept: KeptConnection) -> None:
    with pytest.raises(StoreUnavailable, match="does not answer"), kept.transaction() as connection:
        connection.connection.execute("INSERT INTO nowhere VALUES (1)")
    write(kept, 1)
    assert written(kept) == [1]


def test_whoever_finds_it_taken_has_another_and_waits_for_his_turn(kept: KeptConnection) -> None:
    with kept.transaction() as connection:
        connection.connection.execute("INSERT INTO used VALUES (1)")
        with pytest.raises(StoreUnavailable, match="does not answer"):
            write(kept, 2)
    write(kept, 3)
    assert written(kept) == [1, 3]


def test_two_that_are_given_back_leave_one_kept_and_the_other_in_the_pool(kept: KeptConnection) -> None:
    first, second = kept.take(), kept.take()
    assert first.driver_connection is not second.driver_connection
    kept.give_back(first)
    kept.give_back(second)
    assert kept.take() is first
    kept.give_back(first)
    assert kept._engine.pool.checkedout() == 1  # type: ignore[attr-defined]  # of a QueuePool
