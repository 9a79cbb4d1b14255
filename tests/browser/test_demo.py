"""`make run`: again without a change, another port, an end without remains; and the flags of its cookies."""

from pathlib import Path
from socket import socket
from urllib.parse import urlsplit

import pytest

from tests.browser.demo import Demo, free_ports, running_demo
from tests.browser.visitor import Visitor


def is_free(address: str) -> bool:
    """Whether nobody listens there."""
    with socket() as probe:
        return probe.connect_ex(("127.0.0.1", urlsplit(address).port or 0)) != 0


def test_second_run_changes_nothing_and_ctrl_c_leaves_nothing_running(tmp_path: Path) -> None:
    ports = free_ports()
    with running_demo(tmp_path / "home", ports) as first:
        assert "created relying party Orders" in first.said
        alice = first.password("alice")
        assert first.interrupt() == 0
        assert is_free(first.base_url)
        assert is_free(first.sample_url)
    with running_demo(tmp_path / "home", ports) as second:
        assert second.said.startswith("no changes\nno changes\n")
        assert second.password("alice") == alice
        assert f"alice   {alice}" in second.said


def test_cookies_of_the_demo_are_out_of_reach_of_scripts_and_of_other_sites(visitor: Visitor, demo: Demo) -> None:
    visitor.sign_in(demo.orders, "The partner", "bob")
    cookies = {cookie["name"]: cookie for cookie in visitor.context.cookies()}
    assert set(cookies) == {
        "sts-browser",
        "sts-session-demo",
        "sts-session-partner",
        "sts-device-partner",
        "sts-choice-demo",
        "sts-choice-partner",
        "orders-visit",
    }
    for name, cookie in cookies.items():
        assert (cookie["httpOnly"], cookie["sameSite"], cookie["domain"]) == (True, "Lax", "127.0.0.1"), name
        assert (cookie["expires"] > 0) == name.startswith(("sts-device", "sts-choice")), name


@pytest.mark.parametrize("path", ["", "demo/.well-known/jwks.json", "partner/.well-known/jwks.json"])
def test_start_page_and_documents_are_there(visitor: Visitor, demo: Demo, path: str) -> None:
    answer = visitor.page.request.get(f"{demo.base_url}/{path}")
    assert answer.ok
