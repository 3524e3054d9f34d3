"""Where the numbers stop on their way from a source to a store, as `pegel doctor` tells it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial

from pegel.cli.findings import Finding
from pegel.cli.probing import ask_all
from pegel.pipeline.flow import Stopped, stopped
from pegel.pipeline.flow_sinks import takes_of
from pegel.pipeline.health import Vitals, ago
from pegel.plan import Plan, SinkPlan

_MOST_NAMES = 3


def flow_findings(vitals: Vitals, *, unheard: Collection[str], connect: bool) -> Iterator[Finding]:
    """For each metric that has had no number for an hour: where it stops and why; or that all arrive.

    Args:
        vitals: All facts about the runner.
        unheard: Sinks that are known not to answer.
        connect: Ask the other sinks what they have.
    """
    plan = vitals.plan
    if vitals.facts is None:
        return  # before the first start
    if not plan.metrics:
        yield Finding("ok", "flow", "there is no metric: the runner tells of itself alone")
        return
    askable = [sink for sink in plan.sinks if connect and sink.name not in unheard and _takes_any(plan, sink)]
    stored: dict[str, Mapping[str, int]] = {}
    heard = ask_all([partial(_stored, plan, sink, str(vitals.facts["identity"])) for sink in askable])
    for sink, (found, trouble) in zip(askable, heard, strict=True):
        if found is not None:
            stored[sink.name] = found
        elif trouble:
            sentence = f"it cannot be asked what it has stored: {trouble}"
            yield Finding(
                "note", f"sink {sink.name}", sentence, "the runner needs no right to read; look there yourself"
            )
    stops = list(stopped(vitals, stored))
    yield from _told(stops)
    if not stops:
        yield _arriving(vitals, stored)


def _takes_any(plan: Plan, sink: SinkPlan) -> bool:
    return any(takes_of(sink, metric) for metric in plan.metrics)


def _stored(plan: Plan, sink: SinkPlan, identity: str) -> Mapping[str, int] | None:
    """What a sink has of each metric that it takes, by the names that it knows."""
    sink.sink.settle_in(plan.runner.state)
    sink.sink.introduce(identity)
    return sink.sink.stored([name for metric in plan.metrics for name in takes_of(sink, metric)])


def _told(stops: Sequence[Stopped]) -> Iterator[Finding]:
    """Each stop once, with the metrics that stop there."""
    for stop in dict.fromkeys(one.stop for one in stops):
        names = list(dict.fromkeys(one.metric for one in stops if one.stop == stop))
        elsewhere = all(one.sink for one in stops if one.stop == stop)
        missing = "nothing new arrives of" if elsewhere else "for an hour or more there is nothing of"
        sentence = f"{missing} {_listed(names)}; it stops at {stop.part}: {stop.sentence}"
        yield Finding(stop.level, "flow", sentence, stop.advice)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(names) if more <= 0 else f"{', '.join(names[:_MOST_NAMES])} and {more} more"


def _arriving(vitals: Vitals, stored: Mapping[str, Mapping[str, int]]) -> Finding:
    rows = (vitals.facts or {})["metrics"]
    newest = max(one["newest"] for one in rows if one["newest"] is not None)
    seen = f"; seen in {', '.join(stored)}" if stored else ""
    count = len(vitals.plan.metrics)
    sentence = f"{count} metric{'' if count == 1 else 's'}, newest window of {ago(vitals.now - newest / 1e6)}{seen}"
    return Finding("ok", "flow", sentence)
