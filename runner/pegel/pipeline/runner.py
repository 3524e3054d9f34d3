"""The runner: a plan at work, step by step in one thread or for ever in many."""

from __future__ import annotations

import logging
import os
import queue
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from pegel.enrichers import Enricher
from pegel.errors import StateError
from pegel.metrics.compiled import CompiledMetric, compile_metric
from pegel.metrics.definition import Metric
from pegel.metrics.errors import MetricErrors
from pegel.pipeline import registry, restoring
from pegel.pipeline.changes import columns_then, decide
from pegel.pipeline.delivery import Delivery, Outcome, Own
from pegel.pipeline.live import LiveMetric, Standing
from pegel.pipeline.own import OwnMetrics
from pegel.pipeline.partitions import SourceNews
from pegel.pipeline.reader import Reader
from pegel.pipeline.rolling import RollingMetric
from pegel.pipeline.sampling import SampledDelivery, shards
from pegel.pipeline.stage import Chunk, Folded, Keys, SourceStage
from pegel.pipeline.telling import log_changes
from pegel.pipeline.turn import Turn
from pegel.pipeline.view import View
from pegel.plan import Plan, SinkPlan, SourcePlan, wants_own
from pegel.seams import Clock, Files, SystemClock, SystemFiles
from pegel.sinks import Point
from pegel.sources import Afar
from pegel.state import Connect, State, connect
from pegel.state.report import report
from pegel.table import Engine

log = logging.getLogger("pegel.runner")


class Hands(Protocol):
    """Other machines that read for this one (`pegel.scale.crew.Crew` fits)."""

    def engage(self, stage: SourceStage, keys: Keys, settled: Callable[[], bool]) -> Afar:
        """Who reads the parcels of a source.

        Args:
            stage: What happens to its records.
            keys: Those of distinct members.
            settled: Whether others can know all that it is folded into.
        """

    def close(self) -> None:
        """Nothing is wanted any more."""


_LOST_AFTER = 72 * 3600 * 10**6
"""Microseconds for which points wait for a sink that is gone from the configuration."""


class Runner:
    """Runs a plan on a state.

    Every effect is in the state's commits: dropping this object at any moment and making a new one on the same
    state goes on exactly where the last commit was.

    Attributes:
        refused: Why the configuration, which has changed, is not what runs here; empty where it is. Set by whoever
            watches it.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        clock: Clock | None = None,
        files: Files | None = None,
        connect: Connect = connect,
        accept_state_loss: bool = False,
        beside: Path | None = None,
        tending: bool = True,
        hands: Hands | None = None,
    ) -> None:
        """Prepare to run; nothing is opened before `open`.

        Args:
            plan: What to run.
            clock: Time.
            files: The file system that sources read.
            connect: How the state database is opened.
            accept_state_loss: Begin anew where the state is damaged and has no snapshot.
            beside: State directory of the runner whose sinks these are, where it is not this one: what components
                keep is there, and metrics about the runner itself are that one's.
            tending: Let slow enrichers ask others; without it nobody is asked, and what they do not know is unknown.
            hands: Other machines that read for this one.
        """
        self.plan = plan
        self._home = beside or plan.runner.state
        self._alone = beside is None
        self._tending = tending
        self._hands = hands
        self.clock: Clock = clock or SystemClock()
        self._files: Files = files or SystemFiles()
        self._connect = connect
        self._accept_state_loss = accept_state_loss
        self.outcomes: queue.SimpleQueue[tuple[str, Outcome]] = queue.SimpleQueue()
        self.refused = ""
        self._backlog: list[Folded] = []
        self._undone = False
        self._seen: dict[tuple[str, str], int] = {}
        self._unsettled: dict[str, list[Outcome]] = defaultdict(list)

    @property
    def _enrichers(self) -> Sequence[Enricher]:
        """Every enricher once: one may serve several sources."""
        return list({id(one): one for source in self.plan.sources for one in source.enrichers}.values())

    @property
    def slow_enrichers(self) -> Sequence[Enricher]:
        """Those that want to be tended."""
        return [one for one in self._enrichers if one.slow and self._tending]

    # -- lifecycle ------------------------------------------------------------------------------------

    def open(self) -> None:
        """Take the state, start the sources at their positions and the sinks at their backlog.

        Raises:
            StateError: The state cannot be used, or a rename is not declared.
        """
        settings = self.plan.runner
        for sink in self.plan.sinks:
            sink.sink.settle_in(self._home)
        self.engine = Engine(str(settings.state / "spill"), settings.memory)
        self.state = State(settings.state, self._connect, accept_loss=self._accept_state_loss)
        self.readers: list[Reader] = []
        self.deliveries: list[Delivery] = []
        try:
            with self.state.reading():
                self._start()
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        """Make everything that works on the state."""
        settings = self.plan.runner
        for enricher in self._enrichers:
            enricher.settle_in(self._home)
        self._take_over()
        self._compiled = self._compile(registry.counting(self.state, self.plan.metrics))
        self.deliveries = [one for sink in self.plan.sinks if not sink.sink.view for one in self._deliveries(sink)]
        self.views = [View(sink, self.clock) for sink in self.plan.sinks if sink.sink.view]
        self.turn = self._new_turn()
        self._begin_sampling()
        for delivery in self.deliveries:
            delivery.hand_over()
        self._stages = self._new_stages()
        for source in self.plan.sources:
            pace = settings.commit_interval / 2
            afar = self._afar(self._stages[source.name])
            self.readers.append(Reader(source, self.state, self.clock, self._files, pace, afar))
        self._own = OwnMetrics(self.state, settings, round(self.clock.wall() * 1e6), lambda: self.refused)
        with self.state.transaction():
            self.turn.releases.begin()
        self._tell_readers()
        self._tell_of_lost_sinks()
        self.turn.flush_removed({metric.name for metric in self.plan.metrics})
        self._refresh_views(now=True)

    def _deliveries(self, plan: SinkPlan) -> Sequence[Delivery]:
        """The roads to a sink: one, or one for each of its shards."""
        if self._alone:
            plan.sink.introduce(self.state.identity)
        else:
            plan.sink.introduce(report(self._home)["identity"], self.state.directory.name)
        if plan.sink.sampling is None:
            return [Delivery(plan, self.state, self.clock)]
        with self.state.transaction():
            parts = shards(plan, self.state)
        return [SampledDelivery(plan, self.state, self.clock, part) for part in parts]

    def _begin_sampling(self) -> None:
        """A sink of samples that is new, or a metric that is new to one, begins with the totals of today."""
        with self.state.transaction():
            for delivery in self.deliveries:
                if isinstance(delivery, SampledDelivery):
                    self.turn.begin_sampling(delivery)

    def _tell_of_lost_sinks(self) -> None:
        """Points for a sink that is no longer configured wait for it as long as for one that is down."""
        now = round(self.clock.wall() * 1e6)
        known = {sink.name for sink in self.plan.sinks} | {delivery.name for delivery in self.deliveries}
        for name in sorted(self.state.outbox.sinks() - known):
            backlog = self.state.outbox.backlog(name)
            if not backlog.points:  # only the memory of what may arrive late; there is nothing to send again
                with self.state.transaction():
                    self.state.outbox.forget_sink(name)
            elif backlog.oldest is not None and now - backlog.oldest > _LOST_AFTER:
                with self.state.transaction():
                    self.state.count("outbox_dropped_total", self.state.outbox.forget_sink(name), sink=name)
                log.error("%d points for %s were dropped: it has not been configured for days", backlog.points, name)
            else:
                log.warning("%d points wait for %s, which is not configured any more", backlog.points, name)

    def _take_over(self) -> None:
        """Make what the plan changes true in the state, and say it where another plan was run before."""
        with self.state.transaction() as connection:
            if self._alone:
                restoring.begin(self.state, self.plan.sources, round(self.clock.wall() * 1e6))
            before = registry.remembered(connection)
            changes = decide(before, self.plan)
            registry.carry_out(self.state, changes, self.plan)
        if before.summary is not None:
            log_changes(changes)

    def _compile(self, registered: Sequence[tuple[Standing, Metric]]) -> list[tuple[Standing, CompiledMetric]]:
        compiled = []
        for standing, metric in registered:
            columns, private = registry.columns_of(self.plan, metric)
            if standing.until is not None:
                columns, private = columns_then(standing.definition) or columns, frozenset()
            try:
                compiled.append((standing, compile_metric(metric, columns, private)))
            except MetricErrors as error:
                if standing.until is None:
                    raise
                log.error("the open windows of the former %s cannot be finished: %s", metric.name, error)
        return compiled

    def _new_turn(self) -> Turn:
        """Everything that is remembered between turns, made from the state."""
        with self.state.transaction():
            standings = {one.id: one for one in registry.standings(self.state.connection)}
            metrics: list[LiveMetric] = []
            for standing, compiled in self._compiled:
                kind = RollingMetric if compiled.metric.over else LiveMetric
                metrics.append(kind(self.state, compiled, standings[standing.id]))
            registry.link_totals(self.state, metrics)
        members = self.plan.runner.members
        return Turn(self.state, self.clock, self.plan.sources, metrics, self.deliveries, members)

    def _new_stages(self) -> dict[str, SourceStage]:
        stages = {}
        for source in self.plan.sources:
            mine = {one.id: metric for one, metric in self._compiled if _reads(metric, one, source)}
            stages[source.name] = SourceStage(source, mine, self.state.keys)
        return stages

    def _afar(self, stage: SourceStage) -> Afar | None:
        """Who reads for a source on other machines; one that asks others about what it reads does so here."""
        if self._hands is None or not stage.plan.source.shared or any(one.slow for one in stage.plan.enrichers):
            return None
        return self._hands.engage(stage, self.state.keys, lambda: self._is_settled(stage))

    def _is_settled(self, stage: SourceStage) -> bool:
        """Whether all that a source is folded into is in the plan, and not a definition that is finished here."""
        return all(one.until is None for one, _ in self._compiled if one.id in stage.metrics)

    def close(self) -> None:
        """Give everything back; what is not committed is read again next time."""
        for reader in self.readers:
            reader.close()
        for delivery in self.deliveries:
            if isinstance(delivery, SampledDelivery):
                delivery.sink.close()  # a shard has a copy of its own
        for sink in self.plan.sinks:
            sink.sink.close()
        self.engine.close()
        self.state.close()

    # -- one thread -------------------------------------------------------------------------------------

    def step(self, *, close_all: bool = False) -> bool:
        """Read one piece of every source, commit, send one request to every sink; false if nothing was done."""
        read = [] if self.turn.blocked else [one.read_together() for one in self.readers if one.ready()]
        for chunks in filter(None, read):
            self.take(self.fold(chunks))
        for enricher in self.slow_enrichers:
            enricher.tend(0.0)
        committed = close_all or self.commit_due()
        if committed:
            self.commit(close_all=close_all)
        else:
            self.catch_up_views()
        sent = False
        for delivery in self.deliveries:
            outcome = delivery.send_one()
            if outcome is not None:
                self.outcomes.put((delivery.name, outcome))
                sent = True
        self.collect_outcomes()
        return committed or sent

    def fold(self, chunks: Sequence[Chunk]) -> Folded:
        """Count the records of chunks of one source; runs on any thread."""
        with self.engine.batch() as batch:
            return self._stages[chunks[0].source].fold(batch, chunks)

    def take(self, folded: Folded) -> None:
        """Let a fold wait for the next commit."""
        self._backlog.append(folded)

    @property
    def holding(self) -> bool:
        """Whether folds wait for a commit."""
        return bool(self._backlog)

    def collect_outcomes(self) -> None:
        """Take over what the senders report."""
        while not self.outcomes.empty():
            name, outcome = self.outcomes.get()
            self._unsettled[name].append(outcome)

    def commit_due(self) -> bool:
        """Whether there is anything to commit."""
        return bool(self._undone or self._backlog or self._unsettled or self.turn.due(self._news()))

    def own_due(self) -> bool:
        """Whether a minute has passed of which nothing is said about the runner itself."""
        return self._own.due(round(self.clock.wall() * 1e6))

    def commit(self, *, close_all: bool = False) -> None:
        """One turn over all that waits. After an error the same folds wait for the next call.

        Raises:
            StateError: Nothing was committed, or what was committed cannot be shown; the next call goes on.
        """
        if self._undone:
            self._start_over()
        now = round(self.clock.wall() * 1e6)
        due = self._alone and self._own.due(now)
        own = self._own_points(now) if due else Own()
        noticed, seen = self._noticed()
        try:
            self.turn.run(self._backlog, self._unsettled, self._news(), close_all=close_all, own=own, noticed=noticed)
        except StateError:
            self._undone = True
            raise
        self._seen = seen
        self._own.committed()
        for folded in self._backlog:
            self._reader(folded.source).settle(len(folded.chunks))
        self._backlog = []
        self._unsettled = defaultdict(list)
        self._compiled = [(one, metric) for one, metric in self._compiled if self.turn.counts(one.id)]
        for stage in self._stages.values():
            stage.keep_only(self.turn.counts)
        self._tell_readers()
        self._refresh_views()

    def _tell_readers(self) -> None:
        """Let the sources hear what was committed, where that is news."""
        for reader in self.readers:
            progress = self.turn.releases.progress(reader.name, self.turn.watermark(reader.name))
            if progress != reader.progress:
                reader.progress = progress

    def catch_up_views(self) -> None:
        """Show what the last commits left for later; called where there is nothing to commit.

        Raises:
            StateError: What is committed cannot be read.
        """
        if any(view.overdue for view in self.views):
            self._refresh_views()

    def _refresh_views(self, *, now: bool = False) -> None:
        """Show what is committed; where that cannot be read, the next turn begins anew and tries again."""
        try:
            with self.state.reading():
                for view in self.views:
                    view.refresh(self.turn.metrics, self._own_snapshot, now=now)
        except StateError:
            self._undone = True
            raise

    def _own_points(self, now: int) -> Own:
        """What there is to say about the runner itself of the minute that has just ended."""
        points = self._own.points(now, self.readers, self.turn, self.deliveries)
        sampled = any(one.sink.sampling is not None and wants_own(one.plan) for one in self.deliveries)
        return Own(points, self._own.totals(now, self.readers, self.turn, self.deliveries) if sampled else ())

    def _own_snapshot(self) -> list[Point]:
        """What a view shows of the runner itself."""
        return self._own.snapshot(round(self.clock.wall() * 1e6), self.readers, self.turn, self.deliveries)

    def _noticed(self) -> tuple[list[tuple[str, str, int]], dict[tuple[str, str], int]]:
        """What the sources noticed since the last commit, and all of it."""
        seen = {
            (reader.name, what): count
            for reader in self.readers
            for what, count in reader.plan.source.status().counts.items()
        }
        fresh = [(*place, count - self._seen.get(place, 0)) for place, count in seen.items()]
        return [one for one in fresh if one[2] > 0], seen

    def _start_over(self) -> None:
        """After a commit that was undone: what the turn remembers is made from the state again.

        It may fail like the commit did; then it is tried again before the next one. The deliveries stay, as
        their senders hold them.
        """
        with self.state.reading():
            self.turn = self._new_turn()
            for delivery in self.deliveries:
                delivery.remember()
        self._undone = False

    def last_turn(self, *, close_all: bool) -> None:
        """After all was read: send the values of open windows, or close them too."""
        for delivery in self.deliveries:
            delivery.hurry()
        self.commit(close_all=close_all)
        if close_all and not self._alone:  # a back-fill: what follows is the live runner's
            self.turn.end_samples()
        self._refresh_views(now=True)
        for view in self.views:
            view.show()

    def _news(self) -> dict[str, SourceNews]:
        news = {}
        for reader in self.readers:
            status = reader.plan.source.status()
            caught_up = reader.caught_up and not reader.in_flight
            news[reader.name] = SourceNews(caught_up, reader.failing_for(), status.partitions, reader.unread())
        return news

    def _reader(self, source: str) -> Reader:
        return next(reader for reader in self.readers if reader.name == source)

    # -- all there is -----------------------------------------------------------------------------------

    def caught_up(self) -> bool:
        """Whether every source was read to its end and all of it is committed."""
        return not self._backlog and all(reader.caught_up and not reader.in_flight for reader in self.readers)

    def delivered(self) -> bool:
        """Whether nothing waits for any sink."""
        return not self._unsettled and not any(delivery.busy for delivery in self.deliveries)


def _reads(metric: CompiledMetric, standing: Standing, source: SourcePlan) -> bool:
    """Whether records of a source go into a definition; not if a column is of another type than when it was made."""
    then = columns_then(standing.definition)
    same = (source.columns.get(name, then.get(name)) == then.get(name) for name in metric.needed)
    return source.name in metric.metric.sources and (not then or all(same))


def worker_count(configured: int) -> int:
    """How many threads parse and fold."""
    return configured or len(os.sched_getaffinity(0))
