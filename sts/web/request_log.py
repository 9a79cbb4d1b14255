"""One record per request, one write per record."""

import json
import os
import sys
from collections.abc import Callable, Mapping
from datetime import datetime

from sts.settings import LogFormat

Record = Mapping[str, object]
_quote = json.encoder.encode_basestring_ascii


class RequestLog:
    """Writes records to the standard error stream, as JSON lines or as text."""

    def __init__(self, log_format: LogFormat, descriptor: int | None = None) -> None:
        self._descriptor = sys.stderr.fileno() if descriptor is None else descriptor
        self._line = _LINES[log_format]

    def write(self, at: datetime, record: Record) -> None:
        """Write one record; values that are None are left out."""
        os.write(self._descriptor, self._line(at, record).encode())


def _json_line(at: datetime, record: Record) -> str:
    told = "".join(
        [
            f',"{name}":{_quote(value) if isinstance(value, str) else _json_value(value)}'
            for name, value in record.items()
            if value is not None
        ]
    )
    return f'{{"at":"{at.isoformat(timespec="milliseconds")}"{told}}}\n'


def _text_line(at: datetime, record: Record) -> str:
    told = "".join([f" {name}={_json_value(value)}" for name, value in record.items() if value is not None])
    return f"{at.isoformat(timespec='milliseconds')}{told}\n"


def _json_value(value: object) -> str:
    """JSON of one value; what records hold is text and numbers, and the general encoder costs ten times as much."""
    if isinstance(value, str):
        return _quote(value)
    return repr(value) if type(value) in (int, float) else json.dumps(value)


_LINES: Mapping[LogFormat, Callable[[datetime, Record], str]] = {
    LogFormat.JSON: _json_line,
    LogFormat.TEXT: _text_line,
}
