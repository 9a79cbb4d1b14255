"""How a command ends that is told to: in order, so that what it made for itself goes with it."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final, NoReturn

_SIGNALS: Final = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def ending_in_order() -> Iterator[None]:
    """Unwind on SIGTERM and SIGHUP as on Ctrl-C, instead of ending on the spot; the exit status is 128 and the number.

    For the main thread alone, which is where Python takes signals.
    """
    before = {number: signal.signal(number, _exit) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _exit(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)
