"""Places at which a test can have the process killed, as a power cut would.

`STS_FAULT_AT=NAME` kills the process with SIGKILL when it passes the point of that name, `NAME:3` when it passes it
for the third time. Without the variable a point costs one look at the environment.
"""

import os
import signal
from collections import Counter
from typing import Final

VARIABLE: Final = "STS_FAULT_AT"

_passed: Final[Counter[str]] = Counter()


def faultpoint(name: str) -> None:
    """Die here and now if the environment says so; the name is a literal, so that tests can find every point."""
    wanted = os.environ.get(VARIABLE)
    if wanted is None:
        return
    chosen, _, pass_number = wanted.partition(":")
    if chosen == name:
        _passed[name] += 1
        if _passed[name] >= int(pass_number or 1):
            os.kill(os.getpid(), signal.SIGKILL)
