"""How a command ends that is told to: in order, so that what it made for itself goes with it."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

_SIGNALS: Final = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


@contextmanager
def ending_in_order() -> Iterator[Callable[[], None]]:
    """Unwind on SIGTERM and SIGHUP as on Ctrl-C, instead of ending on the spot; the exit status is 128 and the number.

    Answers what is to be called now and then: it is where a command ends, since an exception that a signal raises
    anywhere may be lost in what takes none, such as a finalizer. A second signal does not wait for it. A signal that
    was ignored before, as under nohup, stays ignored. For the main thread alone, which is where Python takes signals.
    """
    told: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        told.append(number)
        if len(told) > 1:
            insist()

    def insist() -> None:
        if signal.SIGINT in told:
            raise KeyboardInterrupt
        if told:
            sys.exit(128 + told[0])

    heard = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, end) for number in heard}
    try:
        yield insist
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
