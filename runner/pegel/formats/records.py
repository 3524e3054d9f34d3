"""Records as slices: where each one lies, without a copy of its bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pegel.arrow import Bytes, Offsets

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Marks:
    """Where some bytes (such as the quote) occur in the records.

    Attributes:
        at: Its places, ascending; places of newlines may stand between those of two records.
        first: For each record, the index in `at` of its first one.
        count: For each record, how many it has; negative where nobody counted.
    """

    at: Offsets
    first: Offsets
    count: Offsets

    def take(self, rows: Offsets | Mask) -> Marks:
        """The marks of some of the records."""
        return Marks(self.at, self.first[rows], self.count[rows])


@dataclass(frozen=True)
class Records:
    """Texts, nearly all of them slices of the piece as it was read; every one is valid UTF-8.

    Attributes:
        piece: The bytes as they were read.
        rest: Texts that are not in the piece as they should be: joined, or with bytes left out or replaced.
        starts: Of each record, in its buffer.
        ends: Of each record, in its buffer.
        apart: Which records lie in `rest`; None if none does.
    """

    piece: bytes
    starts: Offsets
    ends: Offsets
    rest: bytes = b""
    apart: Mask | None = None

    @classmethod
    def build(cls, piece: bytes, starts: Offsets, ends: Offsets, own: Mapping[int, bytes]) -> Self:
        """Records of slices of a piece, some of which have texts of their `own` instead."""
        if not own:
            return cls(piece, starts, ends)
        rows = np.fromiter(own, np.int64, len(own))
        lengths = np.fromiter((len(text) for text in own.values()), np.int64, len(own))
        starts, ends, apart = starts.copy(), ends.copy(), np.zeros(len(starts), np.bool_)
        ends[rows] = np.cumsum(lengths)
        starts[rows] = ends[rows] - lengths
        apart[rows] = True
        return cls(piece, starts, ends, b"".join(own.values()), apart)

    @classmethod
    def single(cls, text: bytes) -> Self:
        """One record."""
        return cls(text, np.zeros(1, np.int64), np.full(1, len(text), np.int64))

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def buffers(self) -> list[Bytes]:
        """Both buffers as arrays."""
        return [np.frombuffer(self.piece, np.uint8), np.frombuffer(self.rest, np.uint8)]

    def by_buffer(self) -> Iterator[tuple[Bytes, Offsets | slice]]:
        """Each buffer that holds records, and the rows of those."""
        piece, rest = self.buffers
        if self.apart is None:
            yield piece, slice(None)
            return
        for buffer, rows in ((piece, np.flatnonzero(~self.apart)), (rest, np.flatnonzero(self.apart))):
            if len(rows):
                yield buffer, rows

    def take(self, rows: Offsets | Mask) -> Records:
        """Some of the records."""
        apart = None if self.apart is None else self.apart[rows]
        return Records(self.piece, self.starts[rows], self.ends[rows], self.rest, apart)

    def buffer(self, row: int) -> bytes:
        """The buffer in which a record lies."""
        return self.rest if self.apart is not None and self.apart[row] else self.piece

    def text(self, row: int) -> bytes:
        """The text of one record."""
        return self.buffer(row)[self.starts[row] : self.ends[row]]


def all_in_row(flags: Mask) -> Mask:
    """Which rows have no false flag; quick where few have one, as numpy's `all` by row is not."""
    rows = np.ones(len(flags), np.bool_)
    if not flags.all():
        rows[np.flatnonzero(~flags.reshape(-1)) // flags.shape[1]] = False
    return rows
