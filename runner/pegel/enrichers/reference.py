"""A small table in a file, held in memory: read when it is first needed, and again when it was replaced."""

from __future__ import annotations

import csv
import io
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tomli

from pegel.arrow import Frame, Texts, slices

MAX_BYTES = 64 * 2**20
"""Largest file: it is in memory as a whole."""

_PAUSE = 1.0
"""Seconds between two looks at the file."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reference:
    """Columns of a table as texts, `columns[0]` the key; every key is there once."""

    columns: Sequence[Texts]

    def frame(self, names: Sequence[str]) -> Frame:
        """The columns under these names, for one batch."""
        return Frame(dict(zip(names, self.columns, strict=True)))


def read(path: Path, columns: Sequence[str]) -> Reference:
    """Read the given columns of a file, the key first.

    Raises:
        ValueError: It cannot be read or used; the message is a sentence that goes behind the name of the file.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"is larger than {MAX_BYTES // 2**20} MiB")
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ValueError(f"cannot be read: {(error.strerror or str(error)).lower()}") from None
    except UnicodeDecodeError:
        raise ValueError("is no text in UTF-8") from None
    rows = _toml_rows(text, columns) if path.suffix == ".toml" else _csv_rows(text, columns)
    _refuse_twins([row[0] for row in rows], columns[0])
    return Reference([_texts(column) for column in zip(*rows, strict=True)] if rows else [_texts([]) for _ in columns])


def _refuse_twins(keys: Sequence[str], name: str) -> None:
    if len(set(keys)) < len(keys):
        ((key, _),) = Counter(keys).most_common(1)
        raise ValueError(f'has the {name} "{key}" twice')


def _csv_rows(text: str, columns: Sequence[str]) -> list[list[str]]:
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(lines, [])
        for name in columns:
            if name not in header:
                raise ValueError(f'has no column "{name}"; it has {", ".join(header) or "no header"}')
        places = [header.index(name) for name in columns]
        rows = []
        for row in lines:
            if row and len(row) != len(header):
                raise ValueError(f"has {len(row)} values in line {lines.line_num}, and the header {len(header)}")
            if row:
                rows.append([row[place] for place in places])
    except csv.Error as error:
        raise ValueError(f"is no CSV at line {lines.line_num}: {error}") from None
    return rows


def _toml_rows(text: str, columns: Sequence[str]) -> list[list[str]]:
    try:
        tables = list(tomli.loads(text).values())
    except tomli.TOMLDecodeError as error:
        raise ValueError(f"is no TOML: {error}") from None
    if len(tables) != 1 or not isinstance(tables[0], list) or not all(isinstance(row, dict) for row in tables[0]):
        raise ValueError("must have one list of tables: each row begins with [[row]]")
    known = {name for row in tables[0] for name in row}
    for name in columns:
        if name not in known:
            raise ValueError(f'has no column "{name}"; it has {", ".join(sorted(known)) or "no rows"}')
    return [_toml_row(row, number, columns) for number, row in enumerate(tables[0], 1)]


def _toml_row(row: Mapping[str, Any], number: int, columns: Sequence[str]) -> list[str]:
    if columns[0] not in row:
        raise ValueError(f'has no "{columns[0]}" in row {number}')
    values = [row.get(name, "") for name in columns]
    listed = [name for name, value in zip(columns, values, strict=True) if isinstance(value, list | dict)]
    if listed:
        raise ValueError(f'has more than one value for "{listed[0]}" in row {number}')
    return [str(value).lower() if isinstance(value, bool) else str(value) for value in values]


def _texts(values: Sequence[str]) -> Texts:
    encoded = [value.encode() for value in values]
    lengths = np.array([len(value) for value in encoded], np.int64)
    return slices([np.frombuffer(b"".join(encoded), np.uint8)], np.cumsum(lengths) - lengths, lengths)


class Kept:
    """The newest table that could be read from a file.

    A file that was replaced is read again, looked at once a second at most. One that cannot be read then leaves the
    old table in its place, and says so once. Any thread may ask.
    """

    def __init__(self, path: Path, columns: Sequence[str], clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._columns = columns
        self._clock = clock
        self._lock = threading.Lock()
        self._look_at = float("-inf")
        self._seen: object = None
        self._reference: Reference | None = None

    def newest(self) -> Reference | None:
        """The table; None as long as there never was one."""
        with self._lock:
            now = self._clock()
            if now >= self._look_at:
                self._look_at = now + _PAUSE
                self._look()
            return self._reference

    def _look(self) -> None:
        state = _state(self._path)
        if state == self._seen and self._reference is not None:
            return
        known, self._seen = self._seen, state
        try:
            self._reference = read(self._path, self._columns)
        except ValueError as error:
            if state != known:
                kept = "; the table read before stays in use" if self._reference else ""
                _log.error("%s %s%s.", self._path, error, kept)


def _state(path: Path) -> object:
    """What is another when a file was replaced."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_size, found.st_ino
