"""Processes that are forked off this one, as by a server that loads the application before it forks."""

import os
from collections.abc import Callable


class Child:
    """A process that takes one step whenever it is told to, and ends as such processes do."""

    def __init__(self, *steps: Callable[[], object]) -> None:
        orders, self._orders = os.pipe()
        self._answers, answers = os.pipe()
        self._process = os.fork()
        if self._process:
            os.close(orders)
            os.close(answers)
            return
        os.close(self._orders)
        for step in steps:
            if os.read(orders, 1):
                os.write(answers, _told(step).encode())
        os._exit(0)

    def step(self) -> str:
        """What the next step answers, or what it raises."""
        os.write(self._orders, b".")
        return os.read(self._answers, 65_536).decode()

    def end(self) -> None:
        """Wait until it has ended."""
        os.close(self._orders)
        os.close(self._answers)
        os.waitpid(self._process, 0)


def _told(step: Callable[[], object]) -> str:
    try:
        return str(step())
    except BaseException as error:
        return repr(error)


def in_a_child(work: Callable[[], object]) -> str:
    """What work answers, or what it raises, in a process of its own."""
    child = Child(work)
    told = child.step()
    child.end()
    return told
