"""The service under measurement: a home of its own, the namespace of tokens.yaml, one request for each format."""

import base64
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.load import form_post
from benchmarks.over_http import Target
from benchmarks.raw import Operation
from benchmarks.server import BIN, HOST, free_port

NAMESPACE = "bench"
CLIENT = "client"
SECRET = "a-secret-of-the-benchmarks-only"
OPERATIONS = {
    "jwt-rs256": Operation.RSA2048,
    "jwt-es256": Operation.P256,
    "jwt-hs256": None,
    "swt": None,
    "saml11": Operation.RSA2048,
    "saml20": Operation.RSA2048,
}


@dataclass(frozen=True, slots=True)
class Installation:
    """A prepared STS_HOME, and the port that its base URL names."""

    home: Path
    port: int
    environ: dict[str, str] = field(repr=False)


@contextmanager
def installed() -> Iterator[Installation]:
    """Make a home with the namespace in it; it goes when the measurement ends."""
    with TemporaryDirectory(prefix="sts-bench-") as folder:
        port = free_port()
        environ = {"STS_HOME": folder, "STS_BASE_URL": f"http://{HOST}:{port}", "BENCH_SECRET": SECRET}
        installation = Installation(Path(folder), port, environ)
        run(installation, "apply", str(Path(__file__).with_name("tokens.yaml")))
        # The only credential of its ring signs without having been made primary.
        dedicated = ["--namespace", NAMESPACE, "--relying-party", "jwt-es256", "--use", "signing"]
        run(installation, "certificate", "generate", *dedicated, "--key-type", "p256")
        yield installation


def run(installation: Installation, *arguments: str) -> None:
    """Run one `sts` command there, quietly; raises RuntimeError with what it said if it is refused."""
    command = [str(BIN / "sts"), *arguments]
    done = subprocess.run(
        command, env=os.environ | installation.environ, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr}")


def target(installation: Installation, relying_party: str) -> Target:
    """The request for a token of that relying party at `oauth2/token`."""
    credentials = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
    request = form_post(
        f"{HOST}:{installation.port}",
        f"/{NAMESPACE}/oauth2/token",
        {"Authorization": f"Basic {credentials}"},
        f"grant_type=client_credentials&resource=https%3A%2F%2F{relying_party}.example%2F",
    )
    return Target(relying_party, request, OPERATIONS[relying_party])
