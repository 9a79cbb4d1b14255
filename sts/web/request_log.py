"""One record per request, one write per record; what the service says of itself goes the same way."""

import errno
import json
import logging
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from threading import Lock
from typing import Final

from sts.settings import LogFormat

Record = Mapping[str, object]
FIELDS: Final = "fields"  # of a record of `logging`: what is told besides the message, by name
_EVERYTHING: Final = "sts"  # the logger above those of all modules
_quote = json.encoder.encode_basestring_ascii


class RequestLog:
    """Writes records to the standard error stream, as JSON lines or as text."""

    def __init__(self, log_format: LogFormat, descriptor: int | None = None) -> None:
        self._descriptor = sys.stderr.fileno() if descriptor is None else descriptor
        self._line = _LINES[log_format]
        self._lock = Lock()
        self._may_be_torn = False  # whether the log may end within a record

    def write(self, at: datetime, record: Record) -> None:
        """Write one record; values that are None are left out. Raises OSError unless all of it is written.

        What follows a record that failed begins on a line of its own: where there was no room for it, that of another
        process may have been cut short.
        """
        rest = self._line(at, record).encode()
        with self._lock:
            if self._may_be_torn:
                rest = b"\n" + rest
            self._may_be_torn = True
            while rest:  # again where a signal, or a disk that is nearly full, cut it short
                written = os.write(self._descriptor, rest)
                if written == 0:
                    raise OSError(errno.EIO, "the log takes no more")
                rest = rest[written:]
            self._may_be_torn = False


class EventLog(logging.Handler):
    """Takes what the modules log and writes it where the requests are, in the same form."""

    def __init__(self, log: RequestLog) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record: its level, what happened to what, and the traceback of an unexpected error."""
        told: Record = {
            "level": record.levelname.lower(),
            "event": record.name,
            **getattr(record, FIELDS, {}),
            "message": record.getMessage(),
            "detail": "".join(traceback.format_exception(record.exc_info[1])) if record.exc_info else None,
        }
        try:
            self._log.write(datetime.fromtimestamp(record.created, UTC), told)
        except OSError:
            self.handleError(record)


def record_events(log: RequestLog) -> EventLog:
    """Have everything that the service's modules log written to this log from now on, and to no other."""
    logger = logging.getLogger(_EVERYTHING)
    for each in [handler for handler in logger.handlers if isinstance(handler, EventLog)]:
        logger.removeHandler(each)
    events = EventLog(log)
    logger.addHandler(events)
    logger.setLevel(logging.INFO)
    return events


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
