"""Where the numbers of a metric stop: source, counting, windows or a sink, and why.

Rules over the same facts as those of health. Health asks whether something is wrong; here the question is why nothing
has arrived for an hour, so each metric has one answer: the first place on its way where it stops.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pegel.metrics.definition import Metric
from pegel.pipeline.flow_sinks import sink_stop, takes_of
from pegel.pipeline.flow_sources import source_stop
from pegel.pipeline.health import Vitals, ago, newest_record, span
from pegel.pipeline.holding import holder
from pegel.pipeline.stops import Stop, explain
from pegel.plan import SourcePlan

HOUR = 3600.0
"""Seconds without a number after which somebody asks why, beside the length of a window."""

_DAY = 86400.0

Stored = Mapping[str, Mapping[str, int]]
"""By sink and metric: time in us of the newest point that the store has; only sinks that could be asked."""


@dataclass(frozen=True)
class Stopped:
    """A metric that stops on its way.

    Attributes:
        metric: Its name.
        sink: Where it does not arrive, if it arrives elsewhere.
    """

    metric: str
    stop: Stop
    sink: str = ""


def stopped(vitals: Vitals, stored: Stored | None = None) -> Iterator[Stopped]:
    """Every metric that has had no new number for an hour (and a window), with the first place where it stops."""
    for metric in vitals.plan.metrics:
        way = _Way(metric, vitals)
        stop = way.before_sinks()
        if stop is not None:
            yield Stopped(metric.name, stop)
            continue
        takers = [sink for sink in vitals.plan.sinks if takes_of(sink, metric)]
        if not takers:
            advice = "add it to `metrics` of a sink, or leave that out: then a sink takes all"
            yield Stopped(metric.name, Stop("problem", "sinks", "it is counted, and no sink takes it", advice))
        for sink in takers:
            reached = (stored or {}).get(sink.name)
            stop = sink_stop(sink, metric, vitals, reached, way.since)
            if stop is not None:
                yield Stopped(metric.name, stop, sink.name)


@dataclass(frozen=True)
class _Way:
    """The way of one metric through the runner."""

    metric: Metric
    vitals: Vitals
    sources: list[SourcePlan] = field(init=False)

    def __post_init__(self) -> None:
        mine = [one for one in self.vitals.plan.sources if one.name in self.metric.sources]
        object.__setattr__(self, "sources", mine)

    @property
    def since(self) -> float:
        """Windows that start later are new enough."""
        told_daily = all(value.kind == "info" for value in self.metric.values.values())
        return self.vitals.now - HOUR - 2 * self.metric.every - (_DAY if told_daily else 0.0)

    @property
    def facts(self) -> Mapping[str, Any] | None:
        """What the state has of the metric."""
        rows = (self.vitals.facts or {}).get("metrics", ())
        return next((one for one in rows if one["name"] == self.metric.name and one["until"] is None), None)

    def before_sinks(self) -> Stop | None:
        """Where it stops inside the runner; None if its newest window is closed and new."""
        facts, since = self.facts, self.since
        if self.vitals.facts is None:
            return Stop("problem", "runner", "it has never run", "start it: pegel run, or systemctl start pegel")
        closed = facts["watermark"] / 1e6 if facts and facts["watermark"] is not None else None
        counted = facts["newest"] / 1e6 if facts and facts["newest"] is not None else None
        if counted is not None and counted >= since and closed is not None and closed >= since:
            return self._not_covered()
        return (
            self._runner_stop()
            or self._source_stop()
            or (self._unknown() if facts is None else None)
            or (self._counting_stop() if counted is None or counted < since else self._window_stop(closed))
        )

    def _runner_stop(self) -> Stop | None:
        said, now = self.vitals.said, self.vitals.now
        if self.vitals.process is not None:
            return None
        if said is not None and said.mode == "once" and now - said.began < HOUR:
            return None
        when = "" if said is None else f" ({'stopped' if said.ended else 'died'}, began {ago(now - said.began)})"
        return Stop("problem", "runner", f"it does not run{when}", "start it; its log says why it ended")

    def _source_stop(self) -> Stop | None:
        """The first of its sources, if none has a record that is new enough."""
        rows = {one["name"]: one for one in (self.vitals.facts or {})["sources"]}
        newest = [newest_record(rows.get(source.name)) for source in self.sources]
        if any(one is not None and one >= self.since for one in newest):
            return None
        stops = [source_stop(source, rows.get(source.name), self.vitals, self.since) for source in self.sources]
        return min(stops, key=lambda one: one.level != "problem", default=None)

    def _unknown(self) -> Stop:
        sentence = "the runner does not know it: what runs is not this configuration"
        return Stop("problem", "config", sentence, "pegel check; then `pegel status` and the log say why it is refused")

    def _counting_stop(self) -> Stop:
        """Records are read, and none is in a window that is new enough."""
        part, name = f"metric {self.metric.name}", self.metric.name
        unusable = self._most("unusable_values_total", "reason")
        if unusable and not self.metric.where:
            sentence = f"records are read and give no value: {unusable[1]:,} were {unusable[0].replace('_', ' ')}"
            return Stop("problem", part, sentence, explain(self.sources[0], self.vitals.plan))
        if self.metric.where:
            # as it should be where nothing is wrong: a metric of errors, or of what only an optional database says
            sentence = f"records are read, and none of them passes `where = {self.metric.where}`"
            return Stop("note", part, sentence, explain(self.sources[0], self.vitals.plan))
        late = self._most("too_late_total", "metric")
        if late and late[0] == name:
            sentence = f"records are read, and {late[1]:,} came too late to be counted"
            return Stop("problem", part, sentence, "a larger `disorder` of the source waits longer for them")
        return Stop(
            "problem", part, "records are read, and none is counted", explain(self.sources[0], self.vitals.plan)
        )

    def _window_stop(self, closed: float | None) -> Stop:
        """Records are counted, and their window does not close."""
        held = holder(self.metric, self.vitals)
        behind = "no window was ever closed" if closed is None else f"windows are closed up to {ago(self._age(closed))}"
        return Stop("problem", f"metric {self.metric.name}", f"{behind}: they wait for {held.what}", held.advice)

    def _not_covered(self) -> Stop | None:
        """A rolling window has no value before as much was read as it is long."""
        begun = (self.facts or {})["not_before"]
        if not self.metric.over or begun is None:
            return None
        left = begun / 1e6 + self.metric.over - self.vitals.now
        if left <= 0:
            return None
        sentence = f"a rolling window of {span(self.metric.over)} has no value before that long was read"
        return Stop("note", f"metric {self.metric.name}", sentence, f"the first one comes in about {span(left)}")

    def _age(self, moment: float) -> float:
        return self.vitals.now - moment

    def _most(self, counter: str, label: str) -> tuple[str, int] | None:
        """The label of the biggest counter of this metric, and its value."""
        rows = (self.vitals.facts or {}).get("counters", ())
        mine = [one for one in rows if one["name"] == counter and one["labels"].get("metric") == self.metric.name]
        best = max(mine, key=lambda one: int(one["value"]), default=None)
        return None if best is None else (str(best["labels"][label]), int(best["value"]))
