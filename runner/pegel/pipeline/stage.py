"""One source's work on a block of records: parse, enrich, find the time, fold into every metric.

Pure apart from the keys of distinct members: it runs on any worker, in any order, and what it returns is
merged later by the turn.
"""

from __future__ import annotations

import copy
import pickle
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from pegel import eventtime
from pegel.enrichers import Enricher
from pegel.eventtime import POSITION, TIME
from pegel.formats import REJECT, ROW, Frames
from pegel.metrics.compiled import CompiledMetric
from pegel.metrics.partials import Partials
from pegel.plan import SourcePlan
from pegel.sources import Made, Piece, Position
from pegel.table import Batch, Columns, Table, literal, quote, union

FUTURE = 300 * 1_000_000
"""Microseconds that a record may be ahead of the wall clock before it is refused."""

_CHUNK = "_chunk"
"""Column with the number of a record's chunk among those that are folded together."""

_READ = "_read"
"""Column with the wall clock in us when a record was read."""

_TOGETHER = 16
"""Chunks whose records are computed by one statement, at most."""

_ORDER_SHIFT = 34
"""Position of a record: number of its stream, shifted, plus its offset. It decides ties between equal times, for up
to 500 million streams (objects in a bucket are streams) of up to 16 GiB; a bigger one overlaps with the next."""


@dataclass
class Chunk:
    """A framed piece on its way to the state.

    Attributes:
        block: The records; None if the piece only moved the cursor, or once they were parsed.
        position: Order of arrival of the first record.
        positions: What the source committed itself to once these records are counted.
        read_at: Wall clock in us when the bytes were read.
        consumed: Bytes used up.
        bound: Event time in us that the watermark does not pass with these records.
        written: Wall clock in us when the bytes were written, where the source knows it.
        stream: Of the first record.
        offset: Of the first record, in that stream.
        made: What another machine has found in the records, in the place of a block.
        partials: What it made of them and of the chunks before that are joined to this one, packed.
        joined: It is folded and committed together with the chunk that follows.
    """

    source: str
    partition: str
    block: Any
    records: int
    position: int
    positions: Sequence[Position]
    read_at: int
    consumed: int
    rejects: Mapping[str, int]
    bound: int | None = None
    written: int | None = None
    stream: str = ""
    offset: int = 0
    made: Made | None = None
    partials: bytes = b""
    joined: bool = False


@dataclass
class Counted:
    """A chunk, and what its records were.

    Attributes:
        records: Records that were counted.
        rejects: Records that were not, by reason.
        oldest: Earliest event time in us.
        newest: Latest event time in us.
    """

    chunk: Chunk
    records: int = 0
    rejects: Counter[str] = field(default_factory=Counter)
    oldest: int | None = None
    newest: int | None = None


@dataclass
class Folded:
    """Chunks of one source, one after another, and what they add up to: partials per metric id."""

    source: str
    chunks: Sequence[Counted]
    partials: dict[int, Partials] = field(default_factory=dict)

    @property
    def consumed(self) -> int:
        """Bytes used up."""
        return sum(one.chunk.consumed for one in self.chunks)


def chunk(source: str, piece: Piece, frames: Frames, positions: Sequence[Position], read_at: int) -> Chunk:
    """Bind a piece to its frames and to the positions behind them."""
    rejects: Counter[str] = Counter()
    for reject in frames.rejects:
        rejects[reject.reason] += reject.count
    return Chunk(
        source=source,
        partition=piece.partition,
        block=frames.block,
        records=frames.records,
        position=(piece.order << _ORDER_SHIFT) + piece.offset,
        positions=positions,
        read_at=read_at,
        consumed=frames.consumed,
        rejects=rejects,
        bound=piece.bound,
        written=piece.written,
        stream=piece.stream,
        offset=piece.offset,
        made=piece.made,
        partials=piece.partials,
        joined=piece.joined,
    )


def _counted(chunk: Chunk) -> Counted:
    made = chunk.made
    assert made is not None
    return Counted(chunk, made.records, Counter(made.rejects), made.oldest, made.newest)


def pack(partials: Mapping[str, Partials]) -> bytes:
    """Partials by the names of their metrics, as bytes for the machine that asked for them."""
    return pickle.dumps(partials, protocol=5)


def unpack(packed: bytes) -> Mapping[str, Partials]:
    """What `pack` made bytes of."""
    partials: Mapping[str, Partials] = pickle.loads(packed)  # noqa: S301 - a worker may run anything here anyway
    return partials


def labelled(plan: SourcePlan, table: Table) -> Table:
    """The table with the labels of its source as columns."""
    labels = {name: literal(value) for name, value in plan.labels.items()}
    return table.with_columns(labels, dict.fromkeys(labels, "VARCHAR")) if labels else table


def event_time(plan: SourcePlan, columns: Columns, read_at: str) -> str:
    """SQL for the event time of a record in us: its own, or when it was read (SQL, too) where the source has none."""
    time = plan.time
    return eventtime.expression(time.column, columns[time.column], time.format) if time else read_at


def refusal(read_at: str) -> str:
    """SQL for the reason why a record is not counted, NULL if it is; `_t` is its time."""
    return (
        f"coalesce({REJECT}, case when {TIME} is null then 'bad_time'"
        f" when {TIME} > {read_at} + {FUTURE} then 'future' end)"
    )


class Keys(Protocol):
    """Where the keys of distinct members are (`pegel.state.keys.KeyRing` fits)."""

    def get(self, metric: int, epoch: int) -> bytes:
        """The key of an epoch of a metric."""


class SourceStage:
    """What happens to the records of one source; built once per plan."""

    def __init__(self, plan: SourcePlan, metrics: Mapping[int, CompiledMetric], keys: Keys) -> None:
        self.plan = plan
        self._metrics = metrics
        self._keys = keys
        self._wanted = frozenset().union(*(metric.needed for metric in metrics.values())) & plan.columns.keys()
        self._enrichers, self._needed = self._what_is_needed()
        changed = frozenset().union(*(enricher.adds(plan.columns) for enricher, _ in self._enrichers))
        self._constant = frozenset(plan.labels) - changed
        self._kept = (self._wanted - self._constant) | {TIME, POSITION, _CHUNK}

    def _what_is_needed(self) -> tuple[Sequence[tuple[Enricher, frozenset[str]]], frozenset[str]]:
        """The enrichers of which something is wanted, and what the format has to give for all of it.

        With each enricher comes what is needed from there on: one that holds its records holds no more than that.
        """
        wanted = set(self._wanted)
        if self.plan.time is not None:
            wanted.add(self.plan.time.column)
        columns = {**self.plan.format.columns(), **dict.fromkeys(self.plan.labels, "VARCHAR")}
        steps = []
        for enricher in self.plan.enrichers:
            added = enricher.adds(columns)
            steps.append((enricher, enricher.needs(columns), added))
            columns = {**columns, **added}
        enrichers: list[tuple[Enricher, frozenset[str]]] = []
        for enricher, needs, added in reversed(steps):
            if not added or wanted & added.keys():
                wanted |= needs
                enrichers.insert(0, (enricher, frozenset(wanted)))
        return enrichers, frozenset(wanted & self.plan.format.columns().keys())

    @property
    def metrics(self) -> Mapping[int, CompiledMetric]:
        """What records are folded into, by the numbers of the definitions."""
        return self._metrics

    def with_keys(self, keys: Keys) -> SourceStage:
        """The same with other keys of distinct members."""
        other = copy.copy(self)
        other._keys = keys  # noqa: SLF001 - another of its own class
        return other

    def keep_only(self, wanted: Callable[[int], bool]) -> None:
        """Fold no longer into definitions that are over."""
        if not all(map(wanted, self._metrics)):
            self._metrics = {number: metric for number, metric in self._metrics.items() if wanted(number)}

    def fold(self, batch: Batch, chunks: Sequence[Chunk]) -> Folded:
        """Count the records of chunks. Raises nothing for any content.

        They are computed and folded together: planning what the enrichers say costs ten milliseconds and a grouped
        statement one or two, however little there is.
        """
        if chunks[0].made is not None:
            return self._take_over(chunks)
        folded = Folded(self.plan.name, [Counted(chunk, rejects=Counter(chunk.rejects)) for chunk in chunks])
        full = [(number, chunk) for number, chunk in enumerate(chunks) if chunk.block is not None and chunk.records]
        if not full:
            return folded
        facts = {
            "read_at": [chunk.read_at for chunk in chunks],
            "positions": [chunk.position for chunk in chunks],
        }
        kept = self._with_constants(batch.keep_all(self._parse(batch, full), facts))
        self._tally(batch, kept, folded)
        if any(one.records for one in folded.chunks):
            spoiled = any(len(one.rejects) > len(one.chunk.rejects) for one in folded.chunks)
            good = kept.where(f"{REJECT} is null") if spoiled else kept
            for number, metric in self._metrics.items():
                folded.partials[number] = metric.fold(good, partial(self._keys.get, number))
        return folded

    def _take_over(self, chunks: Sequence[Chunk]) -> Folded:
        """What other machines have made of chunks."""
        folded = Folded(self.plan.name, [_counted(chunk) for chunk in chunks])
        shares = [unpack(chunk.partials) for chunk in chunks if chunk.partials]
        for number, metric in self._metrics.items():
            parts = [share[metric.metric.name] for share in shares if metric.metric.name in share]
            if parts:
                folded.partials[number] = metric.merge(*parts)
        return folded

    def _with_constants(self, kept: Table) -> Table:
        """Labels of the source that no enricher changes are not stored a million times."""
        labels = {name: literal(value) for name, value in self.plan.labels.items() if name in self._constant}
        return kept.with_columns(labels, dict.fromkeys(labels, "VARCHAR")) if labels else kept

    def _parse(self, batch: Batch, chunks: Sequence[tuple[int, Chunk]]) -> Iterator[Table]:
        """The records of chunks, many at a time; their bytes are let go when the next are asked for."""
        for first in range(0, len(chunks), _TOGETHER):
            some = chunks[first : first + _TOGETHER]
            yield self._records(union([self._parsed(batch, number, chunk) for number, chunk in some]))
            for _, chunk in some:
                chunk.block = None

    def _parsed(self, batch: Batch, number: int, chunk: Chunk) -> Table:
        table = self.plan.format.table(batch, chunk.block, self._needed)
        return table.with_columns({_CHUNK: str(number)}, {_CHUNK: "INTEGER"})

    def _records(self, table: Table) -> Table:
        """All that is computed of parsed records: enrichers, event time, and whether they can be used.

        What differs from one group of chunks to the next is in parameters, so that the text is always the same.
        """
        table = labelled(self.plan, table)
        for enricher, from_here in self._enrichers:
            table = enricher.enrich(table.only(from_here))
        own = {_READ: f"$read_at[{_CHUNK} + 1]", POSITION: f"$positions[{_CHUNK} + 1] + {ROW}"}
        table = table.with_columns(own, dict.fromkeys(own, "BIGINT"))
        table = table.with_columns({TIME: event_time(self.plan, table.columns, _READ)}, {TIME: "BIGINT"})
        kept = {name: kind for name, kind in table.columns.items() if name in self._kept}
        picked = [*map(quote, kept), f"{refusal(_READ)} as {REJECT}"]
        return table.batch.table(f"select {', '.join(picked)} from ({table.sql})", {**kept, REJECT: "VARCHAR"})

    def _tally(self, batch: Batch, kept: Table, folded: Folded) -> None:
        rows = batch.query(
            f"select {_CHUNK}, {REJECT}, count(*), min({TIME}), max({TIME}) from ({kept.sql}) group by all"
        )
        for number, reason, count, oldest, newest in rows:
            one = folded.chunks[number]
            if reason is None:
                one.records, one.oldest, one.newest = count, oldest, newest
            else:
                one.rejects[reason] += count
