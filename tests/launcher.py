"""The process behind `tests.faults.Launcher`: for each order, a line of JSON, it forks processes that run `sts`."""

import json
import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

import sts.web.app  # noqa: F401  # in memory before the first fork
from sts.cli.main import main
from sts.store.faultpoints import arm
from tests.faults import VARIABLE


def become(order: dict[str, Any], number: int) -> None:
    """Be the program; does not return."""
    for descriptor in (1, 2):
        file = os.open(Path(order["folder"]) / f"{number}.{descriptor}", os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
        os.dup2(file, descriptor)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.clear()
    os.environ.update(order["environ"])
    point = os.environ.pop(VARIABLE, None)
    if point is not None:
        arm(point)
    if order["file_size"] is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["file_size"], order["file_size"]))
    status: object = 1
    try:
        main(order["commands"][number])
    except SystemExit as end:
        status = end.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status if isinstance(status, int) else 0 if status is None else 1)


def serve() -> None:
    """Carry out orders until there are none."""
    for line in sys.stdin:
        order = json.loads(line)
        children = {}
        for number in range(len(order["commands"])):
            child = os.fork()
            if child == 0:
                become(order, number)
            children[child] = number
        if order["seconds"] is not None:
            time.sleep(order["seconds"])
            for child in children:
                os.kill(child, signal.SIGKILL)
        ended = [(number, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])) for child, number in children.items()]
        print(json.dumps(ended), flush=True)


if __name__ == "__main__":
    serve()
