"""Every row that browsers or partners' documents can bring is sent to the door itself, not only to the function behind.

What counts is what pytest collects: a row that leaves a table is missed here. Where tests of a module go to several
doors, those count for a door that name it.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.threats.test_coverage import rows

FOLDER = Path(__file__).parent
SHARED = (
    *("test_assertion_grants.py", "test_encrypted_assertions.py", "test_exchanged_assertions.py"),
    *("test_issued_claims.py",),
)
DOORS = {
    "v2/wsfederation": ("test_responses.py", "test_encrypted_responses.py", "test_sign_in.py"),
    "the token endpoints": (*SHARED, "test_jwt_grants.py"),
    "v2/wstrust": ("test_wstrust.py", "test_wstrust_xml.py", "test_wstrust_assertions.py", *SHARED),
    "sts metadata import": ("test_metadata_import.py", "test_partner_metadata.py"),
}
ASSERTIONS = [*rows("X", 1, 26), *rows("D", 1, 50), *rows("A", 1, 34), *rows("N", 1, 22)]
OF_RECORDS = ("D39", "D49", "D50")  # what is in an identity provider's record, which all doors read alike
REQUIRED = {
    "v2/wsfederation": [*ASSERTIONS, *rows("W", 1, 22)],
    "the token endpoints": [row for row in ASSERTIONS if row not in OF_RECORDS],
    "v2/wstrust": [*rows("T", 1, 18), *(row for row in ASSERTIONS if row not in OF_RECORDS)],
    "sts metadata import": rows("M", 1, 16),
}
NAMED = re.compile(r"[\[-]([XDANWMT]\d\d)(?=[-\] ])|_([xdanwmt]\d\d)(?=_|\[|$)", re.MULTILINE)
NAMES_WSTRUST = re.compile(r"[\[-]wstrust[]-]")


def goes_to(door: str, module: str, name: str) -> bool:
    """Whether a test, by its name with the id of its case, sends what it sends to the door."""
    if module not in DOORS[door]:
        return False
    return module not in SHARED or (door == "v2/wstrust") == (NAMES_WSTRUST.search(name) is not None)


@pytest.fixture(scope="module")
def collected() -> dict[str, set[str]]:
    """The rows that tests at each door name, in their own names or in the ids of their cases."""
    modules = sorted({str(FOLDER / name) for names in DOORS.values() for name in names})
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", *modules]
    listed = subprocess.run(command, cwd=FOLDER.parents[1], capture_output=True, text=True, check=True).stdout
    lines = [line.partition("::") for line in listed.splitlines() if "::" in line]
    found: dict[str, set[str]] = {door: set() for door in DOORS}
    for path, _, name in lines:
        for door in (door for door in DOORS if goes_to(door, Path(path).name, name)):
            found[door].update((upper or lower).upper() for upper, lower in NAMED.findall(name))
    return found


@pytest.mark.parametrize(("door", "row"), [(door, row) for door, required in REQUIRED.items() for row in required])
def test_row_is_sent_to_its_door(collected: dict[str, set[str]], door: str, row: str) -> None:
    assert row in collected[door], f"no test in {', '.join(DOORS[door])} names {row}"


@pytest.mark.parametrize(
    ("door", "module", "name", "goes"),
    [
        ("v2/wstrust", "test_issued_claims.py", "test_x[A25-0-wstrust]", True),
        ("v2/wstrust", "test_issued_claims.py", "test_x[wstrust-A25-0]", True),
        ("v2/wstrust", "test_issued_claims.py", "test_x[A25-0-acs]", False),
        ("v2/wstrust", "test_issued_claims.py", "test_a25_x", False),
        ("v2/wstrust", "test_wstrust.py", "test_t01_x", True),
        ("the token endpoints", "test_issued_claims.py", "test_x[A25-0-wstrust]", False),
        ("the token endpoints", "test_issued_claims.py", "test_x[A25-0-acs]", True),
        ("the token endpoints", "test_issued_claims.py", "test_a25_x", True),
        ("the token endpoints", "test_wstrust.py", "test_t01_x", False),
    ],
)
def test_test_of_several_doors_counts_for_the_one_that_it_names(
    door: str, module: str, name: str, *, goes: bool
) -> None:
    assert goes_to(door, module, name) is goes


def test_rows_are_found_in_the_names_of_tests() -> None:
    names = ["_a[W01-get]", "_b[post-W02-user]", "_w03_x", "_n04", "_c[m05]", "_d[XW06]", "_e[W07]", "_f[W08 a]"]
    found = [upper or lower for name in names for upper, lower in NAMED.findall(name)]
    assert found == ["W01", "W02", "w03", "n04", "W07", "W08"]
