"""Sinks: where points go.

Two contracts. A sink proper is *sent to*: it gets every point once it is committed, through the outbox,
until it acknowledges. A *view* shows the committed snapshot, whole, again and again; nothing waits for it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from pegel.listening import Endpoint
from pegel.units import Duration

BUILTIN = {
    "file": "pegel.sinks.file:File",
    "stdout": "pegel.sinks.stdout:Stdout",
    "local": "pegel.sinks.local:Local",
    "prometheus": "pegel.sinks.prometheus:Prometheus",
    "influxdb2": "pegel.sinks.influxdb2:Influxdb2",
    "remote_write": "pegel.sinks.remote_write:RemoteWrite",
}

Value = int | float | str
Kind = Literal["gauge", "counter", "histogram", "info"]


@dataclass(frozen=True)
class Histogram:
    """A histogram value: `counts[i]` records were <= `bounds[i]`, the last count is for all (cumulative)."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    sum: float


@dataclass(frozen=True)
class Point:
    """The values of one series in one window.

    Attributes:
        metric: Name of the metric; a measurement in InfluxDB.
        labels: Sorted by name.
        start_us: Start of the window, microseconds since 1970: the time in InfluxDB, `local` and files.
        end_us: End of the window: the time in Prometheus.
        values: By name, in the order of the config; a value that does not exist is left out.
        kinds: Kind of each value.
        revision: 0 early, 1 first close, 2… corrections.
    """

    metric: str
    labels: tuple[tuple[str, str], ...]
    start_us: int
    end_us: int
    values: Mapping[str, Value | Histogram]
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    revision: int = 1
    help: str = ""


@dataclass(frozen=True)
class Sampling:
    """What a sink of samples needs to know, beyond that of windows.

    Attributes:
        reach: How old a sample may be when it is sent.
        idle: How long a series that does not grow has samples.
        shards: Senders that work side by side, each for series of its own; each has a copy of the sink.
    """

    reach: Duration
    idle: Duration
    shards: int = 1


class Sink(ABC):
    """Where points go. Fields of the subclass are its options in the config.

    Used by one thread of its own: `open`, `encode` and `send`, `close`. It does not retry, sleep or log.
    """

    early_interval: ClassVar[Duration] = Duration(10.0)
    """Time between early values of open windows, where the config does not say."""

    @property
    def overwrites(self) -> bool:
        """A later revision replaces an earlier one, so early values of open windows are welcome."""
        return False

    @property
    def view(self) -> bool:
        """It shows the committed snapshot.

        `show` gets the newest point of every series, counters and histograms cumulative, and replaces what was
        shown before.
        """
        return False

    @property
    def remote(self) -> bool:
        """What it stores is outside this machine."""
        return False

    @property
    def sampling(self) -> Sampling | None:
        """It takes samples, each series in the order of their times, in the place of windows.

        Its points have the time in `end_us`. Counters and histograms are totals: every live series has one with each
        window; NaN (as the sum of a histogram) ends a series. None where a point is a window.
        """
        return None

    @property
    def late(self) -> Duration:
        """How long after an attempt of unknown fate what was sent may still be stored, behind newer values.

        Newer values are sent once more when that is over. 0 where later values do not replace earlier ones,
        or nothing can be on its way any more when `send` has ended.
        """
        return Duration(120.0 if self.remote and self.overwrites else 0.0)

    def settle_in(self, directory: Path) -> None:  # noqa: B027 (most sinks keep nothing on this machine)
        """Learn the runner's state directory, where a sink may keep what it has to remember."""

    def introduce(self, identity: str, backfill: str = "") -> None:  # noqa: B027 (most do not tell runners apart)
        """Learn the random name of the runner's state, and which back-fill beside it this is if it is one."""

    def probe(self) -> Sequence[str]:
        """Try the endpoint without storing anything: what is wrong, as sentences that say what to do.

        Called by `pegel check --connect` and `pegel doctor`, never while running; takes at most 10 s.
        """
        return ()

    def stored(self, metrics: Sequence[str]) -> Mapping[str, int] | None:
        """What the store has: the time of its newest point (us; the time that it has there) of each of these metrics.

        A metric of which it has nothing in the last days is left out. None if such a thing cannot be asked there.
        Asked by `pegel doctor` beside a runner, never by the runner; takes at most 10 s.

        Raises:
            Retryable: It did not tell; the sentence says why, such as a token that may only write.
        """
        del metrics
        return None

    def open(self) -> None:  # noqa: B027 (there may be nothing to prepare)
        """Prepare to send; may raise a Retryable."""

    def mended(self) -> bool:
        """Whether what made the last attempt fail may be gone, such as a wrong token: then it is tried at once.

        Asked every few seconds while it waits to try again; cheap.
        """
        return False

    @abstractmethod
    def encode(self, points: Sequence[Point]) -> bytes:
        """The bytes to send for these points.

        Pure and deterministic: they are frozen before the first send.
        """

    @abstractmethod
    def send(self, payload: bytes) -> None:
        """Deliver bytes made by `encode`; returning means that they are stored durably.

        Sending the same bytes twice has the effect of sending them once (or leaves byte-identical repeats
        whose highest revision counts).

        Raises:
            Retryable: Not stored, or nobody knows (`unsure`); the same bytes are sent again.
            Permanent: The rows named are never storable and are set aside; all others are stored.
        """

    def send_again(self, payload: bytes) -> None:
        """Deliver bytes that a former attempt may have stored; like `send`."""
        self.send(payload)

    def show(self, points: Sequence[Point]) -> None:
        """Views: show these points in the place of those before; may raise a SinkError."""
        self.send(self.encode(points))

    def show_again(self, points: Sequence[Point]) -> None:
        """Views: like `show`; what was not there before was held back, and is not new."""
        self.show(points)

    def endpoints(self) -> Sequence[Endpoint]:
        """What it answers over HTTP; the runner's web server asks once, before anything runs."""
        return ()

    def close(self) -> None:  # noqa: B027 (nor to give back)
        """Give back what is open."""
