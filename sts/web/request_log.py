"""One record per request, one write per record."""

import json
import os
import sys
from collections.abc import Callable, Mapping
from datetime import datetime

from sts.settings import LogFormat

Record = Mapping[str, object]


class RequestLog:
    """Writes records to the standard error stream, as JSON lines or as text."""

    def __init__(self, log_format: LogFormat, descriptor: int | None = None) -> None:
        self._descriptor = sys.stderr.fileno() if descriptor is None else descriptor
        self._line = _LINES[log_format]

    def write(self, at: datetime, record: Record) -> None:
        """Write one record; values that are None are left out."""
        os.write(self._descriptor, self._line(at, record).encode("utf-8", "backslashreplace"))


def _json_line(at: datetime, record: Record) -> str:
    told = {"at": at.isoformat(timespec="milliseconds"), **{k: v for k, v in record.items() if v is not None}}
    return json.dumps(told, separators=(",", ":")) + "\n"


def _text_line(at: datetime, record: Record) -> str:
    told = " ".join(f"{k}={json.dumps(v, ensure_ascii=True)}" for k, v in record.items() if v is not None)
    return f"{at.isoformat(timespec='milliseconds')} {told}\n"


_LINES: Mapping[LogFormat, Callable[[datetime, Record], str]] = {
    LogFormat.JSON: _json_line,
    LogFormat.TEXT: _text_line,
}
