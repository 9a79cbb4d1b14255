"""Where the time of a token goes: the raw operation, issuing, the WSGI application around it; then a profile."""

import cProfile
import io
import os
import pstats
from collections.abc import Callable
from functools import partial
from statistics import median

from benchmarks.inprocess import SLICE, issuing, open_service
from benchmarks.raw import operation, repeat
from benchmarks.server import HOST
from benchmarks.service import OPERATIONS, Installation, installed, target
from sts.assemble import Service
from sts.settings import LogFormat
from sts.web.app import Application
from sts.web.request_log import RequestLog

TURNS = 6
PROFILED = 3000  # requests
LINES = 25  # of the profile


def answering(installation: Installation, service: Service, relying_party: str) -> Callable[[], object]:
    """A function that sends one request for a token through the WSGI application, its log going to a file."""
    log = os.open(installation.home / "requests.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    application = Application(service, RequestLog(LogFormat.JSON, log))
    head, _, body = target(installation, relying_party).request.partition(b"\r\n\r\n")
    lines = (line.partition(": ") for line in head.decode("ascii").split("\r\n")[1:])
    headers = {name.lower(): value for name, _, value in lines}
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": head.split(b" ")[1].decode("ascii"),
        "QUERY_STRING": "",
        "REMOTE_ADDR": HOST,
        "HTTP_HOST": headers["host"],
        "HTTP_AUTHORIZATION": headers["authorization"],
        "CONTENT_TYPE": headers["content-type"],
        "CONTENT_LENGTH": headers["content-length"],
        "wsgi.url_scheme": "http",
    }

    def once() -> None:
        statuses: list[str] = []
        answer = b"".join(
            application(environ | {"wsgi.input": io.BytesIO(body)}, lambda status, *rest: statuses.append(status))
        )
        if statuses != ["200 OK"]:
            raise RuntimeError(f"{statuses}: {answer!r}")

    once()
    return once


def microseconds(actions: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Processor time of one call of each, measured in turn; the median."""
    found: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(TURNS):
        for name, action in actions.items():
            found[name].append(1e6 / repeat(action, SLICE).per_cpu_second)
    return {name: median(values) for name, values in found.items()}


def main() -> None:
    """Print a line for each format, and the profile of the cheapest, in which nothing hides behind a signature."""
    with installed() as installation:
        service = open_service(installation)
        print("microseconds          raw operation   issuing besides   WSGI besides")
        for name, raw in OPERATIONS.items():
            actions = {"issue": issuing(service, name), "wsgi": answering(installation, service, name)}
            if raw:
                actions["raw"] = operation(raw)
            took = microseconds(actions)
            alone = took.get("raw", 0.0)
            print(f"  {name:18} {alone:15.0f} {took['issue'] - alone:17.0f} {took['wsgi'] - took['issue']:14.0f}")
        profile = cProfile.Profile()
        profile.runcall(partial(_repeatedly, answering(installation, service, "swt")))
        pstats.Stats(profile).strip_dirs().sort_stats("tottime").print_stats(LINES)


def _repeatedly(action: Callable[[], object]) -> None:
    for _ in range(PROFILED):
        action()


if __name__ == "__main__":
    main()
