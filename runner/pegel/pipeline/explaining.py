"""Records, step by step: what the format, each enricher and each metric make of them.

The steps are the product's own: the same `split`, `table`, `enrich`, event time and fold that a runner uses, with
every column kept instead of those that are needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pegel.enrichers import Enricher
from pegel.eventtime import POSITION, TIME
from pegel.formats import REJECT, ROW, End, Frames
from pegel.metrics.compiled import CompiledMetric, compile_metric
from pegel.metrics.partials import Pane, Partials
from pegel.metrics.windows import Windows
from pegel.pipeline.registry import columns_of
from pegel.pipeline.stage import event_time, labelled, refusal
from pegel.plan import Plan, SourcePlan
from pegel.sinks import Histogram, Value
from pegel.table import Batch, Engine, Table

REASONS = {
    "malformed": "it does not fit the format",
    "foreign": "it does not begin as record_start says, and no record before it goes on",
    "orphan_fragment": "it continues a record whose beginning is not there",
    "too_long": "it is longer than max_record",
    "nul_hole": "NUL bytes, as a truncated file has them",
    "bad_time": "no format of the source's time fits, or it has no time",
    "future": "its time is more than five minutes ahead of the clock",
}
"""What the reasons of rejects mean; a format has words of its own for some of them."""


@dataclass(frozen=True)
class Column:
    """A value of a record.

    Attributes:
        type: DuckDB's.
        private: Only counted, never shown without being asked for.
        former: For one that an enricher has changed: the value before; `changed` says so.
    """

    name: str
    type: str
    value: Any
    private: bool = False
    changed: bool = False
    former: Any = None


@dataclass(frozen=True)
class Step:
    """What one part of the pipeline added to a record.

    Attributes:
        name: `format`, `labels` or the enricher's place and type.
        columns: Added and changed ones.
        dropped: The record ends here.
    """

    name: str
    columns: Sequence[Column] = ()
    dropped: bool = False


@dataclass(frozen=True)
class Counting:
    """What one metric makes of a record.

    Attributes:
        metric: Its name.
        counted: Whether the record counts.
        why: Why not, or what of it cannot be used.
        start: Start of its window in us.
        end: Its end.
        over: Length in us of what a rolling window looks back on; None for others.
        labels: Of the series.
        values: What a window shows that holds this record alone; None for a value that does not exist then.
    """

    metric: str
    counted: bool
    why: str = ""
    start: int = 0
    end: int = 0
    over: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Value | Histogram | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Explained:
    """One record.

    Attributes:
        steps: In the order of the pipeline.
        time: Event time in us, where it has come so far.
        reject: Why it is refused, empty if it is not.
        why: The same in a sentence.
        metrics: Those that read the source; none if it was refused or dropped.
    """

    steps: Sequence[Step]
    time: int | None = None
    reject: str = ""
    why: str = ""
    metrics: Sequence[Counting] = ()


@dataclass(frozen=True)
class Refused:
    """Bytes that became no record.

    Attributes:
        offset: Of the first, in the input.
        length: In bytes.
        count: How many stand for one another.
    """

    reason: str
    why: str
    offset: int
    length: int
    count: int = 1


@dataclass(frozen=True)
class Explanation:
    """What became of an input.

    Attributes:
        source: Its source.
        records: The records, at most as many as were asked for.
        more: How many there are beyond those.
        refused: What became no record.
    """

    source: str
    records: Sequence[Explained]
    more: int
    refused: Sequence[Refused]


def explain(plan: Plan, source: SourcePlan, data: bytes, read_at: int, most: int = 20) -> Explanation:
    """Take an input through a source's pipeline.

    Args:
        plan: For the metrics.
        source: Whose records these are.
        data: The input, whole.
        read_at: Wall clock in us.
        most: Records that are explained at most.
    """
    for enricher in source.enrichers:
        enricher.recall(plan.runner.state)
    frames = source.format.split(data, End.FINAL)
    refused = [
        Refused(
            one.reason,
            _why(source, one.reason, data[one.offset : one.offset + one.length]),
            one.offset,
            one.length,
            one.count,
        )
        for one in frames.rejects
    ]
    engine = Engine()
    try:
        with engine.batch() as batch:
            records = _Records(plan, source, batch, frames, read_at).explained(most) if frames.records else []
    finally:
        engine.close()
    return Explanation(source.name, records, frames.records - len(records), refused)


def _why(source: SourcePlan, reason: str, text: bytes) -> str:
    """A reason in a sentence: the format's own where it has one."""
    told = source.format.why(text) if reason == "malformed" or reason not in REASONS else ""
    return told or REASONS.get(reason, reason.replace("_", " "))


class _Records:
    """The records of a block, taken through one step after another."""

    def __init__(self, plan: Plan, source: SourcePlan, batch: Batch, frames: Frames, read_at: int) -> None:
        self._source = source
        self._batch = batch
        self._frames = frames
        self._read_at = read_at
        self._metrics = [
            compile_metric(metric, *columns_of(plan, metric))
            for metric in plan.metrics
            if source.name in metric.sources
        ]

    def explained(self, most: int) -> list[Explained]:
        """Each of the first records."""
        names, tables = [], []
        for name, table in self._tables():
            names.append(name)
            tables.append({row[ROW]: row for row in _rows(table)})
            kinds = table.columns
            last = table
        timed = self._timed(last)
        final = {row[ROW]: row for row in _rows(timed)}
        rows = range(min(most, self._frames.records))
        return [
            self._one(row, names, [table.get(row) for table in tables], kinds, final.get(row), timed) for row in rows
        ]

    def _tables(self) -> Iterator[tuple[str, Table]]:
        """The table behind each step."""
        form = self._source.format
        table = self._batch.keep(form.table(self._batch, self._frames.block, frozenset(form.columns())))
        yield "format", table
        if self._source.labels:
            table = self._batch.keep(labelled(self._source, table))
            yield "labels", table
        for number, enricher in enumerate(self._source.enrichers, 1):
            table = self._batch.keep(enricher.enrich(table))
            yield f"enricher {number} ({_word(enricher)})", table

    def _timed(self, table: Table) -> Table:
        """The last table with the event time and the final word on whether a record is refused."""
        when = event_time(self._source, table.columns, str(self._read_at))
        sql = f"select *, {when} as {TIME}, {ROW} as {POSITION} from ({table.sql})"
        sql = f"select * exclude ({REJECT}), {refusal(str(self._read_at))} as {REJECT} from ({sql})"
        columns = {**table.columns, TIME: "BIGINT", POSITION: "BIGINT", REJECT: "VARCHAR"}
        return self._batch.keep(self._batch.table(sql, columns))

    def _one(
        self,
        row: int,
        names: Sequence[str],
        states: Sequence[Mapping[str, Any] | None],
        kinds: Mapping[str, str],
        final: Mapping[str, Any] | None,
        timed: Table,
    ) -> Explained:
        steps = list(self._steps(names, states, kinds))
        if final is None:
            return Explained(steps)
        reason = final[REJECT] or ""
        if reason:
            why = _why(self._source, reason, self._source.format.text(self._frames.block, row))
            return Explained(steps if states[0] and not states[0][REJECT] else [], final[TIME], reason, why)
        alone = timed.where(f"{ROW} = {row}")
        return Explained(steps, final[TIME], metrics=[_counting(metric, alone) for metric in self._metrics])

    def _steps(
        self, names: Sequence[str], states: Sequence[Mapping[str, Any] | None], kinds: Mapping[str, str]
    ) -> Iterator[Step]:
        before: Mapping[str, Any] = {}
        for name, state in zip(names, states, strict=True):
            if state is None:
                yield Step(name, dropped=True)
                return
            yield Step(name, list(self._news(before, state, kinds)))
            before = state

    def _news(self, before: Mapping[str, Any], after: Mapping[str, Any], kinds: Mapping[str, str]) -> Iterator[Column]:
        for name, value in after.items():
            if name in (ROW, REJECT) or (name in before and before[name] == value):
                continue
            private = name in self._source.private
            yield Column(name, kinds.get(name, ""), value, private, name in before, before.get(name))


def _rows(table: Table) -> list[dict[str, Any]]:
    names = list(table.columns)
    return [dict(zip(names, row, strict=True)) for row in table.rows(*names)]


def _word(enricher: Enricher) -> str:
    return type(enricher).__name__.lower()


# -- metrics ---------------------------------------------------------------------------------------------------


def _counting(compiled: CompiledMetric, record: Table) -> Counting:
    """What a metric makes of a table with one record."""
    metric = compiled.metric
    partials = compiled.fold(record, lambda _: bytes(32))
    if not partials.rows:
        return Counting(metric.name, counted=False, why=_condition(compiled, record))
    windows = Windows(metric.every, metric.over, metric.timezone)
    ((pane, labels, *_),) = partials.rows
    (values,) = compiled.finish([_alone(compiled, partials, windows)])
    return Counting(
        metric.name,
        counted=True,
        why="; ".join(f"a value cannot be used: {reason}" for reason in partials.unusable),
        start=pane,
        end=windows.pane_end(pane),
        over=windows.over,
        labels={**metric.constant_labels, **dict(zip(metric.labels, labels, strict=True))},
        values={name: values.get(name) for name in metric.values},
    )


def _alone(compiled: CompiledMetric, partials: Partials, windows: Windows) -> Pane:
    """The pane of a window that holds one record."""
    ((start, _, records, _, scalars),) = partials.rows
    epoch = windows.epoch(start)
    sizes = {part: len(members) for part, _, of, _, members in partials.sets if of == epoch}
    buckets: list[dict[int, int]] = [{} for _ in compiled.buckets]
    for part, _, _, bucket, count in partials.buckets:
        buckets[part][bucket] = count
    distinct = tuple(sizes.get(part, 0) for part in range(len(compiled.sets)))
    return Pane(records, scalars, distinct, tuple(buckets), compiled.empty().arrivals)


def _condition(compiled: CompiledMetric, record: Table) -> str:
    """Why the condition does not hold."""
    where, columns = compiled.metric.where, compiled.program.columns if compiled.program else {}
    lacking = {name: kind for name, kind in columns.items() if name not in record.columns}
    whole = (
        record.with_columns({name: f"null::{kind}" for name, kind in lacking.items()}, lacking) if lacking else record
    )
    ((held,),) = whole.batch.query(f"select try({where}) from ({whole.sql})")
    return f"{where} is {'false' if held is False else 'NULL, which is not true'}"
