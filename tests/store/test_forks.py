"""A database that is open when its process forks: parent and child go on beside each other, and nothing is lost."""

import pytest
import sqlalchemy as sa

from sts.store.database import Database
from sts.store.prepared import Prepared
from tests.core.builders import NOW
from tests.forked import Child, in_a_child

USED = sa.Table("used", sa.MetaData(), sa.Column("number", sa.Integer, primary_key=True))
_WRITE = Prepared(lambda connection: sa.insert(USED))
WAYS = ("recording", "recording_at_once", "recording_deferred")


@pytest.fixture
def database(database_url: str) -> Database:
    """A database that has been used in every way, so that connections are open."""
    database = Database(database_url)
    database.migrate()
    database.defer()
    with database.recording() as connection:
        USED.create(connection)
    for number, way in enumerate(WAYS):
        write(database, way, number)
    return database


def write(database: Database, way: str, number: int) -> None:
    with getattr(database, way)() as connection:
        _WRITE.count(connection, number=number)


def written(database: Database) -> list[int]:
    with database.reading() as connection:
        return list(connection.scalars(sa.select(USED.c.number).order_by(USED.c.number)))


@pytest.mark.parametrize("way", WAYS)
def test_what_a_child_commits_is_there_also_after_its_parent_closed_the_database(database: Database, way: str) -> None:
    child = Child(
        lambda: write(database, way, 10),
        lambda: write(database, way, 11),
        lambda: (written(database), database.close()),
    )
    assert child.step() == "None"
    write(database, way, 20)
    database.close()
    assert child.step() == "None"
    assert child.step() == "([0, 1, 2, 10, 11, 20], None)"
    child.end()
    assert written(database) == [0, 1, 2, 10, 11, 20]


@pytest.mark.parametrize("way", WAYS)
def test_what_a_parent_commits_is_there_also_after_its_child_closed_the_database(database: Database, way: str) -> None:
    assert in_a_child(lambda: (write(database, way, 10), database.close())) == "(None, None)"
    write(database, way, 20)
    with database.changing("test", NOW):
        pass
    assert written(database) == [0, 1, 2, 10, 20]


def test_children_of_one_parent_write_beside_each_other(database: Database) -> None:
    children = [
        Child(*[lambda number=number: write(database, WAYS[number % 3], number) for number in range(first, first + 9)])
        for first in (100, 200, 300)
    ]
    for _ in range(9):
        assert [child.step() for child in children] == ["None"] * 3
    for child in children:
        child.end()
    assert written(database) == [0, 1, 2, *(first + n for first in (100, 200, 300) for n in range(9))]


def test_a_child_does_not_wait_for_a_change_that_nobody_is_left_to_end(database: Database) -> None:
    def change() -> None:
        with database.changing("test", NOW):
            pass

    with database._turn:  # as a thread of the parent may have it at the moment of the fork
        assert in_a_child(change) == "None"
