"""A plan run on given input with a state that is thrown away: for `pegel preview` and `pegel test`."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event

from pegel.pipeline.runner import Runner
from pegel.pipeline.service import Service
from pegel.plan import Plan
from pegel.sinks import Point
from pegel.sources.given import Given


@dataclass(frozen=True)
class Trial:
    """What came of it.

    Attributes:
        points: Of all windows, by time, metric and labels; of each its newest revision.
        rejects: How many records were refused, by reason.
        trouble: What could not be read, as a sentence; empty if nothing.
    """

    points: Sequence[Point]
    rejects: Mapping[str, int]
    trouble: str = ""


def run(plan: Plan, *, snapshot: bool = False, remembered: Path | None = None) -> Trial:
    """Run a plan over all its input, all windows closed; its state and its sinks are not touched.

    No server is asked about a value and none is waited for: a trial tells nobody anything.

    Args:
        plan: What to run.
        snapshot: Give what a view would show at the end, instead of the points of every window.
        remembered: State directory of a runner whose enrichers' knowledge is used; without it there is none.
    """
    if remembered is not None:
        for enricher in (one for source in plan.sources for one in source.enrichers):
            enricher.recall(remembered)
    with tempfile.TemporaryDirectory(prefix="pegel-trial-") as directory:
        settings = replace(plan.runner, state=Path(directory) / "state")
        runner = Runner(replace(plan, runner=settings, sinks=()), tending=False)
        runner.open()
        points: list[Point] = []
        runner.turn.watch(points.extend)
        try:
            trouble = Service(runner, Event()).run_once(close_all=True, patience=0.0)
            if snapshot:
                points = [point for metric in runner.turn.metrics for point in metric.snapshot()]
            return Trial(_newest(points), _rejects(runner), trouble)
        finally:
            runner.close()


def reading(plan: Plan, source: str, files: Sequence[str]) -> Plan:
    """The plan with one of its sources reading the given files, and no other source."""
    one = next(plan_ for plan_ in plan.sources if plan_.name == source)
    only = replace(one, source=Given(paths=list(files)), start="beginning")
    metrics = [replace(metric, sources=[source]) for metric in plan.metrics if source in metric.sources]
    return replace(plan, sources=[only], metrics=metrics)


def _newest(points: Sequence[Point]) -> list[Point]:
    """The highest revision of every point, by time, metric and labels."""
    best: dict[tuple[int, str, tuple[tuple[str, str], ...]], Point] = {}
    for point in points:
        key = (point.start_us, point.metric, point.labels)
        if key not in best or best[key].revision <= point.revision:
            best[key] = point
    return [best[key] for key in sorted(best)]


def _rejects(runner: Runner) -> dict[str, int]:
    found: dict[str, int] = {}
    for (name, text), count in runner.state.counters().items():
        if name == "rejects_total":
            reason = json.loads(text)["reason"]
            found[reason] = found.get(reason, 0) + count
    return found
