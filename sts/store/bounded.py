"""Memory that cannot grow without end: a map of bounded size, and bounded text for keys that callers choose."""

import hashlib
import re
from collections.abc import Callable
from typing import Final, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

LONGEST_KEY: Final = 256

_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")


class BoundedMap(Generic[K, V]):
    """A map that forgets its oldest entry when it is full.

    `get` takes no lock and may run at any time; whoever writes holds the owner's lock.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: dict[K, V] = {}
        self.get: Final[Callable[[K], V | None]] = self._entries.get

    def put(self, key: K, value: V) -> None:
        """Keep a value; the oldest makes room for it."""
        if key not in self._entries and len(self._entries) >= self._size:
            del self._entries[next(iter(self._entries))]
        self._entries[key] = value

    def drop(self, key: K) -> None:
        """Forget a key, known or not."""
        self._entries.pop(key, None)

    def drop_where(self, condition: Callable[[K, V], bool]) -> None:
        """Forget the entries that meet a condition."""
        for key in [key for key, value in self._entries.items() if condition(key, value)]:
            del self._entries[key]

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()

    def __len__(self) -> int:
        return len(self._entries)


def is_storable(text: str) -> bool:
    """Whether every database can take the text for a comparison: it holds no NUL and no lone surrogate."""
    return _UNSTORABLE.search(text) is None


def bounded(text: str) -> str:
    """Answer the text itself, or its hash if it is too long or holds characters that not every database stores."""
    if len(text) <= LONGEST_KEY and text.isprintable():
        return text
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
