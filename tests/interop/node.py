"""Programs of `npm/`, run by Node with the packages that `make test` installs there."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent / "npm"


def run_node(program: str, message: Mapping[str, object]) -> dict[str, Any]:
    """What a program answers to a message, both JSON; skips where Node or its packages are missing."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    if not (FOLDER / "node_modules").is_dir():
        pytest.skip("the npm packages are not installed: npm ci --ignore-scripts --prefix tests/interop/npm")
    done = subprocess.run(
        [node, "--no-deprecation", FOLDER / program],
        input=json.dumps(message).encode(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    answer = json.loads(done.stdout)
    assert isinstance(answer, dict)
    return answer
