"""Find the fields of many lines at once, and prove that the template's own expression would find the same.

A line is *plain* if, for every field of any text, the first occurrence of one chosen byte of what must
follow it is already the right one. An earlier end of the field would need an earlier occurrence of that
byte, so the first fit cannot be anywhere else. Lines that are not plain are left to the expression.

The places of the byte that most literals share (the quote, in an access log) are looked up once for the
whole piece; other bytes are sought in windows of 64 bytes, each folded into the bits of one integer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pegel.arrow import Bytes, Offsets, inner_windows
from pegel.formats.records import Marks, Mask, Records, all_in_row
from pegel.formats.template import Step, Template

Spans = list[tuple[Offsets, Offsets]]

_REACH = 256
"""Lines that end closer to the end of the piece are not tried, so that no window needs a bound check."""
_LONGEST_LITERAL = 64
_NEWLINE = 10
_POOR_ANCHORS = frozenset(b" -.:/,=&abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
"""Bytes that are too frequent in the text of fields to look up all their places."""


@dataclass(frozen=True)
class Matched:
    """The fields of records.

    Attributes:
        spans: Start and end of each named field, in the buffer of its record; (0, 0) where it failed.
        failed: Records that do not fit the template; None if all fit.
    """

    spans: Spans
    failed: Mask | None

    def take(self, rows: Offsets | Mask) -> Matched:
        """The fields of some of the records."""
        spans = [(starts[rows], ends[rows]) for starts, ends in self.spans]
        return Matched(spans, None if self.failed is None else self.failed[rows])


class Matcher:
    """A template, ready for whole blocks."""

    def __init__(self, template: Template) -> None:
        self._template = template
        self._steps = template.steps
        self.anchor = _anchor(self._steps)
        self._simple = all(len(literal) <= _LONGEST_LITERAL for literal in template.literals)

    def match(self, records: Records, marks: Marks | None = None) -> Matched:
        """The fields of every record: plain ones all at once, the others one by one.

        Args:
            records: The records.
            marks: The places of `anchor` in them; without, no record is plain.
        """
        count = len(records)
        if not self._simple or (marks is None and self.anchor is not None):
            return self.match_each(records, _empty(count, self._template), np.arange(count))
        plain, spans = _Walk(self._template, self._steps, self.anchor, records, marks).run()
        if plain.all():
            return Matched(spans, None)
        return self.match_each(records, spans, np.flatnonzero(~plain))

    def match_each(self, records: Records, spans: Spans, rows: Offsets) -> Matched:
        """Match some rows one by one, and write what was found between the spans of the others."""
        failed = np.zeros(len(records), np.bool_)
        found = np.zeros((len(rows), len(spans), 2), np.int64)
        places = zip(rows.tolist(), records.starts[rows].tolist(), records.ends[rows].tolist(), strict=True)
        for index, (row, start, end) in enumerate(places):
            fields = self._template.match(records.buffer(row), start, end)
            if fields is None:
                failed[row] = True
            else:
                found[index] = fields
        for index, (starts, ends) in enumerate(spans):
            starts[rows], ends[rows] = found[:, index, 0], found[:, index, 1]
        return Matched(spans, failed if failed.any() else None)


def _empty(count: int, template: Template) -> Spans:
    return [(np.zeros(count, np.int64), np.zeros(count, np.int64)) for _ in template.columns]


def _anchor(steps: Sequence[Step]) -> int | None:
    """The byte that most literals behind fields of any text share."""
    middle = [step.literals[0] for step in steps if step.field is not None and step is not steps[-1]]
    votes = Counter(byte for literal in middle for byte in set(literal) - _POOR_ANCHORS - {_NEWLINE})
    return max(votes, key=lambda byte: (votes[byte], byte == ord('"')), default=None)


class _Walk:
    """One pass over the template, all lines in step: where each line is, and whether it is still plain."""

    def __init__(
        self, template: Template, steps: Sequence[Step], anchor: int | None, records: Records, marks: Marks | None
    ) -> None:
        self._template = template
        self._steps = steps
        self._anchor = anchor
        self._marks = marks
        self._text: Bytes = np.frombuffer(records.piece, np.uint8)
        self._words = _words(records.piece)
        self._ends = records.ends
        self._plain: Mask = records.ends < len(records.piece) - _REACH
        if records.apart is not None:
            self._plain &= ~records.apart
        self._all = False
        self._at: Offsets = records.starts
        self._taken = 0
        self._spans: dict[int, tuple[Offsets, Offsets]] = {}

    def run(self) -> tuple[Mask, Spans]:
        """Which lines are plain, and the spans of the named fields in those."""
        if len(self._text) <= _REACH:
            return np.zeros(len(self._ends), np.bool_), _empty(len(self._ends), self._template)
        self._require(self._plain)
        for step in self._steps:
            self._step(step)
        named = (index for index, field in enumerate(self._template.fields) if field.name)
        return self._plain, [self._spans[index] for index in named]

    def _require(self, condition: Mask) -> None:
        """Go on only where a condition holds; elsewhere the position is set to where all reads are safe."""
        self._plain = self._plain & condition
        self._all = bool(self._plain.all())
        if not self._all:
            self._at = np.where(self._plain, self._at, 0)

    def _step(self, step: Step) -> None:
        last = step is self._steps[-1]
        if step.field is not None:
            start = self._at
            if last and not step.typed:
                self._at = self._ends - len(step.literals[0])
            else:
                self._at = self._end_of_text(step.literals[0])
            self._require((self._at >= start) & (self._at <= self._ends))
            self._spans[step.field] = (start, self._at)
        self._literal(step.literals[0])
        for index, literal in zip(step.typed, step.literals[1:], strict=True):
            self._typed(index)
            self._literal(literal)
        if last:
            self._require(self._at == self._ends)

    def _end_of_text(self, literal: bytes) -> Offsets:
        """Where a field of any text must end if the line is plain."""
        if self._anchor is not None and self._anchor in literal and self._marks is not None:
            marks = self._marks
            self._require(marks.count > self._taken)
            index = marks.first + self._taken
            if not self._all:
                index = np.where(self._plain, index, 0)
            places = marks.at[index] if len(marks.at) else index
            return places - literal.index(self._anchor)
        byte = max(set(literal), key=lambda value: (value not in _POOR_ANCHORS, value != ord(" "), value))
        return self._first(byte) - literal.index(byte)

    def _first(self, byte: int) -> Offsets:
        """The first place of a byte at or behind the position; behind the line's end where there is none."""
        hits = _bits(inner_windows(self._text, self._at, 64) == byte)
        places = self._at + _trailing_zeros(hits)
        rest = np.flatnonzero((hits == 0) & self._plain & (places < self._ends))
        while len(rest):
            more = _bits(inner_windows(self._text, places[rest], 64) == byte)
            places[rest] += _trailing_zeros(more)
            rest = rest[(more == 0) & (places[rest] < self._ends[rest])]
        return places

    def _literal(self, literal: bytes) -> None:
        """Require a literal at the position, and step over it."""
        if len(literal) == 1:
            self._require(self._text[self._at] == literal[0])
        else:
            for offset in range(0, len(literal), 8):
                part = literal[offset : offset + 8]
                mask = np.uint64((1 << 8 * len(part)) - 1)
                wanted = np.uint64(int.from_bytes(part, "little"))
                self._require(self._words[self._at + offset] & mask == wanted)
        self._at = self._at + len(literal)
        if self._anchor is not None:
            self._taken += literal.count(self._anchor)

    def _typed(self, index: int) -> None:
        field = self._template.fields[index]
        start = self._at
        if field.type == "hex":
            length = self._hex(field.width)
        elif field.type == "int":
            length = self._int()
        else:
            length = self._float()
        if self._template.null is not None:
            length = self._null(length)
        self._at = start + length
        self._require((length > 0) & (self._at <= self._ends))
        self._spans[index] = (start, self._at)

    def _int(self) -> Offsets:
        length = _trailing_zeros(~_bits(_digits(inner_windows(self._text, self._at, 32))))
        return np.where(length <= 18, length, 0)

    def _hex(self, width: int) -> Offsets:
        text = inner_windows(self._text, self._at, width or 64)
        hexadecimal = _digits(text) | ((text | np.uint8(0x20)) - np.uint8(ord("a")) < 6)
        if not width:
            return _trailing_zeros(~_bits(hexadecimal))
        return np.where(all_in_row(hexadecimal), width, 0)

    def _float(self) -> Offsets:
        """Digits with at most one point between them; anything more is not plain."""
        text = inner_windows(self._text, self._at, 32)
        digits, points = _bits(_digits(text)), _bits(text == ord("."))
        length = _trailing_zeros(~(digits | points))
        inside = (np.uint64(1) << length.astype(np.uint64)) - np.uint64(1)
        good = (length < 32) & (np.bitwise_count(points & inside) <= 1) & (digits & np.uint64(1) == 1)
        good &= (digits >> np.maximum(length - 1, 0).astype(np.uint64)) & np.uint64(1) == 1
        good &= (self._text[self._at + length] | 0x20) != ord("e")
        return np.where(good, length, 0)

    def _null(self, length: Offsets) -> Offsets:
        """A dash that stands for no value is plain too; that of a number is not, since no literal fits behind it."""
        if self._template.null != b"-":
            return length
        return np.where(self._text[self._at] == ord("-"), 1, length)


def _words(piece: bytes) -> NDArray[np.uint64]:
    """The 8 bytes from each offset as one integer."""
    return np.ndarray((max(len(piece) - 7, 0),), "<u8", piece, strides=(1,))


def _digits(text: Bytes) -> Mask:
    return text - np.uint8(ord("0")) < 10


def _bits(flags: Mask) -> NDArray[np.uint64]:
    """Each row of up to 64 flags as the bits of one integer, the first one lowest."""
    packed = np.packbits(flags.reshape(-1), bitorder="little")
    return packed.view("<u8") if flags.shape[1] == 64 else packed.view("<u4").astype(np.uint64)


def _trailing_zeros(bits: NDArray[np.uint64]) -> Offsets:
    """Number of zeros below the lowest set bit; 64 for none."""
    return np.bitwise_count((bits & (~bits + np.uint64(1))) - np.uint64(1)).astype(np.int64)
