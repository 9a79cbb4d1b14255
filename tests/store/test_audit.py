"""The hash chain."""

import pytest
import sqlalchemy as sa

from sts.core.errors import AuditBroken
from sts.store import audit, tables
from tests.contract.backends import SqlBackend
from tests.core.builders import DAY, NOW, SECOND

TABLE = tables.audit
SEVENTH = TABLE.c.sequence == 7


def write(sql: SqlBackend, records: int) -> None:
    for number in range(records):
        with sql.database.changing("ann", NOW + number * SECOND) as change:
            change.audit(
                "contoso" if number % 2 else "fabrikam", "key.generate", f"key:{number}", {"b": 1, "a": [number]}
            )


def test_records_are_answered_as_they_were_written(sql: SqlBackend) -> None:
    write(sql, 4)
    with sql.database.reading() as connection:
        newest = audit.list_newest(connection, None, 2)
        of_contoso = audit.list_newest(connection, "contoso", 10)
    assert [(r.sequence, r.at, r.actor, r.subject, r.details) for r in newest] == [
        (3, NOW + 2 * SECOND, "ann", "key:2", {"a": [2], "b": 1}),
        (4, NOW + 3 * SECOND, "ann", "key:3", {"a": [3], "b": 1}),
    ]
    assert [record.sequence for record in of_contoso] == [2, 4]


def test_whole_trail_verifies_over_many_pages(sql: SqlBackend) -> None:
    with sql.database.changing("ann", NOW) as change:
        for number in range(2_500):
            change.audit("contoso", "test", str(number), {})
    with sql.database.reading() as connection:
        assert audit.verify(connection).sequence == 2_500


def test_empty_trail_verifies(sql: SqlBackend) -> None:
    with sql.database.reading() as connection:
        assert audit.verify(connection).sequence == 0


def swap_third_and_seventh() -> list[sa.Update]:
    moves = ((3, 99), (7, 3), (99, 7))
    return [sa.update(TABLE).where(TABLE.c.sequence == old).values(sequence=new) for old, new in moves]


def delete_and_close_the_gap() -> list[sa.Update | sa.Delete]:
    later = sa.update(TABLE).where(TABLE.c.sequence > 7)
    return [sa.delete(TABLE).where(SEVENTH), later.values(sequence=TABLE.c.sequence - 1)]


@pytest.mark.parametrize(
    ("statements", "sequence", "fault"),
    [
        ([sa.update(TABLE).where(SEVENTH).values(actor="eve")], 7, "was altered"),
        ([sa.update(TABLE).where(SEVENTH).values(at=NOW - DAY)], 7, "was altered"),
        ([sa.update(TABLE).where(SEVENTH).values(details='{"a":[7],"b":1}')], 7, "was altered"),
        ([sa.update(TABLE).where(SEVENTH).values(hash="0" * 64)], 7, "was altered"),
        ([sa.update(TABLE).where(SEVENTH).values(previous_hash="0" * 64)], 7, "does not follow"),
        ([sa.delete(TABLE).where(SEVENTH)], 7, "is missing"),
        ([sa.delete(TABLE).where(TABLE.c.sequence == 1)], 1, "is missing"),
        (delete_and_close_the_gap(), 7, "does not follow"),
        (swap_third_and_seventh(), 3, "does not follow"),
    ],
)
def test_first_broken_record_is_named(
    sql: SqlBackend, statements: list[sa.Update | sa.Delete], sequence: int, fault: str
) -> None:
    write(sql, 9)
    with sql.database.recording() as connection:
        for statement in statements:
            connection.execute(statement)
    with sql.database.reading() as connection, pytest.raises(AuditBroken, match=fault) as broken:
        audit.verify(connection)
    assert broken.value.sequence == sequence


def test_cut_end_shows_in_the_head(sql: SqlBackend) -> None:
    write(sql, 9)
    with sql.database.reading() as connection:
        noted = audit.verify(connection)
    with sql.database.recording() as connection:
        connection.execute(sa.delete(TABLE).where(TABLE.c.sequence == 9))
    with sql.database.reading() as connection:
        assert audit.verify(connection) != noted
