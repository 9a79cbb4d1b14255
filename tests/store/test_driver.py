"""The connection that is kept out of the pool: one transaction after another, whatever became of the one before."""

import gc
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from sts.core.errors import ReplayedToken, StoreUnavailable
from sts.store.driver import KeptConnection
from tests.forked import Child, in_a_child

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


def test_a_look_sees_what_others_committed_since_and_keeps_nobody_waiting(kept: KeptConnection) -> None:
    with kept.look() as connection:
        assert connection.connection.execute(WRITTEN).fetchall() == []
        write(kept, 1)
        assert connection.connection.execute(WRITTEN).fetchall() == [(1,)]
        assert not connection.connection.in_transaction


def test_a_look_that_fails_says_that_the_database_does_not_answer(kept: KeptConnection) -> None:
    with pytest.raises(StoreUnavailable, match="does not answer"), kept.look() as connection:
        connection.connection.execute("SELECT 1 FROM nowhere")
    with kept.look() as connection:
        assert connection.connection.execute(WRITTEN).fetchall() == []


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


def used_by(kept: KeptConnection) -> set[int]:
    """The driver's connections of three transactions, two of which overlap."""
    with kept.transaction() as one:
        other = kept.take()
        found = {id(one.connection), id(other.driver_connection)}
        kept.give_back(other)
    with kept.transaction() as third:
        return found | {id(third.connection)}


def test_a_child_has_connections_of_its_own_and_leaves_its_parents_alone(kept: KeptConnection) -> None:
    def work() -> object:
        found = len(used_by(kept))
        write(kept, 2)
        kept.close()
        write(kept, 3)
        return (found, written(kept))

    write(kept, 1)
    assert used_by(kept)
    assert in_a_child(work) == "(2, [1, 2, 3])"
    write(kept, 4)
    assert written(kept) == [1, 2, 3, 4]


def test_what_a_child_commits_is_there_also_after_its_parent_closed_the_file(kept: KeptConnection) -> None:
    """Its own connections would hold no locks if its parent's had been open across the fork."""
    write(kept, 1)
    child = Child(lambda: write(kept, 2), lambda: write(kept, 3))
    child.step()
    kept.close()
    child.step()
    child.end()
    assert written(kept) == [1, 2, 3]


def open_files(folder: Path) -> set[tuple[str, str]]:
    """The descriptors of this process that are of files in a folder."""
    found = {(each.name, os.path.realpath(each)) for each in Path("/proc/self/fd").iterdir()}
    return {(descriptor, path) for descriptor, path in found if path.startswith(str(folder))}


def test_nothing_is_open_across_a_fork_that_is_not_in_use(kept: KeptConnection, tmp_path: Path) -> None:
    taken = [kept.take(), kept.take()]
    while taken:
        kept.give_back(taken.pop())
    assert len(open_files(tmp_path)) > 2
    assert in_a_child(lambda: open_files(tmp_path)) == "set()"


def test_a_child_does_not_close_what_is_in_use_when_it_is_forked(kept: KeptConnection, tmp_path: Path) -> None:
    """SQLite removes the log beside the file when it closes the last connection that it knows of."""

    def work() -> object:
        with suppress(StoreUnavailable):
            write(kept, 2)
        kept.close()
        gc.collect()
        return before - open_files(tmp_path)

    with kept.transaction() as connection:
        connection.connection.execute("INSERT INTO used VALUES (1)")
        before = open_files(tmp_path)
        assert len(before) > 2
        assert in_a_child(work) == "set()"
    assert written(kept) == [1]


def test_a_child_that_is_forked_during_a_transaction_waits_for_its_end(kept: KeptConnection) -> None:
    with kept.transaction() as connection:
        connection.connection.execute("INSERT INTO used VALUES (1)")
        assert "does not answer" in in_a_child(lambda: write(kept, 2))
    write(kept, 3)
    assert written(kept) == [1, 3]


def test_a_child_does_not_wait_for_a_lock_that_nobody_is_left_to_release(kept: KeptConnection) -> None:
    with kept._idle.lock:  # as a thread of the parent may have it at the moment of the fork
        kept.after_fork()
        write(kept, 1)
    assert written(kept) == [1]


def test_of_processes_that_were_forked_one_writes_each_number(kept: KeptConnection, tmp_path: Path) -> None:
    write(kept, 0)
    children = []
    for number in range(4):
        if (child := os.fork()) == 0:
            for each in range(1, 101):
                with suppress(StoreUnavailable):
                    write(kept, each)
                    (tmp_path / f"{each}.{number}").touch()
            os._exit(0)
        children.append(child)
    for child in children:
        assert os.waitpid(child, 0)[1] == 0
    winners = sorted(int(path.name.partition(".")[0]) for path in tmp_path.glob("*.[0-9]"))
    assert winners == sorted(set(winners))
    assert written(kept) == [0, *winners]
    with kept.transaction() as connection:
        assert connection.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
