"""Rollover under load: certificates that live for minutes, partners that seldom read, and not one token refused.

A real `sts serve` with two workers rolls the certificates of two namespaces over while partners ask for tokens at a
steady pace and verify each of them, with keys that they read no oftener than the partner of a two-year certificate
would, scaled to the certificate's life. The exit status is 1 if anything at all was refused.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import NoReturn

from benchmarks import processes
from benchmarks.partners import FORMATS, Client, Habits, Partner, Place
from benchmarks.server import BIN, HOST, Server, free_port, serving, sts

LIFE = 240  # seconds a certificate lives, in place of two years
TWO_YEARS = 730  # days
POLLING = LIFE / (TWO_YEARS / 30)  # a partner of two-year certificates reads every 30 days
TOKEN_LIFE = 12  # seconds; shorter than a retired certificate is still valid
KEEPING = 8.0  # seconds after which a token is verified again
WORKERS = 2
PHASES = 2  # partners of each format and namespace, whose readings come at different times
CLIENT = Client("client", "a-secret-of-the-soak-only")

# The spans of the two namespaces: as the plan scales the default policy to a life that is too short for it, and the
# seed's 90 and 45 of 730 days in proportion.
SPANS: Mapping[str, tuple[int, int]] = {
    "halves": (LIFE // 2, LIFE // 4),
    "proportional": (round(LIFE * 90 / TWO_YEARS), round(LIFE * 45 / TWO_YEARS)),
}


@dataclass(frozen=True, slots=True)
class Options:
    """How long, and how much."""

    minutes: float
    rate: float  # tokens per second in all


@dataclass(frozen=True, slots=True)
class Home:
    """A prepared STS_HOME and the port that its base URL names."""

    port: int
    environ: Mapping[str, str]

    def run(self, *arguments: str) -> str:
        """Run one `sts` command there and answer what it printed; raises RuntimeError if it is refused."""
        command = [str(BIN / "sts"), *arguments]
        environ = os.environ | dict(self.environ)
        done = subprocess.run(command, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr}")
        return done.stdout


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a soak led to."""

    seconds: float
    partners: Sequence[Partner]
    memory: tuple[Sequence[int], Sequence[int]]  # bytes of each process of the server, at begin and end
    cpu_seconds: float  # of the server
    steps: Mapping[str, Counter[str]]  # what the audit trail holds of each namespace
    warnings: Sequence[str]  # of the service, other than its records of requests


def main() -> int:
    """Soak and print; answers the exit status."""
    options = _options()
    signal.signal(signal.SIGTERM, _end)
    with _installed() as home:
        outcome = _soak(home, options)
    refusals = _print(outcome)
    return 1 if refusals else 0


def _end(number: int, frame: FrameType | None) -> NoReturn:
    """Let go of everything that was started, and not only of this process."""
    raise SystemExit(f"ended by signal {number}")


def _options() -> Options:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0, help="how long (20)")
    parser.add_argument("--rate", type=float, default=24.0, help="tokens per second in all (24)")
    given = parser.parse_args()
    return Options(given.minutes, given.rate)


@contextmanager
def _installed() -> Iterator[Home]:
    with TemporaryDirectory(prefix="sts-soak-") as folder:
        port = free_port()
        environ = {"STS_HOME": folder, "STS_BASE_URL": f"http://{HOST}:{port}", "SOAK_SECRET": CLIENT.secret}
        home = Home(port, environ)
        for namespace in SPANS:
            file = Path(folder) / f"{namespace}.json"  # JSON is YAML too
            file.write_text(json.dumps(_configuration(namespace)), encoding="utf-8")
            home.run("apply", str(file))
        yield home


def _configuration(namespace: str) -> Mapping[str, object]:
    lead, turn = SPANS[namespace]
    policy = {"lifetime": f"{LIFE}s", "lead": f"{lead}s", "turn": f"{turn}s"}
    party = {"token_lifetime": TOKEN_LIFE, "rule_groups": ["soak"]}
    formats = {each: {"name": each, "realm": f"https://{each}.example/", "token_format": each} for each in FORMATS}
    return {
        "namespace": namespace,
        "rollover": {"signing": policy, "decryption": policy},
        "relying_parties": [{**formats[each], **party} for each in FORMATS],
        "service_identities": [{"name": CLIENT.name, "password": "env:SOAK_SECRET"}],
        "rule_groups": [{"name": "soak", "rules": [{"input": {"issuer": "LOCAL AUTHORITY"}}]}],
    }


def _soak(home: Home, options: Options) -> Outcome:
    partners = _partners(home, options)
    log = Path(home.environ["STS_HOME"]) / "server.log"
    with serving(sts(WORKERS, home.port), home.port, home.environ) as server:
        begun, cpu = time.monotonic(), processes.cpu_seconds(server.pid)
        for partner in partners:
            partner.start()
        time.sleep(2 * POLLING)  # until everybody is there
        at_begin = _memory(server)
        _wait(options.minutes * 60, partners)
        seconds, cpu = time.monotonic() - begun, processes.cpu_seconds(server.pid) - cpu
        at_end = _memory(server)
        for partner in partners:
            partner.stop()
    steps = {namespace: _steps(home, namespace) for namespace in SPANS}
    return Outcome(seconds, partners, (at_begin, at_end), cpu, steps, _warnings(log))


def _partners(home: Home, options: Options) -> list[Partner]:
    places = [Place(home.port, namespace, each) for _ in range(PHASES) for namespace in SPANS for each in FORMATS]
    habits = Habits(POLLING, len(places) / options.rate, KEEPING)
    return [Partner(place, CLIENT, habits, POLLING * number / len(places)) for number, place in enumerate(places)]


def _wait(seconds: float, partners: Sequence[Partner]) -> None:
    """Wait, and say each minute how it goes."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(60.0, left))
        verified = sum(partner.record.verified for partner in partners)
        refused = sum(len(partner.record.refusals) for partner in partners)
        left = max(0.0, end - time.monotonic())
        print(f"{left / 60:.0f} minutes left: {verified} verified, {refused} refused", file=sys.stderr, flush=True)


def _memory(server: Server) -> list[int]:
    return [processes.memory(process.pid) for process in processes.tree(server.pid)]


def _steps(home: Home, namespace: str) -> Counter[str]:
    records = json.loads(home.run("audit", "list", "--namespace", namespace, "--limit", "1000000", "--json"))
    return Counter(
        f"{record['details']['ring']} {record['action'].removeprefix('rollover.')}"
        for record in records
        if record["action"].startswith("rollover.")
    )


def _warnings(log: Path) -> list[str]:
    lines = log.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.startswith('{"at"') and ("WARN" in line or "ERROR" in line)]


def _print(outcome: Outcome) -> int:
    """Print the figures; answers how many refusals there were."""
    records = [partner.record for partner in outcome.partners]
    refusals = sorted((each for record in records for each in record.refusals), key=lambda each: each.at)
    issued = sum(record.issued for record in records)
    reads = sum(record.reads for record in records)
    begin, end = (", ".join(f"{size / 2**20:.0f}" for size in sizes) for sizes in outcome.memory)
    print(f"certificates of {LIFE} s, {outcome.seconds / 60:.1f} minutes, {WORKERS} workers")
    print(f"{len(records)} partners, each reading no oftener than every {POLLING:.1f} s: {reads} readings")
    print(f"tokens issued {issued}, {issued / outcome.seconds:.1f} a second")
    print(f"  verified when they came {sum(record.verified for record in records)}")
    print(f"  verified again {KEEPING:.0f} s later {sum(record.verified_again for record in records)}")
    print(f"  refused {len(refusals)}")
    for namespace, (lead, turn) in SPANS.items():
        _print_namespace(outcome, namespace, f"lead {lead} s, turn {turn} s")
    print(f"MiB (PSS) of the first process and its workers: {begin} at begin; {end} at end")
    print(f"processor time of the server: {outcome.cpu_seconds:.0f} s")
    print(f"warnings in the log: {len(outcome.warnings)}")
    for line in (*outcome.warnings[:20], *(str(each) for each in refusals[:50])):
        print(f"  {line}")
    return len(refusals)


def _print_namespace(outcome: Outcome, namespace: str, spans: str) -> None:
    own = [partner.record for partner in outcome.partners if partner.name.startswith(namespace)]
    rollovers = min(len(record.signers) for record in own) - 1
    steps = outcome.steps[namespace]
    print(f"{namespace} ({spans}): {rollovers} rollovers seen by every partner")
    for ring in ("signing", "decryption"):
        told = ", ".join(f"{word} {steps[f'{ring} {step}']}" for step, word in _WORDS.items())
        print(f"  {ring} certificates: {told}")


_WORDS = {"publish": "made", "promote": "promoted", "destroy": "destroyed"}


if __name__ == "__main__":
    sys.exit(main())
