"""A small table in a file, held in memory."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli

from pegel.arrow import Frame, Texts, texts
from pegel.enrichers.newest import open_regular, why

MAX_BYTES = 64 * 2**20
"""Largest file: it is in memory as a whole."""


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
        with open_regular(path, MAX_BYTES) as file:
            text = file.read().decode("utf-8-sig")
    except OSError as error:
        raise ValueError(f"cannot be read: {why(error)}") from None
    except UnicodeDecodeError:
        raise ValueError("is no text in UTF-8") from None
    rows = _toml_rows(text, columns) if path.suffix == ".toml" else _csv_rows(text, columns)
    _refuse_twins([row[0] for row in rows], columns[0])
    return Reference([texts(column) for column in zip(*rows, strict=True)] if rows else [texts([]) for _ in columns])


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
