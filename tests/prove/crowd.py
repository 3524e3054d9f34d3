"""A source of many series that costs next to nothing: a record of each in every minute, made by arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pegel.formats import End, Format, Frames
from pegel.sources import Piece, Position, Source, SourceStatus, World
from pegel.table import Batch, Columns, Table


@dataclass(kw_only=True)
class Minutes(Source):
    """Offers the number of each minute (since 1970) as a line, when it is over.

    Options:
        first: The first minute.
        count: How many there are.
    """

    guarantee = "replayable"

    first: int
    count: int
    _world: World | None = field(default=None, init=False)
    _done: int = field(default=0, init=False)

    def open(self, world: World, positions: Sequence[Position]) -> None:
        self._world = world
        self._done = sum(position.offset for position in positions)

    def poll(self) -> Piece | None:
        if self.exhausted():
            return None
        line = b"%010d\n" % (self.first + self._done // 11)
        return Piece("minutes", "minutes", 0, self._done, line, End.MORE)

    def consume(self, piece: Piece, count: int, mark: str) -> Sequence[Position]:  # noqa: ARG002 (no marks here)
        self._done += count
        return [Position("minutes", 0, self._done)]

    def exhausted(self) -> bool:
        assert self._world is not None
        minute = self._done // 11
        return minute == self.count or self._world.clock.wall() < (self.first + minute + 1) * 60

    def status(self) -> SourceStatus:
        return SourceStatus("idle", partitions=frozenset({"minutes"}))

    def close(self) -> None:
        self._world = None


@dataclass(kw_only=True)
class Crowd(Format):
    """A line is a minute, in which every member of a crowd has one record.

    Options:
        members: How many.
    """

    members: int

    def columns(self) -> Columns:
        return {"second": "BIGINT", "member": "VARCHAR", "value": "BIGINT"}

    def split(self, data: bytes, end: End, mark: str = "", seams: Sequence[int] = ()) -> Frames:  # noqa: ARG002
        minutes = [int(line) for line in data.split()]
        return Frames(minutes, self.members * len(minutes), len(data))

    def table(self, batch: Batch, block: Any, needed: frozenset[str]) -> Table:  # noqa: ARG002
        parts = [
            f"select i as _row, null::varchar as _reject, {minute * 60 + 30}::bigint as second,"
            f" format('{{:08x}}', i * 2654435761 % 4294967296) as member, {_value('i', minute)} as value"
            f" from range({self.members}) t(i)"
            for minute in block
        ]
        return batch.table(" union all ".join(parts), self.columns())


def name(member: int) -> str:
    """A member's label."""
    return f"{member * 2654435761 % 4294967296:08x}"


def total(member: int, first: int, count: int) -> int:
    """The sum of a member's values."""
    return sum(
        (member + 1) * (minute % 10007 + 1) * 2654435761 % 2147483647 % 1009 for minute in range(first, first + count)
    )


def _value(member: str, minute: int) -> str:
    """The same in SQL: numbers that compress as badly as real ones."""
    return f"({member} + 1) * {(minute % 10007 + 1) * 2654435761} % 2147483647 % 1009"
