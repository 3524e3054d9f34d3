"""Logs: one sentence a line, for people or for machines."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import IO, Literal


class _Human(logging.Formatter):
    """`12:00:03 WARNING sources.ookla: sentence`; what would break the line is escaped."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).astimezone().strftime("%H:%M:%S")
        return f"{time} {record.levelname:7} {record.name.removeprefix('pegel.')}: {_one_line(record)}"


class _Json(logging.Formatter):
    """One JSON object a line: time, level, logger, message."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fact = {
            "time": time,
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _one_line(record),
        }
        return json.dumps(fact, ensure_ascii=False)


def _one_line(record: logging.LogRecord) -> str:
    text = record.getMessage()
    if record.exc_info and record.exc_info[1] is not None:
        text = f"{text}: {record.exc_info[1]!r}"
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def set_up(level: str, form: Literal["human", "json"], stream: IO[str] | None = None) -> None:
    """Send the logs of this program to standard error."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Human())
    root = logging.getLogger("pegel")
    root.handlers = [handler]
    root.setLevel(level.upper())
    root.propagate = False
