"""`make run`: again without a change, another port, an end without remains; and the flags of its cookies."""

import re
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from socket import socket
from urllib.parse import urlencode, urlsplit
from urllib.request import urlopen

import pytest

from tests.browser.demo import Demo, free_ports, running_demo
from tests.browser.visitor import Visitor

needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


def is_free(address: str) -> bool:
    """Whether nobody listens there."""
    with socket() as probe:
        return probe.connect_ex(("127.0.0.1", urlsplit(address).port or 0)) != 0


def copied(demo: Demo, home: Path) -> Path:
    """What a demo keeps, while it runs."""
    shutil.copytree(demo.home, home, ignore=shutil.ignore_patterns("sts.db*"))
    with closing(sqlite3.connect(demo.home / "sts.db")) as source, closing(sqlite3.connect(home / "sts.db")) as target:
        source.backup(target)
    return home


def test_data_goes_along_to_another_port_and_the_next_run_changes_nothing(demo: Demo, tmp_path: Path) -> None:
    home, ports = copied(demo, tmp_path / "home"), free_ports()
    with running_demo(home, ports) as moved:
        assert "changed relying party Orders: realm" in moved.said
        assert moved.password("alice") == demo.password("alice")
        asked = urlencode({"wa": "wsignin1.0", "wtrealm": moved.orders, "whr": "partner"})
        with urlopen(f"{moved.base_url}/demo/v2/wsfederation?{asked}") as answer:
            assert answer.url.startswith(f"{moved.base_url}/partner/")
            assert b'name="password"' in answer.read()
        assert moved.interrupt() == 0
        assert is_free(moved.base_url)
        assert is_free(moved.sample_url)
    with running_demo(home, ports) as again:
        assert again.said.startswith("no changes\nno changes\n")
        assert f"alice   {demo.password('alice')}" in again.said


def pasted(demo: Demo, heading: str) -> str:
    """What the commands under a heading print, pasted into a shell."""
    (start,) = re.findall(r"beginning with:\n\n(.*?)\n\n", demo.said, re.DOTALL)
    (block,) = re.findall(rf"^{re.escape(heading)}[^\n]*\n(.*?)\n\n", demo.said, re.DOTALL | re.MULTILINE)
    done = subprocess.run(["sh", "-ec", f"{start}\n{block}"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@needs_curl
def test_the_commands_over_ws_trust_can_be_pasted(demo: Demo) -> None:
    assert "<trust:RequestedSecurityToken><Assertion " in pasted(demo, "The same client over WS-Trust 1.3")


@needs_curl
def test_the_demo_shows_a_proof_of_possession(demo: Demo) -> None:
    given, found, holds = pasted(demo, "A token that is bound to a key").splitlines()
    assert given.split()[-1] == found.split()[-1]
    assert holds.endswith("True")
    assert b"holder-of-key" in (demo.home / "metadata" / "demo-ledger.xml").read_bytes()


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
