"""Broken variants of the product: its own classes with one mistake each, or its plan, or its SQL on the way.

Each is a mistake that a real program has made; the number is the one in `reliability.md` 10.4, letters are
ours. `test_mutants.py` shows that a pinned seed catches every one of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pegel.metrics.partials import Partials
from pegel.pipeline.delivery import Delivery, Outcome
from pegel.pipeline.live import LiveMetric, Merged
from pegel.pipeline.stage import Folded
from pegel.pipeline.turn import Turn
from pegel.seams import OpenFile
from pegel.sinks import Point
from pegel.sources import Source
from pegel.sources.content import Content, Plain, Steps
from pegel.sources.course import Course
from pegel.sources.file import File
from pegel.sources.finding import Finding, _Found
from pegel.sources.identity import EDGE, Checkpoint, Stream
from pegel.sources.log import Log
from pegel.sources.recognise import Fit, Inspector, Verdict
from pegel.sources.rotation import Entry
from simulation import model_mutants
from simulation.crashes import CrashConnection, Rewrite
from simulation.model import Tail
from simulation.product import Product, product, with_reference_file
from simulation.reference_file import ReferenceFile
from simulation.sinks import decode, encode
from simulation.stage import LOG, Stage


@dataclass(frozen=True)
class Mutant:
    """A broken product.

    Attributes:
        number: Of `reliability.md` 10.4, or a letter of our own.
        mistake: What is wrong with it, as a sentence.
        build: Makes it.
        sound: Makes the same without the mistake.
        rewrite: What it does to its SQL.
    """

    number: str
    name: str
    mistake: str
    build: Callable[[Stage], Product]
    rewrite: Rewrite | None = None
    sound: Callable[[Stage], Product] = with_reference_file


class _Changed(Product):
    """A product whose parts are exchanged for broken ones once they are open."""

    turn: type[Turn] | None = None
    delivery: type[Delivery] | None = None
    metric: type[LiveMetric] | None = None

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage, self.source())

    def source(self) -> Source:
        return ReferenceFile()

    def exchange(self) -> None:
        turn: Any = self.runner.turn
        turn.mutant = self
        if self.turn is not None:
            turn.__class__ = self.turn
        for delivery in self.runner.deliveries:
            if self.delivery is not None:
                delivery.__class__ = self.delivery
        for metric in turn.metrics:
            if self.metric is not None and metric.metric.over is None:
                metric.__class__ = self.metric


class _CursorFirstTurn(Turn):
    def run(self, folds: Sequence[Folded], *args: Any, **options: Any) -> None:
        with self._state.transaction():
            for folded in folds:
                for chunk in folded.chunks:
                    self._state.positions.move(folded.source, chunk.chunk.positions)
        super().run(folds, *args, **options)


class CursorFirst(_Changed):
    """The cursor is committed before the numbers."""

    turn = _CursorFirstTurn


def _commit_numbers(connection: CrashConnection, sql: str) -> str:
    if "into streams" in sql:
        connection.commit()
        connection.execute("begin immediate")
    return sql


class _DeletingDelivery(Delivery):
    def send_one(self) -> Outcome | None:
        if self.handed:
            self._state.outbox.acknowledge(self.handed[0].id)
        return super().send_one()


class DeletedBeforeSent(_Changed):
    """The outbox row is gone before the sink has acknowledged it."""

    delivery = _DeletingDelivery


class _OnlyThisRunMetric(LiveMetric):
    def merge(self, partials: Partials) -> Merged:
        for pane in {row[0] for row in partials.rows}:
            self.state.connection.execute(f"delete from panes_{self.id} where pane = ?", (pane,))
        return super().merge(partials)


class OnlyThisRun(_Changed):
    """Each turn writes only the part of the window that it has just read."""

    metric = _OnlyThisRunMetric


class _RecomputingDelivery(Delivery):
    """Sends what the state says now in the place of what was frozen."""

    def send_one(self) -> Outcome | None:
        if self.handed:
            request = self.handed[0]
            self.handed[0] = replace(request, payload=self._now(request.payload))
        return super().send_one()

    def _now(self, payload: bytes) -> bytes:
        points = []
        for sent in decode(payload):
            values = dict(sent.values)
            if sent.series[0] == "requests":
                values["n"] = self._count(sent.start_us, dict(sent.series[1])["key"]) or values["n"]
            points.append(
                Point(sent.series[0], sent.series[1], sent.start_us, sent.end_us, values, revision=sent.revision)
            )
        return encode(points)

    def _count(self, pane: int, key: str) -> int | None:
        connection = self._state.connection
        row = connection.execute("select id from metrics where name = 'requests' and until is null").fetchone()
        found = connection.execute(
            f"select p.records from panes_{row[0]} p join series s on s.id = p.series"
            " where p.pane = ? and s.metric = ? and s.labels like ?",
            (pane, row[0], f'%"{key}"%'),
        ).fetchone()
        return found and int(found[0])


class NotFrozen(_Changed):
    """The value is computed again when it is sent."""

    delivery = _RecomputingDelivery


class _UnfencedDelivery(Delivery):
    def settle(self, outcomes: Sequence[Outcome]) -> None:
        self._inherited = []
        super().settle([replace(one, unsure=False) for one in outcomes])


class NoFences(_Changed):
    """A request that timed out is taken for one that never arrives."""

    delivery = _UnfencedDelivery


class _EagerTurn(Turn):
    mutant: Product

    def _care(self, news: Any) -> None:
        for view in self.mutant.runner.views:
            view.refresh(self.metrics, list, now=True)
            view.show()
        super()._care(news)


class ShownBeforeCommit(_Changed):
    """`/metrics` shows what is not committed yet, so a crash takes it back."""

    turn = _EagerTurn


class NoDisorder(_Changed):
    """A window closes as soon as a record of the next one is read."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(replace(stage, timing=replace(stage.timing, disorder=0.0)))


class NoLateness(_Changed):
    """Records of a closed window are dropped."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(replace(stage, timing=replace(stage.timing, lateness=0.0)))


class _HastyTurn(Turn):
    def _close(self, news: Any, now: int, **options: Any) -> Any:
        return super()._close({name: replace(one, caught_up=True) for name, one in news.items()}, now, **options)

    def _metric_watermark(self, metric: LiveMetric, news: Any, now: int) -> tuple[int | None, bool]:
        hasty = {name: replace(one, caught_up=True) for name, one in news.items()}
        return super()._metric_watermark(metric, hasty, now)


class IdleWhileBehind(_Changed):
    """A source counts as silent though it has not read all there is, as after a long stop."""

    turn = _HastyTurn


class _ForgettingMetric(LiveMetric):
    def _corrections(self, before: int) -> list[Point]:
        self.corrected.clear()
        return super()._corrections(before)


class LateIsNotSent(_Changed):
    """A late record is counted, but its window is not sent again."""

    metric = _ForgettingMetric


class _SameRevisionMetric(LiveMetric):
    def points_of(self, series: int, pane: int, values: Any, revision: int) -> Iterator[Point]:
        return super().points_of(series, pane, values, min(revision, 1))


class SameRevision(_Changed):
    """A correction has the revision of the first close, so nobody can tell which one counts."""

    metric = _SameRevisionMetric


class _FileChanged(_Changed):
    """The whole product with broken parts in its file source."""

    log: type[Log] | None = None
    inspector: type[Inspector] | None = None
    course: type[Course] | None = None
    finding: type[Finding] | None = None

    def source(self) -> Source:
        mutant = self

        class Broken(File):
            def _add(self, path: str) -> None:
                super()._add(path)
                mutant.break_log(self._logs[path])

        return Broken(path=LOG)

    def break_log(self, log: Any) -> None:
        """Exchange the parts of a log before it reads anything."""
        exchanged = ((log, self.log), (log._inspector, self.inspector), (log.course, self.course))
        for part, broken in (*exchanged, (log._finding, self.finding)):
            if broken is not None:
                part.__class__ = broken


class _NewArchiveInspector(Inspector):
    def classify(self, entry: Entry, finished: Sequence[Stream], *rest: Any) -> Steps[Verdict]:
        if entry.packed:
            return Verdict()
        return (yield from super().classify(entry, finished, *rest))


class ArchiveIsNew(_FileChanged):
    """A compressed archive is always a new file."""

    inspector = _NewArchiveInspector


class _SkippingFinding(Finding):
    def _archives(self, stream: Stream, read: Checkpoint) -> Steps[_Found]:
        found = yield from super()._archives(stream, read)
        if found.whole is not None and found.whole.packed:
            return _Found(part=found.whole, waiting=found.waiting)
        return found


class ArchiveIsSkipped(_FileChanged):
    """A compressed archive of a file that was read in part counts as read."""

    finding = _SkippingFinding


class _InodeInspector(Inspector):
    def fit(self, entry: Entry, stream: Stream, read: Checkpoint, before: Checkpoint) -> Steps[Fit]:
        if not entry.packed:
            return Fit.WHOLE if stream.is_file(entry.stat) and entry.stat.size >= read.offset else Fit.NONE
        return (yield from super().fit(entry, stream, read, before))

    @staticmethod
    def _plain_at(file: OpenFile, stream: Stream, place: int) -> tuple[Content, bytes, bytes]:  # noqa: ARG004
        edge = min(EDGE, place)
        return Plain(file, place), file.pread(edge, 0), file.pread(edge, place - edge)


class InodeOnly(_FileChanged):
    """Who a file is, is said by its inode alone."""

    inspector = _InodeInspector


class _CarelessLog(Log):
    def _finish_front(self) -> None:
        assert self.course.front is not None
        self.course.chain.drop(self.course.front)
        super()._finish_front()


class NoCarry(_FileChanged):
    """Half a record at the end of a rotated file is given up."""

    log = _CarelessLog


class _ImpatientCourse(Course):
    def keeps_waiting(self, entry: Entry, error: Exception) -> bool:  # noqa: ARG002
        return False

    def is_in_the_making(self) -> bool:
        return False


class NoBarrier(_FileChanged):
    """An archive that is not complete yet does not hold back what comes after it."""

    course = _ImpatientCourse


class _PrefixInspector(Inspector):
    def classify(self, entry: Entry, finished: Sequence[Stream], *_: Any) -> Steps[Verdict]:
        ends = [(stream, stream.end) for stream in finished if stream.end is not None and stream.end.offset]
        found = yield from self.whole(entry, [end.offset for _, end in ends])
        for stream, end in ends:
            if found.fits(end):
                return Verdict(stream, exact=True)
        return Verdict(empty=found.length == 0)


class FinishedMatchesAnyLength(_FileChanged):
    """A file that only begins like a finished one counts as that one."""

    inspector = _PrefixInspector


class _HastyLog(Log):
    def _must_move(self) -> bool:
        reader = self.course.reader
        return reader is not None and reader.at_end and not self.course.is_live(reader)


class NoWaitForTheWriter(_FileChanged):
    """A renamed file is finished at once, though its writer has not yet let go of it."""

    log = _HastyLog


def _sql(pattern: str, instead: str) -> Rewrite:
    """A rewrite of statements that match."""
    expression = re.compile(pattern)

    def rewrite(_: CrashConnection, sql: str) -> str:
        return expression.sub(instead, sql, count=1)

    return rewrite


def _tail(tail: type[Tail]) -> type[_Changed]:
    """The product over a broken reading of the rotated log."""

    class Source(ReferenceFile):
        def open(self, world: Any, positions: Sequence[Any]) -> None:
            super().open(world, positions)
            self._tail = tail(world.files)

    class Changed(_Changed):
        def source(self) -> Source:
            return Source()

    return Changed


def _of(number: str, build: type[_Changed], rewrite: Rewrite | None = None) -> Mutant:
    sound = product if issubclass(build, _FileChanged) else with_reference_file
    return Mutant(number, build.__name__, build.__doc__ or "", build, rewrite, sound)


MUTANTS: tuple[Mutant, ...] = (
    _of("1", CursorFirst),
    Mutant("2", "NumbersFirst", "The numbers are committed before the cursor.", _Changed, _commit_numbers),
    _of("3", DeletedBeforeSent),
    Mutant(
        "7",
        "HalfWrittenArchive",
        "An archive is read while it is written.",
        _tail(model_mutants.HalfWrittenArchive.tail),
    ),
    _of("4", ArchiveIsNew),
    _of("5", ArchiveIsSkipped),
    _of("6, 9", InodeOnly),
    _of("8", OnlyThisRun),
    _of("10", NoCarry),
    _of("12", NoBarrier),
    _of("13", FinishedMatchesAnyLength),
    Mutant(
        "11",
        "TinyPrefixIsCopy",
        "A fragment of a few bytes is taken for a copy of the file that begins like it.",
        _tail(model_mutants.TinyPrefixIsCopy.tail),
    ),
    _of("14", NotFrozen),
    _of("A", ShownBeforeCommit),
    _of("B", NoDisorder),
    _of("C", NoLateness),
    _of("D", IdleWhileBehind),
    _of("E", LateIsNotSent),
    _of("F", SameRevision),
    _of("J", NoWaitForTheWriter),
    _of("K", NoFences),
    Mutant(
        "G",
        "KeysAreNotKept",
        "The keys of distinct members are new after every start, so each user counts again.",
        _Changed,
        _sql(
            r"insert or ignore into keys values \(\?, \?, \?\)",
            "delete from keys where metric = ? and epoch = ? and key <> ? and 0",
        ),
    ),
    Mutant(
        "H",
        "TotalsAreNotKept",
        "A counter's total is replaced by the newest increment.",
        _Changed,
        _sql(r"records = t\.records \+ excluded\.records", "records = excluded.records"),
    ),
    Mutant(
        "I",
        "WatermarkIsNotKept",
        "The watermark of a metric is lost at a stop, so closed windows open and close again.",
        _Changed,
        _sql(r"update metrics set watermark = \?", "update metrics set swept = ?"),
    ),
)

SEEDS = (3, 7, 9, 0, 11, 20, 37, 40, 46, 113)
"""Pinned: the first of them catch most mistakes, one of them each. A crash is placed by counting points, so after
a change of the product another seed may be needed."""
