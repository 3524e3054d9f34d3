"""A checked plan: what a configuration says, with every component built and every expression known to be right.

`config` makes plans, `pipeline` runs them. A plan holds options and objects without side effects; nothing in
it is open.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

from pegel.enrichers import Enricher
from pegel.formats import Format
from pegel.listening import Endpoint
from pegel.metrics.definition import Metric
from pegel.sinks import Sink
from pegel.sources import Source
from pegel.table import Columns
from pegel.units import Duration, Size


@dataclass(frozen=True, kw_only=True)
class RunnerSettings:
    """The `[runner]` table; each can also come from `PEGEL_<NAME>` in the environment.

    Options:
        state: Directory of state.db, its lock and the embedded store.
        commit_interval: Longest time that a read record waits for its commit.
        labels: Labels on every point.
        prefix: Put before every metric name.
        workers: Threads that parse and fold; 0 = one per core.
        memory: Bytes that the columnar engine may use before it spills.
        members: Bytes of members of distinct sets that the state may hold; beyond, the biggest become estimates.
        snapshot_interval: Time between two snapshots of the state.
        log_level: `debug`, `info`, `warning` or `error`.
        log_format: `human` or `json`.
    """

    state: Path = Path("pegel-state")
    commit_interval: Duration = Duration(1.0)
    labels: Mapping[str, str] = field(default_factory=dict)
    prefix: str = ""
    workers: int = 0
    memory: Size = Size(96 * 2**20)
    members: Size = Size(256 * 2**20)
    snapshot_interval: Duration = Duration(600.0)
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["human", "json"] = "human"


@dataclass(frozen=True, kw_only=True)
class ScaleSettings:
    """The `[scale]` table: workers on other machines read the objects of buckets, by Dask.

    Every machine has the same configuration. The one that runs `pegel run` (or `pegel backfill`) alone has a state: it
    lists, merges, commits and sends; those that run `pegel worker` read, parse and fold.

    Options:
        scheduler: Where the Dask scheduler is: `tls://HOST:PORT`, or `tcp://` on this machine.
        ca_file: Certificates of the authority that has signed those of all machines (PEM); needed with `tls://`.
        cert_file: Certificate of this machine (PEM); needed with `tls://`.
        key_file: Its key (PEM); needed with `tls://`.
        max_in_flight: Bytes of objects that are with the workers, or read and not yet merged.
        without_workers: While no worker can be reached, objects `wait`, or are read on this machine (`read_here`).

    Example:
        [scale]
        scheduler = "tcp://127.0.0.1:8786"
    """

    scheduler: str
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    max_in_flight: Size = Size(256 * 2**20)
    without_workers: Literal["wait", "read_here"] = "wait"

    def __post_init__(self) -> None:
        match = _SCHEDULER.fullmatch(self.scheduler)
        if match is None:
            raise ValueError("scheduler: must be tls://HOST:PORT, or tcp://127.0.0.1:PORT on this machine")
        if match["scheme"] == "tcp" and match["host"] not in _LOOPBACK:
            raise ValueError(
                "scheduler: a scheduler runs what it is sent, so beyond this machine it must be tls:// with"
                " certificates (ca_file, cert_file, key_file)"
            )
        if self.max_in_flight < 1:
            raise ValueError("max_in_flight: must be at least 1B")
        files = {name: getattr(self, name) for name in ("ca_file", "cert_file", "key_file")}
        if match["scheme"] == "tcp":
            for name in (name for name, file in files.items() if file is not None):
                raise ValueError(f"{name}: is of no use without tls://")
        for name in (name for name, file in files.items() if file is None and match["scheme"] == "tls"):
            raise ValueError(f"tls:// needs {name}, too: all machines know each other by certificates")


_SCHEDULER = re.compile(r"(?P<scheme>tls|tcp)://(?P<host>\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):(?P<port>[0-9]{1,5})")
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True, kw_only=True)
class TimeOptions:
    """Where event time comes from.

    Options:
        column: Text, number or timestamp column.
        format: One or several strptime formats, tried in order; or `iso8601`, `unix`, `unix_ms`, `unix_us`.
            A time without an offset is UTC.
    """

    column: str
    format: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class SourcePlan:
    """One `[[sources]]` entry.

    Options:
        name: Cursors belong to it.
        labels: Constant columns, usable as labels.
        private: Columns that may only be used inside count(distinct), arrivals and by enrichers.
        disorder: How much later than its time a record may be read and still be in time.
        idle_after: A source that is silent for so long no longer holds windows open.
        max_hold: A failing source holds windows open for at most so long.
        start: Where to begin without state.
        start_said: The config says so itself.
        renamed_from: Name under which its cursors are stored.
    """

    name: str
    source: Source
    format: Format
    time: TimeOptions | None
    labels: Mapping[str, str] = field(default_factory=dict)
    private: frozenset[str] = frozenset()
    disorder: Duration = Duration(5.0)
    idle_after: Duration = Duration(60.0)
    max_hold: Duration = Duration(3600.0)
    start: Literal["beginning", "end"] = "beginning"
    start_said: bool = False
    renamed_from: str | None = None
    enrichers: Sequence[Enricher] = ()
    """Those whose `from` names this source, in file order."""
    columns: Columns = field(default_factory=dict)
    """What metrics may use: columns of the format, the labels, and of the enrichers."""


@dataclass(frozen=True, kw_only=True)
class SinkPlan:
    """One `[[sinks]]` entry.

    Options:
        name: Its outbox belongs to it.
        metrics: Patterns (`shop_*`) of the metrics that it takes.
        early_interval: Time between early values of open windows; only for sinks that overwrite.
        max_bytes: Size of its outbox at which reading stops (`when_full = "block"`) or the oldest points are
            dropped and counted (`"drop_oldest"`).
        max_age: Age at which points are dropped and counted.
        when_full: See max_bytes.
    """

    name: str
    type: str
    sink: Sink
    metrics: Sequence[str] = ("*",)
    early_interval: Duration = Duration(10.0)
    max_bytes: Size = Size(2**30)
    max_age: Duration = Duration(72 * 3600.0)
    when_full: Literal["block", "drop_oldest"] = "block"


OWN_PREFIX = "pegel_"
"""Begins the name of every metric about the runner itself."""

_CURIOUS = ("local", "prometheus")
"""Types of sinks that get them without asking."""


def wants_own(sink: SinkPlan) -> bool:
    """Whether a sink gets the metrics about the runner itself: the embedded store, a page, and whoever names them."""
    return sink.type in _CURIOUS or any(pattern.startswith(OWN_PREFIX) for pattern in sink.metrics)


def takes(sink: SinkPlan, metric: str) -> bool:
    """Whether a sink wants a metric."""
    return any(fnmatchcase(metric, pattern) for pattern in sink.metrics)


@dataclass(frozen=True, kw_only=True)
class Expected:
    """A point that a test expects, or what it says of one.

    Attributes:
        time: Start of its window in us; None for any.
        labels: Those that it must have, among others.
        values: Those that it must have, among others; a histogram as a table of its `count`, `sum` or `buckets`.
    """

    time: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One `[[tests]]` entry.

    Attributes:
        name: What it holds, as a sentence.
        source: The source whose records it has.
        input: The records; None where they are in a file.
        input_file: The file with the records.
        points: All points of some metrics, by their names.
        rejects: How many records are refused, by reason.
    """

    name: str
    source: str
    input: str | None = None
    input_file: Path | None = None
    points: Mapping[str, Sequence[Expected]] = field(default_factory=dict)
    rejects: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything a runner runs, and the tests that its author wrote for it."""

    runner: RunnerSettings
    sources: Sequence[SourcePlan]
    metrics: Sequence[Metric]
    sinks: Sequence[SinkPlan]
    tests: Sequence[Case] = ()
    scale: ScaleSettings | None = None

    def endpoints(self) -> list[Endpoint]:
        """All that is answered over HTTP."""
        return [endpoint for sink in self.sinks for endpoint in sink.sink.endpoints()]
