"""Places at which a test can have the process killed, as a power cut would.

A test arms a point in a process that it starts itself; nothing else does, so that in a service a point does nothing,
whatever its environment says.
"""

import os
import signal
from typing import Final

_armed: Final[dict[str, int]] = {}  # how often each is still to be passed


def arm(point: str) -> None:
    """Have the process die by SIGKILL at the point `NAME`, or when it passes it for the third time at `NAME:3`."""
    name, _, passes = point.partition(":")
    _armed[name] = int(passes or 1)


def faultpoint(name: str) -> None:
    """Die here and now if a test wants it; the name is a literal, so that tests can find every point."""
    if name in _armed:
        _armed[name] -= 1
        if _armed[name] <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
