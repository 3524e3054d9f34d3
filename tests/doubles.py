"""Small stand-ins behind the contracts: a source of given bytes, a format of plain words, a sink that keeps points."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from pegel.errors import Retryable
from pegel.formats import End, Format, Frames
from pegel.metrics.definition import Metric, Value
from pegel.pipeline import Runner
from pegel.plan import Plan, RunnerSettings, SinkPlan, SourcePlan, TimeOptions
from pegel.sinks import Point, Sink
from pegel.sinks.points import pack, unpack
from pegel.sources import Piece, Position, Source, SourceStatus, World
from pegel.table import Batch, Columns, Table, literal
from pegel.units import Duration


@dataclass
class FakeClock:
    """Time that moves when a test says so."""

    now: float = 1_772_539_200.0  # 2026-03-03 12:00:00 UTC

    def wall(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    def wait(self, wake: threading.Event, seconds: float) -> bool:
        self.now += 0 if wake.is_set() else seconds
        return wake.is_set()


@dataclass(kw_only=True)
class Words(Format):
    """A line is `SECONDS KEY NUMBER USER`, seconds since 1970."""

    def columns(self) -> Columns:
        return {"second": "BIGINT", "key": "VARCHAR", "number": "BIGINT", "user": "VARCHAR"}

    def split(self, data: bytes, end: End, mark: str = "", seams: Sequence[int] = ()) -> Frames:  # noqa: ARG002
        consumed = len(data) if end is End.FINAL else data.rfind(b"\n") + 1
        lines = data[:consumed].split(b"\n")
        whole = b"".join(line + b"\n" for line in lines if line)
        return Frames(whole or None, whole.count(b"\n"), consumed)

    def table(self, batch: Batch, block: Any, needed: frozenset[str]) -> Table:  # noqa: ARG002
        words = [line.split() for line in block.decode().splitlines()]
        rows = ", ".join(f"({row}, {a}, {literal(b)}, {c}, {literal(d)})" for row, (a, b, c, d) in enumerate(words))
        sql = f"select *, null::varchar as _reject from (values {rows}) t(_row, second, key, number, user)"
        sql = sql.replace("second,", '"second",').replace("user)", '"user")')
        return batch.table(sql, self.columns())


@dataclass(kw_only=True)
class Given(Source):
    """Offers bytes that a test appends, per partition; remembers nothing between two of its lives but positions."""

    guarantee: ClassVar[Literal["replayable", "lossy"]] = "replayable"

    logs: dict[str, bytearray] = field(default_factory=dict)
    broken: str = ""
    _at: dict[str, int] = field(default_factory=dict)

    def write(self, *records: tuple[float, str, int, str], partition: str = "log") -> None:
        text = "".join(f"{round(time)} {key} {number} {user}\n" for time, key, number, user in records)
        self.logs.setdefault(partition, bytearray()).extend(text.encode())

    def open(self, world: World, positions: Sequence[Position]) -> None:  # noqa: ARG002
        self._at = {position.stream: position.offset for position in positions}

    def reads(self, partition: str) -> bool:
        return partition in self.logs

    def poll(self) -> Piece | None:
        from pegel.errors import SourceError

        if self.broken:
            raise SourceError(self.broken)
        for order, (name, data) in enumerate(sorted(self.logs.items())):
            at = self._at.get(name, 0)
            if at < len(data):
                return Piece(name, name, order, at, bytes(data[at:]), End.MORE)
        return None

    def consume(self, piece: Piece, count: int, mark: str) -> Sequence[Position]:  # noqa: ARG002
        self._at[piece.stream] = piece.offset + count
        return [Position(piece.stream, piece.order, piece.offset + count)]

    def exhausted(self) -> bool:
        return all(self._at.get(name, 0) >= len(data) for name, data in self.logs.items())

    def status(self) -> SourceStatus:
        return SourceStatus("idle", partitions=frozenset(self.logs))

    def close(self) -> None:
        self._at = {}


@dataclass(kw_only=True)
class Keeping(Sink):
    """Keeps every point it is sent; fails while told to."""

    early: bool = False
    failing: str = ""
    received: list[Point] = field(default_factory=list)

    @property
    def overwrites(self) -> bool:
        return self.early

    def encode(self, points: Sequence[Point]) -> bytes:
        return pack(points)

    def send(self, payload: bytes) -> None:
        if self.failing:
            raise Retryable(self.failing)
        self.received += unpack(payload)

    def newest(self) -> dict[tuple[int, tuple[tuple[str, str], ...]], Mapping[str, Any]]:
        """By (start in seconds, labels): the values of the highest revision."""
        best: dict[tuple[int, tuple[tuple[str, str], ...]], Point] = {}
        for point in self.received:
            key = (point.start_us // 10**6, point.labels)
            if key not in best or point.revision >= best[key].revision:
                best[key] = point
        return {key: point.values for key, point in best.items()}


def metric(name: str = "m", *, every: float = 60.0, over: float | None = None, **values: str) -> Metric:
    """A metric over the words of source `log`, by key."""
    return Metric(
        name=name,
        sources=["log"],
        every=Duration(every),
        over=None if over is None else Duration(over),
        labels=["key"],
        values={key: Value(value=value) for key, value in (values or {"n": "count(*)"}).items()},
    )


@dataclass
class House:
    """A runner on a state directory with a source, a sink and a clock that survive its restarts."""

    directory: Path
    metrics: Iterable[Metric] = field(default_factory=lambda: [metric()])
    source: Given = field(default_factory=Given)
    sink: Keeping = field(default_factory=Keeping)
    clock: FakeClock = field(default_factory=FakeClock)
    change: Callable[[SourcePlan], SourcePlan] = lambda plan: plan

    def plan(self) -> Plan:
        words = Words()
        source = SourcePlan(
            name="log",
            source=self.source,
            format=words,
            time=TimeOptions(column="second", format=["unix"]),
            private=frozenset({"user"}),
            columns=words.columns(),
        )
        settings = RunnerSettings(state=self.directory / "state")
        sinks = [SinkPlan(name="kept", type="keeping", sink=self.sink, early_interval=Duration(0.0))]
        return Plan(runner=settings, sources=[self.change(source)], metrics=list(self.metrics), sinks=sinks)

    def runner(self) -> Runner:
        """A new life of the runner, open."""
        runner = Runner(self.plan(), clock=self.clock)
        runner.open()
        return runner

    def run(self, *, close_all: bool = False) -> None:
        """One whole life: everything there is is read, committed and sent."""
        runner = self.runner()
        settle(runner)
        if close_all:
            runner.last_turn(close_all=True)
            settle(runner)
        runner.close()


def settle(runner: Runner) -> None:
    """Step until there is nothing to do."""
    for _ in range(1000):
        if not runner.step():
            return
    raise AssertionError("the runner does not come to rest")
