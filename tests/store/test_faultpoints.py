"""Points at which a process can be killed."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults import VARIABLE, environment, fault_points

PROGRAM = """
import sys
from sts.store.faultpoints import arm, faultpoint
for point in sys.argv[1:]:
    arm(point)
for number in range(3):
    faultpoint("here")
    print(number, flush=True)
"""


@pytest.mark.parametrize(
    ("point", "printed"),
    [(None, "012"), ("elsewhere", "012"), ("here", ""), ("here:1", ""), ("here:3", "01"), ("here:4", "012")],
)
def test_process_dies_at_the_point_that_is_named_and_nowhere_else(
    tmp_path: Path, point: str | None, printed: str
) -> None:
    armed = [] if point is None else [point]
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM, *armed], env=environment(tmp_path), capture_output=True, text=True, timeout=60
    )
    assert "".join(process.stdout.split()) == printed
    assert process.returncode == (0 if printed == "012" else -signal.SIGKILL)


@pytest.mark.parametrize("point", ["here", "here:1"])
def test_a_variable_of_the_environment_kills_nothing(tmp_path: Path, point: str) -> None:
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment(tmp_path, point), capture_output=True, text=True, timeout=60
    )
    assert (process.returncode, process.stdout.split()) == (0, ["0", "1", "2"])


def test_nothing_of_the_product_arms_a_point_or_knows_the_variable() -> None:
    sources = list((Path(__file__).resolve().parents[2] / "sts").rglob("*.py"))
    assert [path.name for path in sources if VARIABLE in path.read_text()] == []
    assert [path.name for path in sources if re.search(r"\barm\(", path.read_text())] == ["faultpoints.py"]


def test_names_of_points_say_what_they_belong_to() -> None:
    assert all("." in name for name in fault_points())
