"""Values that are metrics of their own: one definition counts, and each sink sees plain metrics."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from doubles import House, metric
from pegel.metrics.compiled import compile_metric
from pegel.metrics.definition import Value

NOON = 1_772_539_200
VIEWERS = replace(
    metric("viewers", over=120.0),
    values={
        "active": Value(value="count(distinct user)", metric="active_viewers", labels={"window": "2m"}),
        "arrived": Value(value="arrivals(user)", kind="counter", metric="viewers_total", help="Who came."),
        "n": Value(value="count(*)"),
    },
    help="Who watches.",
)


def watched(house: House) -> None:
    for minute, users in enumerate(("ab", "b", "c")):
        house.source.write(*[(NOON + 60 * minute + 10, "a", 1, user) for user in users])
    house.run(close_all=True)


def test_each_sink_gets_such_a_value_under_its_own_name_with_its_own_labels(tmp_path: Path) -> None:
    house = House(tmp_path, metrics=[VIEWERS])
    watched(house)
    second = {
        (point.metric, point.labels): point.values
        for point in house.sink.received
        if point.start_us == (NOON + 60) * 10**6
    }
    assert second == {
        ("active_viewers", (("key", "a"), ("window", "2m"))): {"value": 2},
        ("viewers_total", (("key", "a"),)): {"value": 2},  # the first step that is shown tells those before
        ("viewers", (("key", "a"),)): {"n": 3},
    }
    (total,) = {one.help for one in house.sink.received if one.metric == "viewers_total"}
    assert total == "Who came."


def test_what_a_page_shows_has_the_same_names(tmp_path: Path) -> None:
    house = House(tmp_path, metrics=[VIEWERS])
    watched(house)
    runner = house.runner()
    (live,) = runner.turn.metrics
    shown = {(point.metric, point.kinds["value"]): point.values for point in live.snapshot() if "value" in point.kinds}
    runner.close()
    assert shown == {("active_viewers", "gauge"): {"value": 2}, ("viewers_total", "counter"): {"value": 3}}


def test_a_gauge_and_its_arrivals_share_one_set(tmp_path: Path) -> None:
    """What viewers are stored costs the most of such a metric; twice would be too much."""
    compiled = compile_metric(VIEWERS, House(tmp_path).plan().sources[0].columns, frozenset({"user"}))
    assert (len(compiled.sets), compiled.arrivals) == (1, [0])


def test_a_metric_of_which_every_value_has_its_own_name_is_not_shown_itself() -> None:
    shared = {name: value for name, value in VIEWERS.values.items() if name != "n"}
    names = [one.name for one in replace(VIEWERS, values=shared).shown()]
    assert names == ["active_viewers", "viewers_total"]
    assert [one.name for one in metric("plain").shown()] == ["plain"]
