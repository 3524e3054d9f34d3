"""Receivers with the rules of real ones, and the sinks that send to them.

A receiver outlives the runner. It keeps what a real one would keep and writes down every broken promise; a
test looks at `broken` at the end.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pegel.errors import Retryable
from pegel.sinks import Point, Sink
from pegel.units import Duration
from simulation.crashes import CrashPoints

Series = tuple[str, tuple[tuple[str, str], ...]]
"""Metric and labels."""

Time = int

COUNTERS = {"n", "total"}
"""Values that a view must never show falling."""

Fault = Callable[[], str]
"""What goes wrong with this request: "" (nothing), "refused" (not stored), "reply lost" (stored) or "late" (stored
later, behind what is sent meanwhile)."""

LATE = 12.0
"""Seconds for which a late request is under way; the runner is told that it may be more."""


@dataclass(frozen=True)
class Sent:
    """One point as it arrived."""

    series: Series
    start_us: Time
    end_us: Time
    revision: int
    values: dict[str, Any]


@dataclass
class Receiver:
    """Stores points by (series, time); how it treats a second one is the difference between receivers.

    Attributes:
        name: Its sink's name.
        overwrites: The newest value wins (InfluxDB); otherwise the highest revision counts (a file).
        early: Whether values of open windows may come.
        premature: Says of a window's end whether it may be closed already.
        points: What it holds.
        broken: Promises that were broken, as sentences.
        requests: How many were stored.
    """

    name: str
    overwrites: bool
    premature: Callable[[Time], bool] = lambda _: False
    fault: Fault = lambda: ""
    points: dict[tuple[Series, Time], Sent] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    requests: int = 0
    under_way: list[tuple[float, bytes]] = field(default_factory=list)
    _final: dict[tuple[Series, Time, int], dict[str, Any]] = field(default_factory=dict)
    _view: dict[Series, dict[str, Any]] = field(default_factory=dict)

    def arrive(self, now: float) -> None:
        """Store the late requests whose time has come; what they put back is for the runner to mend."""
        arrived = [payload for time, payload in self.under_way if time <= now]
        self.under_way = [one for one in self.under_way if one[0] > now]
        for payload in arrived:
            self.store(payload, late=True)

    def store(self, payload: bytes, *, late: bool = False) -> None:
        """Take a request, whole."""
        self.requests += 1
        for sent in decode(payload):
            self._check(sent)
            held = self.points.get((sent.series, sent.start_us))
            if held is not None and sent.revision < held.revision and not late:
                if not self.overwrites:
                    continue
                self.broken.append(f"{self.name}: revision {held.revision} overwritten by {sent.revision}: {sent}")
            self.points[sent.series, sent.start_us] = sent

    def show(self, payload: bytes) -> None:
        """Take the snapshot of a view: counters never fall, no series vanishes."""
        shown = {sent.series: sent.values for sent in decode(payload)}
        for series, values in self._view.items():
            for name in COUNTERS & values.keys():
                value = values[name]
                now = shown.get(series, {}).get(name, 0)
                if now < value:
                    self.broken.append(f"{self.name}: {series} {name} fell from {value} to {now}")
        self._view = shown

    @property
    def shown(self) -> dict[Series, dict[str, Any]]:
        """The newest snapshot of a view."""
        return self._view

    def _check(self, sent: Sent) -> None:
        if sent.revision == 0:
            if not self.overwrites:
                self.broken.append(f"{self.name}: an early value came to a receiver that cannot overwrite: {sent}")
            return
        key = (sent.series, sent.start_us, sent.revision)
        if self._final.setdefault(key, sent.values) != sent.values:
            self.broken.append(f"{self.name}: a frozen value changed: {self._final[key]} became {sent}")
        if not sent.series[0].startswith("pegel_") and self.premature(sent.end_us):
            self.broken.append(f"{self.name}: closed too early: {sent}")


def encode(points: Sequence[Point]) -> bytes:
    """Points as lines of JSON, in their order."""
    return b"".join(
        json.dumps([p.metric, p.labels, p.start_us, p.end_us, p.revision, dict(p.values)]).encode() + b"\n"
        for p in points
    )


def decode(payload: bytes) -> Iterator[Sent]:
    """What `encode` wrote."""
    for line in payload.splitlines():
        metric, labels, start, end, revision, values = json.loads(line)
        yield Sent((metric, tuple((name, value) for name, value in labels)), start, end, revision, values)


@dataclass
class SimSink(Sink):
    """Sends to a receiver through a network that loses requests and replies; each step is a crash point."""

    receiver: Receiver
    points: CrashPoints
    now: Callable[[], float] = lambda: 0.0
    late_requests: bool = True

    @property
    def overwrites(self) -> bool:
        return self.receiver.overwrites

    @property
    def remote(self) -> bool:
        return True

    @property
    def late(self) -> Duration:
        return Duration(20.0 if self.overwrites else 0.0)

    def encode(self, points: Sequence[Point]) -> bytes:
        return encode(points)

    def send(self, payload: bytes) -> None:
        name = self.receiver.name
        self.points.reach(f"before send to {name}")
        fault = self.receiver.fault()
        if fault == "late" and self.overwrites and self.late_requests:
            self.receiver.under_way.append((self.now() + LATE, payload))
            raise Retryable("no reply yet")
        if fault in ("refused", "late"):
            raise Retryable("not now", unsure=False)
        self.receiver.store(payload)
        self.points.reach(f"stored but not acknowledged by {name}")
        if fault == "reply lost":
            raise Retryable("no reply")
        self.points.reach(f"acknowledged by {name}")


@dataclass
class SimView(Sink):
    """Shows the committed snapshot to a receiver that looks at every one of them."""

    receiver: Receiver
    points: CrashPoints

    @property
    def view(self) -> bool:
        return True

    def encode(self, points: Sequence[Point]) -> bytes:
        return encode(points)

    def send(self, payload: bytes) -> None:
        self.receiver.show(payload)
        self.points.reach("after view")
