"""Formats: bytes to records, records to a table.

A format has two halves. `split` is a pure function over bytes: it finds whole records and says
how many bytes it used up. `table` turns the records of one block into typed columns. The reader
thread runs the first, a pool of workers the second.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from pegel.table import Batch, Columns, Table

BUILTIN = {
    "lines": "pegel.formats.lines:Lines",
    "ndjson": "pegel.formats.ndjson:Ndjson",
    "csv": "pegel.formats.csv:Csv",
}

ROW = "_row"
"""Column of every format's table: 0, 1, 2, … in the order of the records of a block."""

REJECT = "_reject"
"""Column of every format's table: NULL, or the reason why this record cannot be used."""


class End(Enum):
    """What is known about the bytes that follow a piece."""

    MORE = "more"
    """More may come: an unfinished record stays unconsumed."""
    FLUSH = "flush"
    """The stream has been silent: whole lines that wait for a continuation are records now; half a line still waits."""
    FINAL = "final"
    """Nothing will ever follow: everything is consumed, the last line needs no newline."""


@dataclass(frozen=True)
class Reject:
    """A record, or a part of one, that cannot be used. It holds no text of the record.

    Attributes:
        reason: One word: `malformed`, `foreign`, `orphan_fragment`, `too_long`, `not_json`, `bad_time`, …
        count: How many of them, one after another, this entry stands for.
        offset: Of the first, from the start of the piece.
        length: Of the first, in bytes.
    """

    reason: str
    count: int
    offset: int = 0
    length: int = 0


@dataclass(frozen=True)
class Frames:
    """What `split` found in a piece.

    Attributes:
        block: The records, in whatever form `table` of the same format understands; None if there are none.
        records: How many records the block has.
        consumed: Bytes used up, counted from the start of the piece. The rest is offered again, with more behind it.
        mark: What the next `split` of this stream has to know; short, stored with the cursor.
        rejects: What was used up without becoming a record.
    """

    block: Any
    records: int
    consumed: int
    mark: str = ""
    rejects: Sequence[Reject] = field(default=())


class Format(ABC):
    """How bytes become records. Fields of the subclass are its options in the config."""

    @abstractmethod
    def columns(self) -> Columns:
        """The columns of the records and their DuckDB types, without `_row` and `_reject`."""

    @abstractmethod
    def split(self, data: bytes, end: End, mark: str = "", seams: Sequence[int] = ()) -> Frames:
        """Find the whole records at the start of `data`.

        Pure: the same arguments give the same frames, nothing is remembered. Splitting the same bytes
        in any pieces (offering again what was not consumed) gives the same records and rejects.
        Never raises for any bytes; never holds more than a bounded multiple of `data`.

        Args:
            data: From the first byte that is not consumed yet.
            end: What is known about the bytes behind `data`.
            mark: The mark of the previous frames of this stream, "" at its start.
            seams: Offsets in `data` at which the next file of a rotated log begins. A last line without
                newline before a seam is a record if it is whole by itself or if the next file begins with
                a record of its own; otherwise the two halves are one line.
        """

    @abstractmethod
    def table(self, batch: Batch, block: Any, needed: frozenset[str]) -> Table:
        """The records of a block as a table with `_row`, `_reject` and at least the `needed` columns.

        A value that does not fit its column makes its own record a reject, never an exception.
        Runs on a worker thread; the batch owns all that is made here.
        """

    # -- for people -------------------------------------------------------------------------------------

    def text(self, block: Any, row: int) -> bytes:  # noqa: ARG002 (most blocks know)
        """The text of one record of a block; empty where the format no longer has it."""
        return b""

    def why(self, text: bytes) -> str:  # noqa: ARG002 (a reason may say enough)
        """Why a text is no record of this format: how far it fits, as a sentence without a word of the text."""
        return ""
