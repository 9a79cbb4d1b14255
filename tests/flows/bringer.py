"""A process that sends forms of sign-ins to a service, all at once, and may be killed while it does.

It reads an order as a line of JSON, says that it is ready, waits for the next line, and prints the statuses.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from threading import Barrier
from typing import Any, NamedTuple

from werkzeug.test import Client

from sts.store.faultpoints import arm
from tests.faults import ROOT, environment
from tests.flows.people import LOCAL, Page, Person
from tests.flows.world import SECRET, World, open_world

LIMIT = 60.0  # seconds


class Errand(NamedTuple):
    """What one browser brings."""

    cookies: dict[str, str]
    path: str
    fields: dict[str, str]
    source: str

    @classmethod
    def answer(cls, person: Person, state: str, wresult: str) -> "Errand":
        """The answer of an identity provider, as this person's browser would send it."""
        return cls(
            person.cookies(), person.at(), {"wa": "wsignin1.0", "wctx": state, "wresult": wresult}, person.source
        )

    @classmethod
    def password(cls, person: Person, form: Page) -> "Errand":
        """The form of a local identity provider, filled in."""
        fields = {**form.fields, "username": "ann", "password": SECRET}
        return cls(person.cookies(), person.at(LOCAL), fields, person.source)


class Bringer:
    """The process, seen from a test."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def go(self) -> None:
        """Let it bring everything."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def ended(self) -> int:
        """How it ended, having answered or not."""
        return self._process.wait(LIMIT)

    def answers(self) -> list[tuple[int, bool]]:
        """The status of every answer, and whether it carried a token."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the process ended with {self.ended()} before it answered"
        return [tuple(answer) for answer in json.loads(line)]


@contextmanager
def bringing(world: World, errands: Sequence[Errand], point: str | None = None) -> Iterator[Bringer]:
    """A process of the same service that is ready to bring these, and dies at the point if there is one."""
    order = {"now": world.now.isoformat(), "point": point, "errands": errands}
    command = [sys.executable, "-m", "tests.flows.bringer"]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, env=environment(world.home), cwd=ROOT, text=True, **pipes) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
        assert process.stdout.readline() == "ready\n"
        try:
            yield Bringer(process)
        finally:
            process.kill()


def _bring(world: World, errand: Errand, start: Barrier) -> tuple[int, bool]:
    client = Client(world.client.application, use_cookies=False)
    start.wait()
    answer = client.post(
        errand.path,
        data=errand.fields,
        base_url=world.service.settings.base_url,
        headers={"Cookie": "; ".join(f"{name}={value}" for name, value in errand.cookies.items())},
        environ_overrides={"REMOTE_ADDR": errand.source},
    )
    return answer.status_code, bool(Page(answer).fields.get("wresult"))


def main() -> None:
    """Do what the test wants."""
    order = json.loads(sys.stdin.readline())
    world = open_world(Path(os.environ["STS_HOME"]))
    world.clock.now = datetime.fromisoformat(order["now"])
    errands = [Errand(*errand) for errand in order["errands"]]
    if order["point"] is not None:
        arm(order["point"])
    print("ready", flush=True)
    sys.stdin.readline()
    start = Barrier(len(errands))
    with ThreadPoolExecutor(len(errands)) as pool:
        answers = list(pool.map(lambda errand: _bring(world, errand, start), errands))
    print(json.dumps(answers), flush=True)


if __name__ == "__main__":
    main()
