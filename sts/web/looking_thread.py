"""What the threads of a process have in common that look again and again for something to do."""

from abc import ABC, abstractmethod
from datetime import timedelta
from threading import Event, Thread


class LookingThread(Thread, ABC):
    """Looks, waits for as long as the look says, and looks again, until it is stopped."""

    def __init__(self, name: str, first: timedelta | None = None) -> None:
        """A thread that has not started; it waits for as long as `first` before its first look, else not at all."""
        super().__init__(name=name, daemon=True)
        self._first = first
        self._stopped = Event()

    def run(self) -> None:
        """Look until stopped."""
        wait = self.attempt() if self._first is None else self._first
        while not self._stopped.wait(wait.total_seconds()):
            wait = self.attempt()

    def stop(self) -> None:
        """End the thread and wait for it."""
        self._stopped.set()
        self.join()

    def attempt(self) -> timedelta:
        """Look, whatever comes of it, and answer how long to wait: a look that can raise is caught here."""
        return self.look()

    @abstractmethod
    def look(self) -> timedelta:
        """Do what is to be done now, and answer how long to wait."""
