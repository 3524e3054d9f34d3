"""Why the points of a metric are not where a sink brings them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pegel.metrics.definition import Metric
from pegel.pipeline.health import FAILS_LONG, Vitals, ago, span
from pegel.pipeline.stops import Stop
from pegel.plan import SinkPlan


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
    newest = (stored or {}).get(metric.name)
    if stored is not None and (newest is None or newest / 1e6 < since):
        return _refused(part, metric, facts) or _missing(part, newest, vitals)
    return _refused(part, metric, facts) if stored is None else None


def _trouble(name: str, vitals: Vitals) -> str | None:
    for one in vitals.said.troubles if vitals.said is not None else ():
        lasting = vitals.now - one.since
        if (one.kind, one.name) == ("sink", name) and lasting > FAILS_LONG:
            return f"nothing was stored for {span(lasting)}: {one.sentence}"
    return None


def _refused(part: str, metric: Metric, facts: Mapping[str, Any]) -> Stop | None:
    """Points that it refused for good, the newest reason first."""
    rows = [one for one in facts.get("reasons", ()) if metric.name in one["metrics"]]
    if not rows:
        return None
    worst = max(rows, key=lambda one: int(one["last"]))
    sentence = f"it refused {worst['points']:,} points for good: {worst['reason']}"
    return Stop("problem", part, sentence, "mend what it says, then pegel sinks retry")


def _missing(part: str, newest: int | None, vitals: Vitals) -> Stop:
    """Everything was acknowledged, and it is not there."""
    what = (
        "has none of it in a week" if newest is None else f"has its newest point from {ago(vitals.now - newest / 1e6)}"
    )
    advice = (
        "is it the server, bucket and organisation that you look at, was it restored or emptied, and how long does it"
        " keep points?"
    )
    return Stop("problem", part, f"it took every point, and the store {what}", advice)


def _facts(sink: str, vitals: Vitals) -> Mapping[str, Any]:
    rows = (vitals.facts or {}).get("sinks", ())
    return next((one for one in rows if one["name"] == sink), {})
