"""A YAML file as plain data that remembers its lines.

The file is read from parser events, not through a YAML loader: nothing but text, whole numbers, true, false and
nothing can come out of it, a key cannot be given twice, and depth and aliases are bounded.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import yaml
from yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)

from sts.operations.configuration.faults import Faults, Path

MAX_DEPTH: Final = 20
MAX_ALIASED: Final = 10_000  # values that aliases repeat, in all

Plain = dict[str, "Plain"] | list["Plain"] | str | int | bool | None

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WORDS: Final = {"": None, "~": None, "null": None, "Null": None, "NULL": None} | {
    word: value for value in (True, False) for word in (str(value), str(value).lower(), str(value).upper())
}
_WHOLE_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]{0,17})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Node:
    """One value of the file and the line on which it, or its key, begins."""

    line: int
    value: "dict[str, Node] | list[Node] | str | int | bool | None" = field(repr=False)
    size: int = 1  # values in it, itself included


def read_document(content: bytes, faults: Faults) -> Node | None:
    """Read the one YAML document of a file, UTF-8; None when it cannot be read, and then a fault says why."""
    try:
        text = content.decode("utf-8-sig")
        return _Reader(yaml.parse(text, Loader=_LOADER), faults).document()
    except UnicodeDecodeError as error:
        faults.add_line(content[: error.start].count(b"\n") + 1, "the file is not UTF-8 text")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        faults.add_line(mark.line + 1 if mark else 1, f"this is not YAML: {error.problem or error.context}")
    except yaml.YAMLError:
        faults.add_line(1, "the file holds characters that YAML does not allow")
    except _Unreadable as error:
        faults.add_line(error.line, str(error))
    return None


def plain(node: Node) -> Plain:
    """The data of a node, without lines."""
    if isinstance(node.value, dict):
        return {key: plain(child) for key, child in node.value.items()}
    if isinstance(node.value, list):
        return [plain(child) for child in node.value]
    return node.value


def line_of(node: Node, path: Path) -> int:
    """The line of the value at a path, or of the nearest one around it that exists."""
    for step in path:
        child = _child(node, step)
        if child is None:
            break
        node = child
    return node.line


def _child(node: Node, step: str | int) -> Node | None:
    if isinstance(node.value, dict) and isinstance(step, str):
        return node.value.get(step)
    if isinstance(node.value, list) and isinstance(step, int) and step < len(node.value):
        return node.value[step]
    return None


class _Unreadable(Exception):
    """What ends the reading at once."""

    def __init__(self, line: int, sentence: str) -> None:
        super().__init__(sentence)
        self.line = line


class _Reader:
    """Composes nodes from the events of one document."""

    def __init__(self, events: Iterator[Event], faults: Faults) -> None:
        self._events = events
        self._faults = faults
        self._anchors: dict[str, Node] = {}
        self._aliased = 0

    def document(self) -> Node:
        next(self._events)
        if isinstance(next(self._events), StreamEndEvent):
            raise _Unreadable(1, "the file is empty; it begins with `namespace: NAME`")
        node = self._node(next(self._events), 0)
        next(self._events)
        after = next(self._events)
        if isinstance(after, DocumentStartEvent):
            raise _Unreadable(_line(after), "a file describes one namespace: write a second file")
        return node

    def _node(self, event: Event, depth: int) -> Node:
        line = _line(event)
        if depth > MAX_DEPTH:
            raise _Unreadable(line, f"the file is nested more than {MAX_DEPTH} levels deep")
        if isinstance(event, AliasEvent):
            return self._alias(event, line)
        if isinstance(event, ScalarEvent | CollectionStartEvent) and event.tag not in (None, "!"):
            raise _Unreadable(line, "tags (!) have no meaning here; leave it away")
        if isinstance(event, MappingStartEvent):
            node = self._mapping(line, depth)
        elif isinstance(event, ScalarEvent):
            node = Node(line, _scalar(event))
        else:
            node = self._sequence(line, depth)
        anchor = getattr(event, "anchor", None)
        if anchor is not None:
            self._anchors[anchor] = node
        return node

    def _alias(self, event: AliasEvent, line: int) -> Node:
        node = self._anchors.get(str(event.anchor))
        if node is None:
            raise _Unreadable(line, f"the alias *{event.anchor} names nothing above it")
        self._aliased += node.size
        if self._aliased > MAX_ALIASED:
            raise _Unreadable(line, f"aliases repeat more than {MAX_ALIASED} values")
        return node

    def _sequence(self, line: int, depth: int) -> Node:
        members: list[Node] = []
        while not isinstance(event := next(self._events), SequenceEndEvent):
            members.append(self._node(event, depth + 1))
        return Node(line, members, 1 + sum(member.size for member in members))

    def _mapping(self, line: int, depth: int) -> Node:
        members: dict[str, Node] = {}
        while not isinstance(event := next(self._events), MappingEndEvent):
            key, key_line = self._key(event)
            child = self._node(next(self._events), depth + 1)
            if key in members:
                self._faults.add_line(key_line, f"'{key}' stands here twice (first on line {members[key].line})")
                continue
            members[key] = Node(key_line, child.value, child.size)
        return Node(line, members, 1 + sum(member.size for member in members.values()))

    def _key(self, event: Event) -> tuple[str, int]:
        line = _line(event)
        if not isinstance(event, ScalarEvent) or event.anchor is not None:
            raise _Unreadable(line, "a key is a plain word")
        if event.value == "<<" and event.implicit[0]:
            raise _Unreadable(line, "merge keys (<<) have no meaning here; write the keys out")
        return event.value, line


def _scalar(event: ScalarEvent) -> str | int | bool | None:
    """Plain words by the core schema of YAML 1.2, without fractions; everything quoted is text."""
    if not event.implicit[0]:
        return event.value
    if event.value in _WORDS:
        return _WORDS[event.value]
    return int(event.value) if _WHOLE_NUMBER.fullmatch(event.value) else event.value


def _line(event: Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1
