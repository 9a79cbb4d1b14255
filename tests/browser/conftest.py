"""A demo for all tests of this folder, and browsers that visit it."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.demo import Demo, free_ports, running_demo
from tests.browser.visitor import HEIGHT, WIDTH, Visitor
from tests.tools import require_tool

PICTURES = os.environ.get("PICTURES")  # the folder for pictures; `make pictures` names it
LAUNCH = ["--no-sandbox", "--host-resolver-rules=MAP *.example 127.0.0.1"]  # in containers there is no sandbox

Visitors = Callable[..., Visitor]


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """The browser."""
    executable = require_tool("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=LAUNCH)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The demo, as `make run` runs it; at its usual ports where pictures are taken."""
    ports = (8000, 8001) if PICTURES else free_ports()
    with running_demo(tmp_path_factory.mktemp("demo"), ports) as running:
        yield running


@pytest.fixture
def visitors(chromium: Browser, demo: Demo) -> Iterator[Visitors]:
    """Makes people who know nothing of each other; afterwards none of their browsers may have complained."""
    made = []

    def make(**options: Any) -> Visitor:
        options = {"viewport": {"width": WIDTH, "height": HEIGHT}, "color_scheme": "light", "locale": "en", **options}
        made.append(Visitor(chromium.new_context(**options), demo, Path(PICTURES) if PICTURES else None))
        return made[-1]

    yield make
    for visitor in made:
        visitor.leave()
    assert [visitor.faults for visitor in made] == [[] for _ in made]


@pytest.fixture
def visitor(visitors: Visitors) -> Visitor:
    """Somebody with a browser."""
    return visitors()
