"""Comma-separated values, one record per line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pegel.arrow import Frame, Offsets, slices
from pegel.formats import REJECT, ROW, End, Format, Frames
from pegel.formats.columns import checked, finite
from pegel.formats.framing import HOLE, SKIP, Cut, Judge, clean, cut, in_order
from pegel.formats.records import Marks, Mask, Records
from pegel.table import Batch, Columns, Table, literal, quote
from pegel.units import Size

_REASONS = ("no_header", "ragged", "bad_quote")


@dataclass(frozen=True)
class Layout:
    """Where the columns are in a file: the number of its fields, and the place of each column in them."""

    count: int
    places: tuple[int, ...]

    def mark(self) -> str:
        """A word from which the layout can be read again."""
        return f"{self.count}:{','.join(map(str, self.places))}"

    @classmethod
    def read(cls, words: Sequence[str], columns: int) -> Layout | None:
        """The layout of a mark."""
        for word in words:
            found = re.fullmatch(r"(\d{1,6}):(\d{1,6}(?:,\d{1,6})*)", word)
            if found is not None:
                layout = cls(int(found[1]), tuple(int(place) for place in found[2].split(",")))
                return layout if len(layout.places) == columns and max(layout.places) < layout.count else None
        return None


@dataclass(frozen=True)
class _Block:
    lines: Records
    marks: Marks
    layouts: Sequence[tuple[int, Layout | None]]
    """The layout from a record on, until the next."""


@dataclass(kw_only=True)
class Csv(Format):
    """Read one record of separated values per line.

    A field that begins with a quote ends at the next single one; two quotes in it are one, and separators are
    text. A line with more or fewer fields than there must be is the reject `ragged`, one whose quotes do not
    close before a separator is `bad_quote`; a quoted field cannot contain a line break. With `header`, a line
    that has all column names as fields is a header: it is no record, and says where the columns are in the
    lines below it; lines before the first one are rejects, `no_header`. A value that is not of its column's
    type is NULL, as is an empty one that is not text.

    Options:
        columns: Type of each column: `varchar`, `bigint`, `double` or `boolean`.
        header: Each file names its columns in its first line; without, all columns are there, in the order
            of `columns`.
        delimiter: One character between fields.
        quote: One character around fields; "" for none.
        null: Text of a field that stands for no value.
        max_record: Longest line, in bytes.

    Example:
        [[sources]]
        name = "export"
        type = "file"
        path = "/var/log/export.csv"
        format = { type = "csv", columns = { time = "varchar", bytes = "bigint" } }
        time = { column = "time", format = "iso8601" }
    """

    types: Mapping[str, str] = field(metadata={"key": "columns"})
    header: bool = True
    delimiter: str = ","
    quote: str = '"'
    null: str | None = None
    max_record: Size = Size(64 * 2**10)

    def __post_init__(self) -> None:
        self._columns = checked(self.types)
        self._names = [name.encode() for name in self._columns]
        for option, text in (("delimiter", self.delimiter), ("quote", self.quote or "'")):
            if len(text) != 1 or not text.isascii() or text in "\r\n\0":
                raise ValueError(f"`{option}` is one ASCII character")
        if self.delimiter == self.quote:
            raise ValueError("`quote` is the same as `delimiter`")
        if not 0 < self.max_record <= 2**24:
            raise ValueError("`max_record` is between 1B and 16MiB")
        self._reader = _Reader(self.delimiter.encode(), self.quote.encode())
        self._fixed = None if self.header else Layout(len(self._names), tuple(range(len(self._names))))

    def columns(self) -> Columns:
        return self._columns

    def split(self, data: bytes, end: End, mark: str = "", seams: Sequence[int] = ()) -> Frames:
        words = mark.split()
        layout = self._fixed or Layout.read(words, len(self._names))
        state = next((word for word in words if word in (SKIP, HOLE)), "")
        piece = cut(data, end, state, seams, self.max_record, self._judge(), self._reader.anchors)
        assert piece.marks is not None
        layouts, keep = [(0, layout)], np.ones(len(piece.lines), np.bool_)
        for line, found in self._headers(piece):
            keep[line] = False
            layouts.append((int(keep[:line].sum()), found))
        lines, marks = (piece.lines, piece.marks) if keep.all() else (piece.lines.take(keep), piece.marks.take(keep))
        last = layouts[-1][1]
        after = [piece.mark, last.mark() if last and self.header else ""]
        block = _Block(lines, marks, layouts)
        return Frames(block, len(lines), piece.tail, " ".join(filter(None, after)), in_order(piece.rejects))

    def _judge(self) -> Judge:
        if self.header:  # a file that begins without one continues the file before
            return Judge(lambda line: self._layout(line) is not None, lambda _: False)
        return Judge(self._is_record, lambda lines: self._is_record(lines[-1][1]))

    def _is_record(self, line: bytes) -> bool:
        fields = self._reader.fields(line)
        return fields is not None and len(fields) == len(self._names)

    def _layout(self, line: bytes) -> Layout | None:
        """What a header says; None if the line is none."""
        fields = self._reader.fields(line) or []
        if not all(name in fields for name in self._names):
            return None
        return Layout(len(fields), tuple(fields.index(name) for name in self._names))

    def _headers(self, piece: Cut) -> Sequence[tuple[int, Layout]]:
        """The header lines; only lines that contain the longest name are looked at."""
        if not self.header:
            return []
        lines, data = piece.lines, piece.lines.piece
        rows = set() if lines.apart is None else set(np.flatnonzero(lines.apart).tolist())
        name = max(self._names, key=len)
        place = data.find(name)
        while place >= 0:
            row = int(np.searchsorted(piece.begins, place, "right"))
            rows.add(max(row - 1, 0))
            place = data.find(name, int(piece.begins[row])) if row < len(piece.begins) else -1
        found = ((row, self._layout(lines.text(row))) for row in sorted(rows) if row < len(lines))
        return [(row, layout) for row, layout in found if layout is not None]

    def table(self, batch: Batch, block: Any, needed: frozenset[str]) -> Table:
        assert isinstance(block, _Block)
        values = _Values(block, self._reader, len(self._names))
        chosen = {name: kind for name, kind in self._columns.items() if name in needed}
        frame: dict[str, Any] = {ROW: np.arange(len(block.lines), dtype=np.int64)}
        for index, name in enumerate(self._columns):
            if name in chosen:
                frame[name] = values.column(index)
        parts = {name: self._value(quote(name), kind) for name, kind in chosen.items()}
        reject = "null::varchar"
        if values.failed.any():
            frame["_failed"] = values.failed
            words = " ".join(f"when {code} then {literal(reason)}" for code, reason in enumerate(_REASONS, 1))
            reject = f"case _failed {words} end"
            parts = {name: f"case _failed when 0 then {value} end" for name, value in parts.items()}
        listed = [ROW, f"{reject} as {REJECT}", *(f"{value} as {quote(name)}" for name, value in parts.items())]
        sql = f"select {', '.join(listed)} from {batch.register(Frame(frame))}"
        return batch.table(sql, {ROW: "BIGINT", REJECT: "VARCHAR", **chosen})

    def text(self, block: Any, row: int) -> bytes:
        assert isinstance(block, _Block)
        return block.lines.text(row)

    def why(self, text: bytes) -> str:
        fields = self._reader.fields(clean(text.rstrip(b"\n")))
        if fields is None:
            return "a quote is not closed before a separator"
        named = "that the header names" if self.header else f"of {len(self._names)}"
        return f"it has {len(fields)} fields, not the number {named}"

    def _value(self, column: str, kind: str) -> str:
        text = column if self.null is None else f"nullif({column}, {literal(self.null)})"
        return text if kind == "VARCHAR" else finite(f"try_cast({text} as {kind})", kind)


class _Reader:
    """Takes one line apart: the definition of the format."""

    def __init__(self, delimiter: bytes, mark: bytes) -> None:
        self.delimiter = delimiter[0]
        self.quote = mark[0] if mark else None
        self.anchors = tuple(delimiter + mark)
        self._mark = mark
        plain = rb"[^%b]*" % re.escape(delimiter)
        quoted = rb"%b((?:[^%b]|%b%b)*)%b" % ((re.escape(mark),) * 5)
        field = rb"(?:(?!%b)(%b)|%b)" % (re.escape(mark), plain, quoted) if mark else rb"(%b)()" % plain
        self._field = re.compile(field + rb"(%b|\Z)" % re.escape(delimiter))

    def fields(self, line: bytes) -> list[bytes] | None:
        """The values of a line; None if a quote is not closed before a delimiter."""
        values, at = list[bytes](), 0
        while True:
            found = self._field.match(line, at)
            if found is None:
                return None
            plain, quoted, end = found.groups()
            values.append(plain if plain is not None else quoted.replace(self._mark * 2, self._mark))
            if not end:
                return values
            at = found.end()


class _Values:
    """The fields of a block: as slices where a line is plain, read one by one where it is not."""

    def __init__(self, block: _Block, reader: _Reader, columns: int) -> None:
        self._lines = block.lines
        self._reader = reader
        count = len(block.lines)
        self.failed = np.zeros(count, np.int64)
        self._starts = np.zeros((columns, count), np.int64)
        self._ends = np.zeros((columns, count), np.int64)
        self._apart = np.zeros(count, np.bool_)
        self._rest: list[bytes] = []
        self._filled = 0
        separated = _Separated(block.lines, block.marks, reader)
        edges = [first for first, _ in block.layouts[1:]]
        for (first, layout), after in zip(block.layouts, [*edges, count], strict=True):
            self._read(np.arange(first, after), layout, separated)

    def column(self, index: int) -> Any:
        """One column, for a frame."""
        rest = np.frombuffer(b"".join(self._rest), np.uint8)
        starts, ends = self._starts[index], self._ends[index]
        return slices([self._lines.buffers[0], rest], starts, ends - starts, self._apart if self._rest else None)

    def _read(self, rows: Offsets, layout: Layout | None, separated: _Separated) -> None:
        if layout is None:
            self.failed[rows] = 1
            return
        plain = separated.plain(rows, layout.count)
        good = rows[plain]
        for column, place in enumerate(layout.places):
            self._starts[column, good], self._ends[column, good] = separated.field(good, place, layout.count)
        for row in rows[~plain].tolist():
            self._read_one(row, layout)

    def _read_one(self, row: int, layout: Layout) -> None:
        fields = self._reader.fields(self._lines.text(row))
        if fields is None or len(fields) != layout.count:
            self.failed[row] = 3 if fields is None else 2
            return
        self._apart[row] = True
        for column, place in enumerate(layout.places):
            self._rest.append(fields[place])
            self._starts[column, row] = self._filled
            self._filled += len(fields[place])
            self._ends[column, row] = self._filled


class _Separated:
    """Which delimiters of a block are real, and which lines have only fields without quotes, or all in quotes.

    A delimiter is real where the quotes before it, in its line, are even in number. That is only true while
    every quote is at an edge of a field; `plain` makes sure of it, field by field.
    """

    def __init__(self, lines: Records, marks: Marks, reader: _Reader) -> None:
        self._text = lines.buffers[0]
        self._lines = lines
        self._quote = reader.quote
        bytes_at = self._text[marks.at] if len(marks.at) else self._text[:0]
        self._quotes = np.concatenate([[0], np.cumsum(bytes_at == reader.quote)]).astype(np.int64)
        before = np.maximum.accumulate(np.where(bytes_at == ord("\n"), self._quotes[1:], 0))
        even = (self._quotes[:-1] - np.concatenate([[0], before[:-1]])) % 2 == 0 if len(before) else before == 0
        real = (bytes_at == reader.delimiter) & even
        self._real = np.flatnonzero(real)
        self._at = marks.at
        total = np.concatenate([[0], np.cumsum(real)]).astype(np.int64)
        counted = marks.count >= 0
        self._mark = np.where(counted, marks.first, 0)
        self._after = self._mark + np.maximum(marks.count, 0)
        self._first = total[self._mark]
        self._fields = np.where(counted, total[self._after] - self._first + 1, -1)

    def plain(self, rows: Offsets, count: int) -> Mask:
        """Which rows have so many fields, each without quotes or in quotes with none inside."""
        plain: Mask = self._fields[rows] == count
        if self._lines.apart is not None:
            plain &= ~self._lines.apart[rows]
        if self._quotes[-1]:
            for place in range(count):
                chosen = rows[plain]
                plain[plain] = self._well_quoted(chosen, place, count)
        return plain

    def _well_quoted(self, rows: Offsets, place: int, count: int) -> Mask:
        starts, ends = self._raw(rows, place, count)
        first = self._mark[rows] if place == 0 else self._real[self._first[rows] + place - 1]
        last = self._after[rows] if place == count - 1 else self._real[self._first[rows] + place]
        quotes: Offsets = self._quotes[last] - self._quotes[first]
        fits: Mask = (quotes == 0) | ((quotes == 2) & self._is_quoted(starts, ends))
        return fits

    def _is_quoted(self, starts: Offsets, ends: Offsets) -> Mask:
        last = np.maximum(ends - 1, 0)
        inside = np.minimum(starts, len(self._text) - 1)
        edges: Mask = (self._text[inside] == self._quote) & (self._text[last] == self._quote)
        return edges & (ends - starts >= 2)

    def _raw(self, rows: Offsets, place: int, count: int) -> tuple[Offsets, Offsets]:
        first = self._first[rows]
        starts = self._lines.starts[rows] if place == 0 else self._at[self._real[first + place - 1]] + 1
        ends = self._lines.ends[rows] if place == count - 1 else self._at[self._real[first + place]]
        return starts, ends

    def field(self, rows: Offsets, place: int, count: int) -> tuple[Offsets, Offsets]:
        """Where the text of one field is, in plain rows."""
        starts, ends = self._raw(rows, place, count)
        if self._quotes[-1]:
            quoted = self._is_quoted(starts, ends)
            starts, ends = starts + quoted, ends - quoted
        return starts, ends
