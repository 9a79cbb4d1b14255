"""Every row of the catalogue of threats that this service must refuse by now is named by a test that sends it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
IN_A_NAME = re.compile(r"(?<=_)[a-z]\d\d(?=_|$)")
IN_AN_ID = re.compile(r"[A-Z]\d\d(?=[- ]|$)")
WITH_TESTS = ("test_*.py", "hostile_*.py")  # and the tables that several of them send


def rows(letter: str, first: int, last: int) -> list[str]:
    """A part of a table of the catalogue."""
    return [f"{letter}{number:02}" for number in range(first, last + 1)]


REQUIRED = [
    *(
        *rows("S", 1, 21),
        *rows("C", 1, 20),
        *rows("A", 1, 34),
        *rows("X", 1, 26),
        *rows("D", 1, 50),
        *rows("N", 1, 22),
        *rows("M", 1, 16),
        *rows("W", 1, 22),
        *rows("T", 1, 18),
    ),
    *("G14", "G17", "F01", "F02", *rows("F", 4, 9), "F03", "F10", "F11", "F13", "O06", "O07", *rows("J", 1, 24)),
]


def named(module: ast.Module) -> Iterator[str]:
    """The rows that tests name: in their own names, or in the ids of their cases."""
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield from (row.upper() for row in IN_A_NAME.findall(node.name))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from IN_AN_ID.findall(node.value)[:1] if IN_AN_ID.match(node.value) else ()


@pytest.fixture(scope="module")
def covered() -> dict[str, list[str]]:
    """The modules that test each row."""
    found: dict[str, list[str]] = {}
    for path in sorted(path for pattern in WITH_TESTS for path in FOLDER.glob(pattern)):
        for row in named(ast.parse(path.read_text())) if path.name != Path(__file__).name else ():
            found.setdefault(row, []).append(path.name)
    return found


@pytest.mark.parametrize("row", REQUIRED)
def test_row_is_named_by_a_test(covered: dict[str, list[str]], row: str) -> None:
    assert row in covered, f"no test in {FOLDER.name}/ names {row}"


def test_rows_are_found_in_names_and_ids_only() -> None:
    module = ast.parse(
        '"""Rows S01 and S02."""\n'
        'ids = ["S03-a", "S04", "see S05", f"S06-{1}", "S0777"]\n'
        "def test_s08_and_j09_are_refused(): ...\n"
        "def helper_s10(): ...\n"
        "def test_mass10_x(): ...\n"
    )
    assert sorted(named(module)) == ["J09", "S03", "S04", "S06", "S08"]
