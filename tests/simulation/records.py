"""How the simulated writer spells a record: one or two lines, whole only when it ends with a semicolon.

Half a record is therefore never taken for a whole one, wherever a file is cut, and every record is unique.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pegel.formats import REJECT, ROW, End, Format, Frames, Reject
from pegel.table import Batch, Columns, Table, literal
from simulation.oracle import Record

END = b";\n"


def spell(record: Record, *, lines: int = 1) -> bytes:
    """The bytes of a record."""
    gap = " " if lines == 1 else "\n\t"
    return f"{record.number} {record.time_us} {record.key}{gap}{record.value} {record.user}".encode() + END


def parse(text: bytes) -> Record | None:
    """The record of one spelling without its end, None if it is none."""
    words = text.decode("utf-8", "replace").split()
    if len(words) != 5 or not all(word.isdigit() and len(word) < 18 for word in (words[0], words[1], words[3])):
        return None
    return Record(int(words[0]), int(words[1]), words[2], int(words[3]), words[4])


@dataclass(frozen=True)
class Found:
    """What `take` made of some bytes: records, bytes used up, pieces of text that are no records."""

    records: list[Record]
    consumed: int
    rejects: list[tuple[int, int]]


def take(data: bytes, end: End, seams: Sequence[int] = ()) -> Found:
    """Find the whole records at the start of `data`."""
    records: list[Record] = []
    rejects: list[tuple[int, int]] = []
    start = 0
    while start < len(data):
        stop = _end_of_record(data, start, end, seams)
        if stop is None:
            break
        record = parse(data[start:stop].rstrip(b";\n"))
        if record is None:
            rejects.append((start, stop - start))
        else:
            records.append(record)
        start = stop
    return Found(records, start, rejects)


def _end_of_record(data: bytes, start: int, end: End, seams: Sequence[int]) -> int | None:
    """Where the record that begins at `start` is over: at its end, a cut behind `;`, or the last byte."""
    found = data.find(END, start)
    for cut in seams:
        if start < cut and (found == -1 or cut <= found + 1) and data[cut - 1 : cut] == b";":
            return cut
    if found != -1:
        return found + len(END)
    return len(data) if end is End.FINAL else None


@dataclass(frozen=True)
class Ledger(Format):
    """The format of `spell`, for the product: small, in plain Python, told to no config."""

    def columns(self) -> Columns:
        return {"number": "BIGINT", "time": "BIGINT", "key": "VARCHAR", "value": "BIGINT", "user": "VARCHAR"}

    def split(self, data: bytes, end: End, mark: str = "", seams: Sequence[int] = ()) -> Frames:
        found = take(data, end, seams)
        rejects = [Reject("malformed", 1, offset, length) for offset, length in found.rejects]
        return Frames(found.records or None, len(found.records), found.consumed, mark, rejects)

    def table(self, batch: Batch, block: list[Record], needed: frozenset[str]) -> Table:  # noqa: ARG002 - all columns are cheap
        rows = ", ".join(
            f"({row}, null, {r.number}, {r.time_us}, {literal(r.key)}, {r.value}, {literal(r.user)})"
            for row, r in enumerate(block)
        )
        columns = {ROW: "BIGINT", REJECT: "VARCHAR", **self.columns()}
        types = ", ".join(f"{name}::{kind} as {name}" for name, kind in columns.items())
        return batch.keep(batch.table(f"select {types} from (values {rows}) as t({', '.join(columns)})", columns))
