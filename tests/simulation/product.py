"""The product under test: a plan over the simulated log, with the product's own runner, state and metrics."""

from __future__ import annotations

from pegel.metrics.definition import Metric, Value
from pegel.pipeline import Runner
from pegel.plan import Plan, RunnerSettings, SinkPlan, SourcePlan, TimeOptions
from pegel.sources import Source
from pegel.sources.file import File
from pegel.units import Duration
from simulation.records import Ledger
from simulation.reference_file import ReferenceFile
from simulation.stage import LOG, Stage


def plan(stage: Stage, source: Source) -> Plan:
    """The plan of a stage."""
    timing = stage.timing
    ledger = Ledger()
    app = SourcePlan(
        name="app",
        source=source,
        format=ledger,
        time=TimeOptions(column="time", format=["unix_us"]),
        disorder=Duration(timing.disorder),
        idle_after=Duration(timing.idle_after),
        private=frozenset({"user"}),
        columns=ledger.columns(),
    )
    requests = Metric(
        name="requests",
        sources=["app"],
        every=Duration(timing.every),
        labels=["key"],
        values={
            "n": Value(value="count(*)", kind="counter"),
            "total": Value(value="sum(value)", kind="counter"),
            "users": Value(value="count(distinct user)"),
            "top": Value(value="max(value)"),
            "last": Value(value="last(value)"),
        },
        allowed_lateness=Duration(timing.lateness),
    )
    active = Metric(
        name="active",
        sources=["app"],
        every=Duration(timing.every),
        over=Duration(timing.over),
        values={
            "recent": Value(value="count(*)"),
            "people": Value(value="count(distinct user)"),
            "came": Value(value="arrivals(user)", kind="counter"),
        },
        allowed_lateness=Duration(timing.lateness),
    )
    names = ("influx", "file", "metrics")
    return Plan(
        runner=RunnerSettings(state=stage.state),
        sources=[app],
        metrics=[requests, active],
        sinks=[
            SinkPlan(name=name, type="simulated", sink=sink, early_interval=Duration(0.0 if sink.view else 10.0))
            for name, sink in zip(names, stage.sinks, strict=True)
        ],
    )


class Product:
    """The product's runner; its views, which have a thread of their own in the service, are shown at each step."""

    def __init__(self, stage: Stage, source: Source) -> None:
        self.runner = Runner(plan(stage, source), clock=stage.clock, files=stage.files, connect=stage.connect)

    def open(self) -> None:
        self.runner.open()
        self.exchange()
        for view in self.runner.views:
            view.show()
        if self.runner.commit_due():  # in the service a turn may come before the first read
            self.runner.commit()

    def step(self) -> bool:
        self.exchange()
        worked = self.runner.step()
        for view in self.runner.views:
            view.show()
        return worked

    def exchange(self) -> None:
        """Where a mutant puts its broken parts in; called before anything uses them."""

    def rejected(self) -> int:
        counters = self.runner.state.counters()
        return sum(value for (name, _), value in counters.items() if name == "rejects_total")

    def late(self) -> int:
        counters = self.runner.state.counters()
        return sum(value for (name, _), value in counters.items() if name in ("late_total", "too_late_total"))

    def close(self) -> None:
        self.runner.close()


def with_reference_file(stage: Stage) -> Product:
    """The product's pipeline and state, fed by the reference's reading of the log."""
    return Product(stage, ReferenceFile())


def product(stage: Stage) -> Product:
    """The whole product."""
    return Product(stage, File(path=LOG))


BUILDS = (with_reference_file, product)
"""What is proved."""
