"""A sink behind a road that loses, delays and breaks: what is sent may be stored at once, later or never."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from doubles import FakeClock
from pegel.errors import Fault, Permanent, Retryable
from pegel.pipeline.delivery import Delivery, Outcome
from pegel.plan import SinkPlan
from pegel.sinks import Point, Sink
from pegel.sinks.points import pack, unpack
from pegel.state import State
from pegel.units import Duration

Row = tuple[str, tuple[tuple[str, str], ...], int]
LATE = 20.0


@dataclass
class Server:
    """Keeps the last value of each row that arrived, and what is still on its way to it.

    Attributes:
        rows: What a query would find.
        under_way: What was sent and will be stored, with the time at which that happens.
        refuses: Reasons for which points are refused for ever.
    """

    clock: FakeClock
    rows: dict[Row, Point] = field(default_factory=dict)
    under_way: list[tuple[float, list[Point]]] = field(default_factory=list)
    refuses: Callable[[Point], str] = lambda _: ""

    def store(self, points: Sequence[Point]) -> dict[int, str]:
        """Keep them; the reasons of those that are refused, by index."""
        refused = {index: reason for index, point in enumerate(points) if (reason := self.refuses(point))}
        for index, point in enumerate(points):
            if index not in refused:
                self.rows[row_of(point)] = point
        return refused

    def pass_time(self, seconds: float) -> None:
        """Let time pass; what arrives meanwhile is stored."""
        end = self.clock.now + seconds
        for time, points in sorted(self.under_way, key=lambda one: one[0]):
            if time <= end:
                self.store(points)
        self.under_way = [one for one in self.under_way if one[0] > end]
        self.clock.now = end


@dataclass(kw_only=True)
class Road(Sink):
    """Sends to a server; `fate` says what becomes of the next request.

    `stored`, `unreachable` (nothing was sent), `lost` (sent, and lost for ever), `reply lost` (stored), or
    `late N` (stored N seconds from now, whatever is sent in between).
    """

    server: Server
    fate: Callable[[], str] = lambda: "stored"
    allowance: float = LATE
    repaired: bool = False
    faults: Mapping[int, Fault] = field(default_factory=dict)

    @property
    def overwrites(self) -> bool:
        return True

    @property
    def remote(self) -> bool:
        return True

    @property
    def late(self) -> Duration:
        return Duration(self.allowance)

    def mended(self) -> bool:
        return self.repaired

    def encode(self, points: Sequence[Point]) -> bytes:
        return pack(points)

    def send(self, payload: bytes) -> None:
        fate = self.fate()
        if fate == "unreachable":
            raise Retryable("refused", after=60.0, unsure=False)
        if fate.startswith("late"):
            self.server.under_way.append((self.server.clock.now + float(fate.split()[1]), unpack(payload)))
        if fate.startswith(("lost", "late")):
            raise Retryable("timed out")
        refused = self.server.store(unpack(payload))
        if fate == "reply lost":
            raise Retryable("timed out")
        if refused:
            raise Permanent("refused", refused, self.faults)


@dataclass
class Depot:
    """A delivery on a state directory, in as many lives as a test wants."""

    directory: Path
    sink: Road
    clock: FakeClock
    outcomes: list[Outcome] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """A life begins."""
        self.state = State(self.directory / "state")
        plan = SinkPlan(name="far", type="road", sink=self.sink)
        self.delivery = Delivery(plan, self.state, self.clock)
        self.delivery.hand_over()

    def crash(self) -> None:
        """All that is not committed is gone."""
        self.state.close()
        self.outcomes = []
        self.start()

    def turn(self, *points: Point) -> None:
        """One commit, as the turn makes it."""
        with self.state.transaction():
            self.delivery.settle(self.outcomes)
            self.delivery.put(points)
            self.delivery.freeze()
            self.delivery.enforce_caps()
        self.outcomes = []
        self.delivery.hand_over()

    def send(self) -> None:
        """One attempt, whether or not it is time for it."""
        self.delivery.not_before = 0.0
        outcome = self.delivery.send_one()
        if outcome is not None:
            self.outcomes.append(outcome)

    def finish(self) -> None:
        """The road is good again, and there is time: all that waits arrives."""
        self.sink.fate = lambda: "stored"
        for _ in range(12):
            for _ in range(8):
                self.turn()
                self.send()
            self.sink.server.pass_time(LATE / 2)

    def close(self) -> None:
        self.state.close()


def row_of(point: Point) -> Row:
    return (point.metric, point.labels, point.start_us)


def point(window: int = 0, key: str = "a", value: int = 0, revision: int = 0) -> Point:
    start = 1_772_539_200_000_000 + window * 60_000_000
    return Point("m", (("key", key),), start, start + 60_000_000, {"n": value}, {"n": "gauge"}, revision)


def again(former: Point, value: int) -> Point:
    """The next revision of a point."""
    return replace(former, values={"n": value}, revision=former.revision + 1)
