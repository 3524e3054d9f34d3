"""JSON objects, one per line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pegel.arrow import Frame, slices
from pegel.formats import REJECT, ROW, End, Format, Frames
from pegel.formats.aside import ask
from pegel.formats.columns import TYPES, checked, finite
from pegel.formats.framing import Judge, cut, in_order
from pegel.formats.records import Records
from pegel.table import Batch, Columns, Table, literal, quote
from pegel.units import Size

_OPENS = "(starts_with(line, '{') or starts_with(ltrim(line, ' ' || chr(9) || chr(13)), '{'))"
_BLANKS = np.frombuffer(b" \t\r", np.uint8)
_REJECT = f"""case
    when value is not null and {_OPENS} then null
    when json_valid(line) then 'not_object'
    else 'not_json' end"""


@dataclass(kw_only=True)
class Ndjson(Format):
    """Read one JSON object per line.

    A line that is no JSON is the reject `not_json`, another JSON value than an object is `not_object`; blank
    lines are nothing. A value that is missing, null, or not of its column's type is NULL: one odd value does
    not take the rest of its record away. Numbers and booleans become text where text is wanted, an object or
    a list becomes its JSON; a fraction is rounded for a `bigint`; what is not finite is NULL. Of a key that
    is there twice the first counts.

    Options:
        columns: Type of each column: `varchar`, `bigint`, `double` or `boolean`.
        paths: Where a column's value is, as keys with dots between them; default: the key of the same name.
        max_record: Longest line, in bytes.

    Example:
        [[sources]]
        name = "edge"
        type = "file"
        path = "/var/log/edge.ndjson"
        time = { column = "timestamp", format = "iso8601" }

        [sources.format]
        type = "ndjson"
        columns = { timestamp = "varchar", status = "bigint" }
        paths = { status = "response.status" }
    """

    types: Mapping[str, str] = field(metadata={"key": "columns"})
    paths: Mapping[str, str] = field(default_factory=dict)
    max_record: Size = Size(256 * 2**10)

    def __post_init__(self) -> None:
        self._columns = checked(self.types)
        for name in self.paths:
            if name not in self._columns:
                raise ValueError(f'`paths`: "{name}" is not one of the columns: {", ".join(self._columns)}')
        if not 0 < self.max_record <= 2**24:
            raise ValueError("`max_record` is between 1B and 16MiB")
        self._structure(frozenset(self._columns))
        self._judge = Judge(_is_object, lambda lines: _is_object(lines[-1][1]))

    def columns(self) -> Columns:
        return self._columns

    def split(self, data: bytes, end: End, mark: str = "", seams: Sequence[int] = ()) -> Frames:
        piece = cut(data, end, mark, seams, self.max_record, self._judge)
        lines = _with_text(piece.lines)
        return Frames(lines, len(lines), piece.tail, piece.mark, in_order(piece.rejects))

    def table(self, batch: Batch, block: Any, needed: frozenset[str]) -> Table:
        assert isinstance(block, Records)
        frame = batch.register(_frame(block))
        chosen = {name: kind for name, kind in self._columns.items() if name in needed}
        structure = literal(json.dumps(self._structure(frozenset(chosen))))
        parsed = f"select {ROW}, line, try(json_transform(line, {structure})) as value from {frame}"
        values = [f"{self._value(name, kind)} as {quote(name)}" for name, kind in chosen.items()]
        sql = f"select {', '.join([ROW, f'{_REJECT} as {REJECT}', *values])} from ({parsed})"
        if values:
            empty = ", ".join(f"case when {REJECT} is null then {quote(name)} end as {quote(name)}" for name in chosen)
            sql = f"select {ROW}, {REJECT}, {empty} from ({sql})"
        return batch.table(sql, {ROW: "BIGINT", REJECT: "VARCHAR", **chosen})

    def text(self, block: Any, row: int) -> bytes:
        assert isinstance(block, Records)
        return block.text(row)

    def why(self, text: bytes) -> str:
        try:
            json.loads(text.decode("utf-8", "replace"))
        except ValueError as error:
            place = f" at character {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
            reason = error.msg if isinstance(error, json.JSONDecodeError) else "it cannot be read"
            return f"it is not JSON{place}: {reason.lower()}"
        return "it is JSON, but no object"

    def _path(self, name: str) -> list[str]:
        return self.paths[name].split(".") if name in self.paths else [name]

    def _value(self, name: str, kind: str) -> str:
        value = "value" + "".join(f"[{literal(key)}]" for key in self._path(name))
        return finite(value, kind)

    def _structure(self, names: frozenset[str]) -> dict[str, Any]:
        """The shape of an object, as `json_transform` wants it."""
        structure: dict[str, Any] = {}
        for name in self._columns:
            if name not in names:
                continue
            *parents, last = self._path(name)
            level = structure
            for key in parents:
                below = level.setdefault(_same(level, key), {})
                if below in TYPES:
                    raise ValueError(f'`paths`: "{key}" is a column, so nothing can be read from below it')
                level = below
            if _same(level, last) in level:
                raise ValueError(f'`paths`: two columns are read from "{".".join(self._path(name))}"')
            level[last] = self._columns[name]
        return structure or {"": "VARCHAR"}


def _with_text(lines: Records) -> Records:
    """The lines that are not blank; JSON knows four blanks, and a line may have any of them at its front."""
    blank = np.zeros(len(lines), np.bool_)
    for buffer, rows in lines.by_buffer():
        blank[rows] = np.isin(buffer[lines.starts[rows]], _BLANKS)
    for row in np.flatnonzero(blank).tolist():
        blank[row] = not lines.text(row).strip(b" \t\r")
    return lines.take(~blank) if blank.any() else lines


def _same(level: Mapping[str, Any], key: str) -> str:
    """The key of a level that the engine takes for the same, or the key itself."""
    return next((known for known in level if known.lower() == key.lower()), key)


def _frame(lines: Records) -> Frame:
    text = slices(lines.buffers, lines.starts, lines.ends - lines.starts, lines.apart)
    return Frame({ROW: np.arange(len(lines), dtype=np.int64), "line": text})


def _is_object(line: bytes) -> bool:
    ((valid,),) = ask(f"select {_OPENS} and json_valid(line) from {{frame}}", _frame(Records.single(line)))
    return bool(valid)
