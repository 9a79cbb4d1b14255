"""In CI a missing tool is a failure: a skip there would hide what was never verified.

A test that needs foreign software skips with a reason that says "is not installed" or "is not here"; any other skip
stays a skip.
"""

import os
import re
from collections.abc import Generator, Iterator
from typing import TypeVar

import pytest

from tests.faults import Launcher, launching

MISSING = re.compile("(is|are) not (installed|here)")
Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


@pytest.fixture(scope="session")
def launcher() -> Iterator[Launcher]:
    """Runs `sts` in processes of their own that can be killed."""
    with launching() as launched:
        yield launched


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skipped test into a failed one."""
    return _judged((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Turn a skipped module into a failed one."""
    return _judged((yield))


def _judged(report: Report) -> Report:
    if report.outcome == "skipped" and os.environ.get("CI") == "true" and MISSING.search(str(report.longrepr)):
        report.outcome = "failed"
        report.longrepr = f"a missing tool is a failure in CI: {report.longrepr}"
    return report
