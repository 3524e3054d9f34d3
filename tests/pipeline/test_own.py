"""How the runner itself is: a point a minute, for the embedded store and for sinks that ask."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from doubles import House, Keeping
from pegel.pipeline import own
from pegel.plan import Plan, SinkPlan
from pegel.state import snapshots

NOON = 1_772_539_200


@dataclass
class TwoSinks(House):
    """One sink asks for our own metrics, one does not."""

    curious: Keeping = field(default_factory=Keeping)

    def plan(self) -> Plan:
        plan = super().plan()
        curious = SinkPlan(name="curious", type="keeping", sink=self.curious, metrics=["*", "pegel_*"])
        return Plan(runner=plan.runner, sources=plan.sources, metrics=plan.metrics, sinks=[*plan.sinks, curious])


def test_own_metrics_go_to_those_who_ask(tmp_path: Path) -> None:
    house = TwoSinks(tmp_path)
    for minute in range(3):
        house.source.write((NOON + 60 * minute, "a", 1, "u"), (NOON + 86_400, "future", 1, "u"))
        house.clock.now += 60
        house.run()
    assert {point.metric for point in house.sink.received} == {"m"}
    names = {point.metric for point in house.curious.received}
    assert {"m", "pegel_source", "pegel_sink", "pegel_metric", "pegel_runner"} <= names


def test_rejects_by_reason_and_backlogs_are_among_them(tmp_path: Path) -> None:
    house = TwoSinks(tmp_path)
    runner = house.runner()
    for minute in range(3):
        house.source.write((NOON + 60 * minute, "a", 1, "u"), (NOON + 86_400, "future", 1, "u"))
        house.clock.now += 60
        for _ in range(5):
            runner.step()
    runner.close()
    rejects = [point for point in house.curious.received if point.metric == "pegel_rejects"]
    labels = dict(rejects[0].labels)
    assert labels.pop("runner"), "two runners with one bucket overwrite each other's without it"
    assert labels == {"source": "log", "reason": "future"}
    assert rejects[0].values["value"] in (1, 2)
    (sink,) = [p for p in house.curious.received if p.metric == "pegel_sink" and dict(p.labels)["sink"] == "kept"][:1]
    assert {"outbox_points", "outbox_bytes", "dead_letters", "failing"} <= sink.values.keys()
    assert sink.values["limit_bytes"] == 2**30


def test_a_runner_says_what_it_takes_and_since_when(tmp_path: Path) -> None:
    """Alerts on a full disk, an old snapshot, a stuck state and a restart rest on these."""
    house = TwoSinks(tmp_path)
    house.clock.now = NOON
    runner = house.runner()
    snapshots.take(runner.state.path)
    for _ in range(2):
        house.clock.now += 60
        house.source.write((house.clock.now, "a", 1, "u"))
        runner.step()
        runner.step()
    runner.close()
    last = [point for point in house.curious.received if point.metric == "pegel_runner"][-1].values
    newest = {name: value for name, value in last.items() if isinstance(value, int | float)}
    assert newest["start_timestamp_seconds"] == NOON
    assert NOON < newest["commit_timestamp_seconds"] <= house.clock.now
    assert newest["snapshot_interval_seconds"] == 600
    assert newest["snapshot_timestamp_seconds"] == round(snapshots.taken(tmp_path / "state" / "state.db") or 0)
    assert 0 < newest["state_bytes"] < newest["memory_bytes"]
    assert newest["cpu_seconds"]
    assert newest["free_bytes"]


def test_without_a_snapshot_nothing_is_said_of_one(tmp_path: Path) -> None:
    """A time of 0 would be a snapshot of 1970."""
    house = TwoSinks(tmp_path)
    house.source.write((NOON, "a", 1, "u"))
    house.run()
    (runner, *_) = [point for point in house.curious.received if point.metric == "pegel_runner"]
    assert "snapshot_timestamp_seconds" not in runner.values


def counts() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every place that counts under a name of its own: that name, and its labels."""
    for path in Path(own.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "count":
                name = node.args[0] if node.args else None
                if isinstance(name, ast.Constant) and str(name.value).endswith("_total"):
                    yield str(name.value), tuple(sorted(str(one.arg) for one in node.keywords))


def test_everything_that_is_counted_is_described() -> None:
    """Alerts and dashboards are held against this list; what is not on it cannot be asked for."""
    declared = {f"{name}_total": labels for name, (labels, _) in own.COUNTERS.items()}
    found = dict(counts())
    assert found.items() <= declared.items()
    late = {"late_total", "too_late_total", "foreign_total"}  # counted in one loop
    assert declared.keys() - found.keys() == late
    assert all(f'"{name}"' in (Path(own.__file__).parent / "turn.py").read_text() for name in late)


def test_a_counter_says_what_it_is(tmp_path: Path) -> None:
    """The page has this as HELP, where somebody who builds a panel looks first."""
    house = TwoSinks(tmp_path)
    runner = house.runner()
    for minute in range(3):
        house.source.write((NOON + 60 * minute, "a", 1, "u"))
        house.clock.now += 60
        for _ in range(5):
            runner.step()
    runner.close()
    helps = {point.metric: point.help for point in house.curious.received}
    assert helps["pegel_records"] == "Records of a source that were counted."
    assert helps["pegel_source"] == "How the runner itself is."


def test_increments_of_all_minutes_are_what_was_counted(tmp_path: Path) -> None:
    """From the first record of a new state, which is often the one of a log of weeks, and on after a restart."""
    house = TwoSinks(tmp_path)
    for life in range(2):
        runner = house.runner()
        for minute in range(3):
            house.source.write(*((NOON + 60 * (3 * life + minute), "a", 1, "u") for _ in range(10 - minute)))
            house.clock.now += 60
            for _ in range(5):
                runner.step()
        house.clock.now += 60
        runner.commit()
        runner.step()
        runner.close()
    told = {
        point.start_us: point.values["value"] for point in house.curious.received if point.metric == "pegel_records"
    }
    assert list(told.values()) == [10, 9, 8] * 2


def test_a_refused_configuration_is_a_figure(tmp_path: Path) -> None:
    """The old plan goes on as if nothing were wrong: only this tells a dashboard."""
    house = TwoSinks(tmp_path)
    runner = house.runner()
    for why in ("", "config.toml:1:1 no", ""):
        runner.refused = why
        house.clock.now += 60
        runner.commit()
        runner.step()
    runner.close()
    told = [one.values["config_refused"] for one in house.curious.received if one.metric == "pegel_runner"]
    assert told == [0, 1, 0]
