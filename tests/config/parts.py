"""Small components for configurations in tests: `type = "config.parts:Tail"`."""

# ruff: noqa: ARG002 - the arguments are those of the contracts
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from pegel.enrichers import Enricher
from pegel.formats import End, Format, Frames
from pegel.secret import Secret
from pegel.sinks import Point, Sink
from pegel.sources import Piece, Position, Source, SourceStatus, World
from pegel.sql import bind_all
from pegel.table import Batch, Columns, Table
from pegel.units import Duration, Size


@dataclass(kw_only=True)
class Tail(Source):
    """A source that can be read again."""

    guarantee: ClassVar[Literal["replayable"]] = "replayable"

    path: str | list[str]
    poll_interval: Duration = Duration(1.0)
    piece_size: Size = Size(2**20)

    def open(self, world: World, positions: Sequence[Position]) -> None:
        raise AssertionError("a configuration opens nothing")

    def poll(self) -> Piece | None:
        raise AssertionError("a configuration reads nothing")

    def consume(self, piece: Piece, count: int, mark: str) -> Sequence[Position]:
        raise AssertionError("a configuration reads nothing")

    def exhausted(self) -> bool:
        return True

    def status(self) -> SourceStatus:
        return SourceStatus("idle")

    def close(self) -> None:
        """Nothing is open."""


@dataclass(kw_only=True)
class Datagrams(Tail):
    """A source that cannot be read again."""

    guarantee: ClassVar[Literal["lossy"]] = "lossy"  # type: ignore[assignment]

    path: str | list[str] = ""
    port: int = 8125


@dataclass(kw_only=True)
class Words(Format):
    """A format with the columns that it is told."""

    columns_: dict[str, str] = field(metadata={"key": "columns"})
    limit: Size = Size(65536)

    def __post_init__(self) -> None:
        for name, kind in self.columns_.items():
            if kind not in ("VARCHAR", "BIGINT", "DOUBLE", "TIMESTAMP"):
                raise ValueError(f'columns.{name}: "{kind}" is no type')

    def columns(self) -> Columns:
        return self.columns_

    def split(self, data: bytes, end: End, mark: str = "", seams: Sequence[int] = ()) -> Frames:
        raise AssertionError("a configuration reads nothing")

    def table(self, batch: Batch, block: Any, needed: frozenset[str]) -> Table:
        raise AssertionError("a configuration reads nothing")


@dataclass(kw_only=True)
class Formulas(Enricher):
    """New columns by SQL."""

    columns: dict[str, str]

    def needs(self, columns: Columns) -> frozenset[str]:
        return frozenset().union(*(bound.columns for bound in bind_all(self.columns, columns).values()))

    def adds(self, columns: Columns) -> Columns:
        return {name: bound.type for name, bound in bind_all(self.columns, columns).items()}

    def enrich(self, table: Table) -> Table:
        raise AssertionError("a configuration enriches nothing")


@dataclass(frozen=True, kw_only=True)
class Login:
    """Who we are."""

    user: str
    password: Secret


@dataclass(kw_only=True)
class Wire(Sink):
    """A sink with secrets."""

    url: str = "http://localhost"
    token: Secret | None = None
    login: Login | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None

    def encode(self, points: Sequence[Point]) -> bytes:
        raise AssertionError("a configuration sends nothing")

    def send(self, payload: bytes) -> None:
        raise AssertionError("a configuration sends nothing")


doors: dict[str, list[str]] = {}
"""What a door says when it is tried, by name."""


@dataclass(kw_only=True)
class Door(Wire):
    """A sink that can be tried."""

    door: str

    def probe(self) -> Sequence[str]:
        return doors.get(self.door, [])


class Plain:
    """No component at all."""
