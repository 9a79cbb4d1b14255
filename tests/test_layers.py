"""The import rule of the layout, executable: who may import what, read from the syntax tree of every module."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

LAYERS = {
    "core": 0,
    "crypto": 1,
    "settings": 1,
    "tokens": 2,
    "protocols": 2,
    "store": 2,
    "operations": 3,
    "assemble": 4,
    "web": 5,
    "cli": 5,
}

# Which modules may import a third-party package: a module, or everything below a package.
HOMES = {
    "flask": ("sts.web",),
    "werkzeug": ("sts.web",),
    "jinja2": ("sts.web",),
    "prometheus_client": ("sts.web",),
    "click": ("sts.cli",),
    "granian": ("sts.cli.serve", "sts.web.serve"),
    "sqlalchemy": ("sts.store",),
    "alembic": ("sts.store",),
    "jwt": ("sts.tokens.jwt",),
    "lxml": ("sts.crypto", "sts.tokens", "sts.protocols"),
    "cryptography": ("sts.crypto",),
    "argon2": ("sts.crypto.passwords",),
    "certifi": ("sts.crypto",),
    "yaml": ("sts.operations",),
    "jsonschema": ("sts.operations",),
}

INPUT_OUTPUT = frozenset({"asyncio", "http", "os", "pathlib", "shutil", "socket", "sqlite3", "subprocess", "tempfile"})
CLOCKS = frozenset(
    {
        "date.today",
        "datetime.now",
        "datetime.today",
        "datetime.utcnow",
        "time.monotonic",
        "time.perf_counter",
        "time.time",
        "time.time_ns",
    }
)
DISGUISED_IMPORTS = frozenset({"__import__", "import_module"})


def faults(module: str, source: str) -> list[str]:
    """Every breach of the import rule in one module, as sentences that begin with its line."""
    tree = ast.parse(source)
    at_top = {id(node) for node in _top_level(tree)}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            found += [f"{node.lineno}: {fault}" for name in _imported(node) for fault in _judge(module, name)]
            if id(node) not in at_top:
                found.append(f"{node.lineno}: an import belongs at the top of the module")
            if isinstance(node, ast.ImportFrom) and node.level:
                found.append(f"{node.lineno}: imports are absolute")
        if isinstance(node, ast.Call):
            found += [f"{node.lineno}: {fault}" for fault in _judge_call(module, ast.unparse(node.func))]
    return found


def _top_level(tree: ast.Module) -> Iterator[ast.stmt]:
    for node in tree.body:
        yield node
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            yield from node.body


def _imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if node.module == "sts" and not node.level:  # `from sts import store` names the package in the second half
        return [f"sts.{alias.name}" for alias in node.names]
    return [node.module] if node.module and not node.level else []


def _judge(module: str, imported: str) -> Iterator[str]:
    package, name = _package(module), imported.partition(".")[0]
    if name == "sts":
        yield from _judge_own(package, _package(imported))
    elif name in sys.stdlib_module_names:
        if package == "core" and name in INPUT_OUTPUT:
            yield f"core does no input or output and imports {imported}"
    elif package == "core":
        yield f"core imports the standard library only, not {name}"
    elif name not in HOMES:
        yield f"{name} is no library of this project"
    elif not any(module == home or module.startswith(f"{home}.") for home in HOMES[name]):
        yield f"{name} is imported only in {', '.join(HOMES[name])}"


def _judge_own(package: str, imported: str) -> Iterator[str]:
    if not package or imported == package:
        return
    if imported not in LAYERS:
        yield f"sts.{imported} has no layer"
    elif LAYERS[imported] > LAYERS[package]:
        yield f"{package} (layer {LAYERS[package]}) imports {imported} (layer {LAYERS[imported]})"
    elif LAYERS[imported] == LAYERS[package]:
        yield f"{package} and {imported} are of one layer and do not meet"


def _judge_call(module: str, called: str) -> Iterator[str]:
    if called.rpartition(".")[2] in DISGUISED_IMPORTS:
        yield f"{called} hides an import"
    if _package(module) == "core":
        if ".".join(called.split(".")[-2:]) in CLOCKS:
            yield f"core is told the time and does not read a clock: {called}"
        if called in ("open", "print", "input"):
            yield f"core does no input or output and calls {called}"


def _package(module: str) -> str:
    return f"{module}.".split(".")[1]


def _modules() -> list[Path]:
    return sorted((ROOT / "sts").rglob("*.py"))


def _name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("path", _modules(), ids=_name)
def test_module_keeps_the_import_rule(path: Path) -> None:
    assert faults(_name(path), path.read_text(encoding="utf-8")) == []


def test_every_package_has_a_layer() -> None:
    below = (path.stem for path in (ROOT / "sts").iterdir() if path.is_dir() or path.suffix == ".py")
    assert {name for name in below if not name.startswith("__")} <= set(LAYERS)


def test_every_pinned_library_has_a_home() -> None:
    pinned = (ROOT / "setup.cfg").read_text(encoding="utf-8").partition("install_requires =")[2].partition("\n\n")[0]
    imported_as = {"pyjwt": "jwt", "pyyaml": "yaml", "argon2-cffi": "argon2", "prometheus-client": "prometheus_client"}
    names = [line.split("==")[0].strip() for line in pinned.strip().splitlines()]
    assert names
    assert {imported_as.get(name, name) for name in names} <= set(HOMES)


@pytest.mark.parametrize(
    ("module", "source", "fault"),
    [
        ("sts.core.issue", "from sts.crypto import sealing", "core (layer 0) imports crypto (layer 1)"),
        ("sts.crypto.xml", "from sts import tokens", "crypto (layer 1) imports tokens (layer 2)"),
        ("sts.tokens.swt", "import sts.protocols.wrap", "tokens and protocols are of one layer and do not meet"),
        ("sts.web.app", "from sts.cli.main import main", "web and cli are of one layer and do not meet"),
        ("sts.operations.keys", "import sts.assemble", "operations (layer 3) imports assemble (layer 4)"),
        ("sts.web.app", "from sts.elsewhere import x", "sts.elsewhere has no layer"),
        ("sts.tokens.swt", "from . import jwt", "imports are absolute"),
        ("sts.core.rules", "import lxml.etree", "core imports the standard library only, not lxml"),
        ("sts.core.rules", "import requests", "core imports the standard library only, not requests"),
        ("sts.core.rules", "from pathlib import Path", "core does no input or output and imports pathlib"),
        ("sts.core.rules", "open('x')", "core does no input or output and calls open"),
        ("sts.core.rules", "datetime.datetime.now(UTC)", "does not read a clock: datetime.datetime.now"),
        ("sts.core.rules", "x = datetime.now()", "does not read a clock: datetime.now"),
        ("sts.core.rules", "x = time.time()", "does not read a clock: time.time"),
        ("sts.operations.x", "import requests", "requests is no library of this project"),
        ("sts.protocols.wrap", "from flask import request", "flask is imported only in sts.web"),
        ("sts.operations.x", "import sqlalchemy as sa", "sqlalchemy is imported only in sts.store"),
        ("sts.tokens.swt", "import jwt", "jwt is imported only in sts.tokens.jwt"),
        ("sts.crypto.xmldsig", "import signxml", "signxml is no library of this project"),
        ("sts.store.tables", "from lxml import etree", "lxml is imported only in"),
        ("sts.operations.x", "import click", "click is imported only in sts.cli"),
        ("sts.operations.x", "import granian", "granian is imported only in"),
        ("sts.cli.main", "import prometheus_client", "prometheus_client is imported only in sts.web"),
        ("sts.web.app", "def f():\n    from sts import core", "2: an import belongs at the top of the module"),
        ("sts.web.app", "if debug:\n    import json", "2: an import belongs at the top of the module"),
        ("sts.web.app", "try:\n    import json\nfinally:\n    pass", "2: an import belongs at the top of the module"),
        ("sts.web.app", "importlib.import_module('x')", "importlib.import_module hides an import"),
        ("sts.core.x", "if TYPE_CHECKING:\n    import sts.web", "core (layer 0) imports web (layer 5)"),
    ],
)
def test_a_planted_breach_is_caught(module: str, source: str, fault: str) -> None:
    assert any(fault in found for found in faults(module, source))


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("sts.core.issue", "import hashlib\nfrom sts.core.model import Claim"),
        ("sts.tokens.jwt", "import jwt\nfrom sts.crypto import certificates"),
        ("sts.web.app", "from flask import Flask\nimport sts.assemble"),
        ("sts.web.app", "if TYPE_CHECKING:\n    from sts.core.ports import Signer"),
        ("sts.core.rules", "def f(now):\n    return now.time()"),
        ("sts.assemble", "from sts.settings import Settings"),
    ],
)
def test_what_the_rule_allows_passes(module: str, source: str) -> None:
    assert faults(module, source) == []
