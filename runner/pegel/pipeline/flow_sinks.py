"""Why the points of a metric are not where a sink brings them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pegel.metrics.definition import Metric
from pegel.pipeline.health import FAILS_LONG, Vitals, ago, span
from pegel.pipeline.stops import Stop
from pegel.plan import SinkPlan, takes


def sink_stop(
    sink: SinkPlan, metric: Metric, vitals: Vitals, stored: Mapping[str, int] | None, since: float
) -> Stop | None:
    """Where a metric stops that is counted and closed; None if it arrives, as far as anybody can say.

    Args:
        sink: One that takes the metric.
        metric: What should arrive.
        vitals: All facts.
        stored: Time in us of the newest point of each metric that the store has; None if it could not be asked.
        since: Points that are younger are new enough.
    """
    part = f"sink {sink.name}"
    facts = _facts(sink.name, vitals)
    trouble = _trouble(sink.name, vitals)
    if trouble is not None:
        return Stop("problem", part, trouble, "points wait and none is lost; what is wrong is said above")
    oldest = facts.get("oldest")
    if oldest is not None and oldest / 1e6 < since:
        sentence = f"it takes points slower than they come; the oldest waits for {span(vitals.now - oldest / 1e6)}"
        return Stop(
            "problem", part, sentence, "after an outage that falls (pegel status --watch); else the store is slow"
        )
    names = takes_of(sink, metric)
    letters = [one for one in facts.get("reasons", ()) if set(names).intersection(one["metrics"])]
    newest = max((stored[name] for name in names if name in stored), default=None) if stored else None
    missing = stored is not None and (newest is None or newest / 1e6 < since)
    if any(missing or one["last"] / 1e6 >= since for one in letters):
        return _refused(part, letters)
    return _missing(part, newest, vitals) if missing else None


def takes_of(sink: SinkPlan, metric: Metric) -> list[str]:
    """The names of what a sink takes of a metric, which may be shown as several."""
    return [shown.name for shown in metric.shown() if takes(sink, shown.name)]


def _trouble(name: str, vitals: Vitals) -> str | None:
    for one in vitals.said.troubles if vitals.said is not None else ():
        lasting = vitals.now - one.since
        if (one.kind, one.name) == ("sink", name) and lasting > FAILS_LONG:
            return f"nothing was stored for {span(lasting)}: {one.sentence}"
    return None


def _refused(part: str, letters: Sequence[Mapping[str, Any]]) -> Stop:
    """Points were refused for good; the newest reason is told."""
    worst = max(letters, key=lambda one: int(one["last"]))
    sentence = f"it refused {worst['points']:,} points for good: {worst['reason']}"
    return Stop("problem", part, sentence, "mend what it says, then pegel sinks retry")


def _missing(part: str, newest: int | None, vitals: Vitals) -> Stop:
    """Everything was acknowledged, and it is not there."""
    what = (
        "has none of it in a week" if newest is None else f"has its newest point from {ago(vitals.now - newest / 1e6)}"
    )
    advice = (
        "was it restored or emptied, how long does it keep points, is it another server behind this name? Or are all"
        " values of this metric NULL (pegel preview)?"
    )
    return Stop("problem", part, f"it took every point, and the store {what}", advice)


def _facts(sink: str, vitals: Vitals) -> Mapping[str, Any]:
    rows = (vitals.facts or {}).get("sinks", ())
    return next((one for one in rows if one["name"] == sink), {})
