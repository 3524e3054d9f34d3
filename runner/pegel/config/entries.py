"""The words of the configuration language that do not belong to a component.

Each class is a table of the file; what a table has beyond these options belongs to the component that its
`type` names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pegel.metrics.definition import Value
from pegel.units import Duration, Size


@dataclass(frozen=True, kw_only=True)
class TimeEntry:
    """`time` of a source: where event time comes from.

    Options:
        column: Text, number or timestamp column of the format.
        format: One or several strptime formats, tried in order; or `iso8601`, `unix`, `unix_ms`, `unix_us`.
            A time without an offset is UTC.
    """

    column: str
    format: str | Sequence[str]


@dataclass(frozen=True, kw_only=True)
class SourceEntry:
    """A `[[sources]]` entry: where records come from.

    Options:
        name: Cursors belong to it; metrics and enrichers refer to it.
        type: What kind of source it is.
        preset: A ready-made source with its enrichers and metrics; every other option overrides the preset's.
        metrics: Which of the preset's metrics are wanted, by patterns; those that are off by default are on
            when a pattern names them.
        enrichers: Options of the preset's enrichers, by their names: what is given here counts instead of the
            preset's, tables are merged (`enrichers.asn.files = ["…"]`).
        format: How bytes become records; its `type` is `lines` if nothing else is said.
        time: Where event time comes from.
        labels: Constant columns, usable as labels.
        private: Columns that may only be used inside count(distinct), arrivals and by enrichers.
        disorder: How much later than its time a record may be read and still be in time; 5s if not given, 90s for
            objects in a bucket.
        idle_after: A source that is silent for so long no longer holds windows open; 60s if not given, 5m for
            objects in a bucket.
        max_hold: A failing source holds windows open for at most so long.
        start: Where to begin without state: at the `beginning` (the default), archives included, or at the `end`.
        renamed_from: Name under which its cursors are stored.

    Example:
        [[sources]]
        name = "shop"
        type = "file"
        path = "/var/log/nginx/shop.log"
        format = { type = "lines", template = '{client} [{time}] "{request}" {status:int} {bytes:int}' }
        time = { column = "time", format = "%d/%b/%Y:%H:%M:%S %z" }
        labels = { server = "shop-01" }
        private = ["client"]
    """

    name: str
    type: str
    preset: str | None = None
    metrics: str | Sequence[str] = ()
    enrichers: Mapping[str, Any] = field(default_factory=dict)
    format: Any = None
    time: TimeEntry | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    private: Sequence[str] = ()
    disorder: Duration | None = None
    idle_after: Duration | None = None
    max_hold: Duration = Duration(3600.0)
    start: Literal["beginning", "end"] | None = None
    renamed_from: str | None = None


@dataclass(frozen=True, kw_only=True)
class EnricherEntry:
    """An `[[enrichers]]` entry: columns added to the records of sources, in the order of the file.

    Options:
        type: What kind of enricher it is.
        from: A source or several; may be left out where there is only one.
        name: In a preset: what sources call it when they change its options.

    Example:
        [[enrichers]]
        type = "sql"
        from = "shop"
        columns = { page = "regexp_extract(request, ' (/[^/? ]*)', 1)" }
    """

    type: str
    sources: str | Sequence[str] = field(default=(), metadata={"key": "from"})
    name: str | None = None


@dataclass(frozen=True, kw_only=True)
class MetricEntry:
    """A `[[metrics]]` entry: what is counted, per window of event time and label set.

    Options:
        name: Measurement name; the runner's `prefix` is put before it.
        help: One sentence.
        from: A source or several; may be left out where there is only one. A column that one of several
            sources lacks is NULL there.
        every: Length of a window, or of a step of a rolling window; `1d` is a calendar day in `timezone`.
        over: Length of a rolling window, a multiple of `every`.
        labels: Columns that tell series apart.
        where: SQL condition on records.
        values: By name: an aggregate expression, or a table with `value`, `kind` and `help`; with `metric`, and
            `labels` if it has some, it is shown as a metric of that name.
        timezone: Of calendar days.
        allowed_lateness: A closed window accepts corrections for so long.
        max_series: Series beyond this number are folded into `__other__`.
        max_values: The same per label.
        series_ttl: A series without records for so long frees its slot.
        approx_over: A distinct count with more members than this becomes an estimate.
        renamed_from: Name under which its totals are stored.
        optional: In a preset: off until a source names it in its `metrics`.

    Example:
        [[metrics]]
        name = "shop_requests"
        help = "Requests answered by the shop."
        from = "shop"
        every = "1m"
        labels = ["page", "server"]
        values.total = { value = "count(*)", kind = "counter" }
        values.users = "count(distinct client)"
    """

    name: str
    help: str = ""
    sources: str | Sequence[str] = field(default=(), metadata={"key": "from"})
    every: Duration
    over: Duration | None = None
    labels: Sequence[str] = ()
    where: str | None = None
    values: Mapping[str, str | Value]
    timezone: str = "UTC"
    allowed_lateness: Duration = Duration(7200.0)
    max_series: int = 10_000
    max_values: Mapping[str, int] = field(default_factory=dict)
    series_ttl: Duration = Duration(86400.0)
    approx_over: int | None = None
    renamed_from: str | None = None
    optional: bool = False


@dataclass(frozen=True, kw_only=True)
class OutboxEntry:
    """`outbox` of a sink: what is kept for it while it does not answer.

    Options:
        max_bytes: Size at which `when_full` decides.
        max_age: Age at which points are dropped and counted.
        when_full: `block` stops reading, `drop_oldest` drops the oldest points and counts them.
    """

    max_bytes: Size = Size(2**30)
    max_age: Duration = Duration(72 * 3600.0)
    when_full: Literal["block", "drop_oldest"] = "block"


@dataclass(frozen=True, kw_only=True)
class SinkEntry:
    """A `[[sinks]]` entry: where points go. Without any, they are kept in the embedded store (`local`).

    Options:
        name: Its outbox belongs to it; the `type` if nothing is said.
        type: What kind of sink it is.
        only_if: The sink exists only if this text is not empty: `"${INFLUX_URL:-}"` switches it on by setting the
            variable, and what else its table refers to is needed only then.
        metrics: Patterns of the metrics that it takes, all by default; names with the runner's `prefix`.
        early_interval: Time between early values of open windows; only for sinks that overwrite
            (default: 10s; `local` with every commit).
        outbox: What is kept for it while it does not answer.

    Example:
        [[sinks]]
        name = "archive"
        type = "file"
        path = "/var/lib/pegel/points.ndjson"
        metrics = ["shop_*"]
    """

    name: str | None = None
    type: str
    only_if: str | None = None
    metrics: str | Sequence[str] = ("*",)
    early_interval: Duration | None = None
    outbox: OutboxEntry = field(default_factory=OutboxEntry)


@dataclass(frozen=True, kw_only=True)
class CaseEntry:
    """A `[[tests]]` entry: records, and the points that they must make. `pegel test` runs them, `run` ignores them.

    The records run through the real pipeline, and all windows close. Of a metric that is named in `points` there must
    be as many points as are listed; of each, what is said must be so, and what is left out may be anything. Metrics
    that are not named are not looked at.

    Options:
        name: What it holds, as a sentence.
        source: The source whose records these are; may be left out where there is only one.
        input: The records, as they stand in the log.
        input_file: A file with the records (plain or gzip), found from the folder of the configuration.
        points: By metric (with the runner's `prefix`): a list of tables, each with any of the `time` at which
            the window starts (ISO 8601; UTC if nothing else is said), labels and values. An empty list: no points.
        rejects: How many records are refused, by reason; none where nothing is said.

    Example:
        [[sources]]
        name = "shop"
        type = "file"
        path = "/var/log/shop.log"
        format.template = '{time} {path} {status:int}'
        time = { column = "time", format = "unix" }

        [[metrics]]
        name = "shop_errors"
        every = "1m"
        values.n = "count(*) filter (where status >= 500)"

        [[tests]]
        name = "an answer of the server that says 5xx is an error"
        input = '''
        1772539201 / 200
        1772539202 /cart 503
        this is no record
        '''
        points.shop_errors = [{ time = "2026-03-03 12:00", n = 1 }]
        rejects = { malformed = 1 }
    """

    name: str
    source: str | None = None
    input: str | None = None
    input_file: Path | None = None
    points: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    rejects: Mapping[str, int] = field(default_factory=dict)
