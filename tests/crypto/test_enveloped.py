"""The schema of signatures, and threads that want it all at once."""

import sys
from pathlib import Path
from subprocess import run

from sts.crypto.xmldsig import sign_canonical
from tests.crypto.identities import certificate, signer
from tests.crypto.test_xmldsig import halves20
from tests.faults import ROOT

PROCESSES, THREADS = 12, 16
FIRST_USE = f"""
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from sts.crypto.xmldsig import verify
from tests.crypto.test_xmldsig import EXPECTED20

document, certificate = (open(path, "rb").read() for path in sys.argv[1:])
start = Barrier({THREADS})

def first(_: int) -> str:
    start.wait()
    return verify(document, [certificate], EXPECTED20).get("ID")

with ThreadPoolExecutor({THREADS}) as pool:
    print(*pool.map(first, range({THREADS})))
"""


def test_threads_verify_their_first_signatures_at_once(tmp_path: Path) -> None:
    """A schema compiled by the first who want it fails some of them now and then, and may end the process."""
    document, pinned = tmp_path / "signed.xml", tmp_path / "signer.der"
    document.write_bytes(sign_canonical(*halves20(), "_a", signer("rsa2048")))
    pinned.write_bytes(certificate("rsa2048"))
    for _ in range(PROCESSES):
        process = run(
            [sys.executable, "-c", FIRST_USE, str(document), str(pinned)], cwd=ROOT, capture_output=True, text=True
        )
        assert (process.returncode, process.stdout.split(), process.stderr) == (0, ["_a"] * THREADS, "")
