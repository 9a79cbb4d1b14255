"""How a command ends that is told to: in order, so that what it made for itself goes with it."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

_SIGNALS: Final = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def ending_in_order() -> Iterator[Callable[[], None]]:
    """Unwind on SIGTERM and SIGHUP as on Ctrl-C, instead of ending on the spot; the exit status is 128 and the number.

    Answers what is to be called now and then: it ends a command that was told to while it ran what takes no exception,
    such as a finalizer. For the main thread alone, which is where Python takes signals.
    """
    told: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        told.append(number)
        insist()

    def insist() -> None:
        if told:
            sys.exit(128 + told[0])

    before = {number: signal.signal(number, end) for number in _SIGNALS}
    try:
        yield insist
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
