"""Points at which a process can be killed."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sts.store.faultpoints import VARIABLE
from tests.faults import environment, fault_points

PROGRAM = """
from sts.store.faultpoints import faultpoint
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
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment(tmp_path, point), capture_output=True, text=True, timeout=60
    )
    assert "".join(process.stdout.split()) == printed
    assert process.returncode == (0 if printed == "012" else -signal.SIGKILL)


def test_only_one_module_knows_the_variable() -> None:
    sources = Path(__file__).resolve().parents[2] / "sts"
    assert [path.name for path in sources.rglob("*.py") if VARIABLE in path.read_text()] == ["faultpoints.py"]


def test_names_of_points_say_what_they_belong_to() -> None:
    assert all("." in name for name in fault_points())
