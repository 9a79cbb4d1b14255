"""One mapping of a configuration file, read key by key; what cannot be used counts as absent and is a fault already."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from sts.core.errors import OperatorError
from sts.operations.configuration.document import Plain
from sts.operations.configuration.faults import Faults, Path

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Entry:
    """A mapping, its place in the file, and where its faults go."""

    path: Path
    data: Mapping[str, Plain]
    faults: Faults
    broken: frozenset[Path]  # values the schema refused

    def has(self, key: str) -> bool:
        """Whether the key is written, whatever its value."""
        return key in self.data

    def text(self, key: str) -> str | None:
        """The text of a key."""
        value = self._value(key)
        return value if isinstance(value, str) else None

    def flag(self, key: str, *, default: bool) -> bool:
        """The truth of a key."""
        written = self.truth(key)
        return default if written is None else written

    def truth(self, key: str) -> bool | None:
        """The truth of a key, None where it is not written."""
        value = self._value(key)
        return value if isinstance(value, bool) else None

    def number(self, key: str) -> int | None:
        """The whole number of a key."""
        value = self._value(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def texts(self, key: str) -> Iterator[tuple[Path, str]]:
        """The texts in the list of a key, with their places."""
        for path, value in self._members(key):
            if isinstance(value, str):
                yield path, value

    def entries(self, key: str) -> Iterator["Entry"]:
        """The mappings in the list of a key."""
        for path, value in self._members(key):
            if isinstance(value, dict):
                yield Entry(path, value, self.faults, self.broken)

    def entry(self, key: str) -> "Entry | None":
        """The mapping of a key."""
        value = self._value(key)
        return Entry((*self.path, key), value, self.faults, self.broken) if isinstance(value, dict) else None

    def fault(self, key: str, sentence: str) -> None:
        """Add a fault of the value of a key."""
        self.faults.add((*self.path, key), sentence)

    def warn(self, key: str, sentence: str) -> None:
        """Add a warning about the value of a key."""
        self.faults.warn((*self.path, key), sentence)

    def parsed(self, key: str, parse: Callable[[str], T]) -> T | None:
        """Parse the text of a key; a refusal becomes a fault."""
        value = self.text(key)
        return None if value is None else self._parse((*self.path, key), value, parse)

    def all_parsed(self, key: str, parse: Callable[[str], T]) -> tuple[T, ...]:
        """Parse the texts in the list of a key; refusals become faults."""
        found = [self._parse(path, value, parse) for path, value in self.texts(key)]
        return tuple(value for value in found if value is not None)

    def _value(self, key: str) -> Plain:
        return None if (*self.path, key) in self.broken else self.data.get(key)

    def _members(self, key: str) -> Iterator[tuple[Path, Plain]]:
        value = self.data.get(key)
        for index, member in enumerate(value) if isinstance(value, list) else ():
            path = (*self.path, key, index)
            if path not in self.broken:
                yield path, member

    def _parse(self, path: Path, value: str, parse: Callable[[str], T]) -> T | None:
        try:
            return parse(value)
        except (ValueError, OperatorError) as error:
            self.faults.add(path, str(error))
            return None
