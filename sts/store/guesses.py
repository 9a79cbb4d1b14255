"""How many different wrong passwords came for a name from a network where its right one is remembered."""

from datetime import datetime, timedelta
from threading import Lock
from typing import Final

from sts.store.bounded import BoundedMap

MOST: Final = 100  # different ones; somebody who still has an old password is one
WINDOW: Final = timedelta(hours=1)


class _Tried:
    def __init__(self, begun_at: datetime) -> None:
        self.begun_at = begun_at
        self.marks: set[bytes] = set()

    def is_over(self, now: datetime) -> bool:
        return now - self.begun_at > WINDOW


class WrongGuesses:
    """Counts them in this process, only where somebody was right: strangers cannot make it count anything else."""

    def __init__(self, size: int) -> None:
        self._lock = Lock()
        self._watched: BoundedMap[str, _Tried] = BoundedMap(size)

    def watch(self, whence: str, now: datetime) -> None:
        """Count from now on what comes from there."""
        with self._lock:
            if self._watched.get(whence) is None:
                self._watched.put(whence, _Tried(now))

    def add(self, whence: str, mark: bytes, now: datetime) -> None:
        """Count a password that was refused, under a mark that only the same one has."""
        with self._lock:
            tried = self._watched.get(whence)
            if tried is None:
                return
            if tried.is_over(now):
                tried = _Tried(now)
                self._watched.put(whence, tried)
            if len(tried.marks) < MOST:
                tried.marks.add(mark)

    def are_too_many(self, whence: str, now: datetime) -> bool:
        """Whether so many came within the hour that nothing from there is to be believed by memory.

        Nor is it where they are not counted any more, until somebody is right there again and it is watched anew.
        """
        tried = self._watched.get(whence)
        return tried is None or (len(tried.marks) >= MOST and not tried.is_over(now))
