"""Faults of a configuration file, collected so that all of them are listed at once."""

from collections.abc import Callable

from sts.core.errors import InvalidConfiguration

Path = tuple[str | int, ...]


class Faults:
    """Collects sentences with their lines; what only deserves attention is a warning."""

    def __init__(self) -> None:
        self.line_at: Callable[[Path], int] = _no_line
        self._faults: set[tuple[int, str]] = set()
        self._warnings: set[tuple[int, str]] = set()

    def add_line(self, line: int, sentence: str) -> None:
        """Add a fault on a line."""
        self._faults.add((line, sentence))

    def add(self, path: Path, sentence: str) -> None:
        """Add a fault of the value at a path."""
        self.add_line(self.line_at(path), f"{label(path)}: {sentence}" if path else sentence)

    def warn(self, path: Path, sentence: str) -> None:
        """Add a warning about the value at a path."""
        self._warnings.add((self.line_at(path), f"{label(path)}: {sentence}"))

    @property
    def warnings(self) -> tuple[str, ...]:
        """The warnings in the order of the file."""
        return tuple(f"line {line}: {sentence}" for line, sentence in sorted(self._warnings))

    def raise_if_any(self) -> None:
        """Raise InvalidConfiguration with every fault, in the order of the file."""
        if self._faults:
            raise InvalidConfiguration([f"line {line}: {sentence}" for line, sentence in sorted(self._faults)])


def _no_line(path: Path) -> int:
    return 1


def label(path: Path) -> str:
    """A path as people write it: `relying_parties[2].reply[1]`, counted from 1."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step + 1}]"
        else:
            text += f".{step}" if text else step
    return text
