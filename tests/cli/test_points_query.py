from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pegel.cli.points_query import Wanted, find, read, sample, why_nothing
from pegel.errors import PegelError
from pegel.sinks import Kind
from pegel.sinks.local import Local
from pegel.sinks.local_points import LocalPoints, StoredMetric
from sinks.hostile import point

START = point().start_us
MINUTE = 60_000_000
NOON = START / 1e6
NAME = "ookla_speedtest_minutely"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LocalPoints]:
    """Two servers, a point a minute from noon to two o'clock."""
    sink = Local(path=tmp_path / "points.db")
    kinds: dict[str, Kind] = {"tests": "counter", "users": "gauge"}
    points = [
        point(labels=(("server", server),), minute=minute, kinds=kinds, tests=1, users=2)
        for minute in range(120)
        for server in ("st-01", "st-02")
    ]
    sink.send(sink.encode(points))
    sink.close()
    with LocalPoints(tmp_path / "points.db") as store:
        yield store


@pytest.fixture
def metric(store: LocalPoints) -> StoredMetric:
    return find(store.metrics(), NAME, Path("points.db"))


def test_the_last_hour_is_shown_unless_told(store: LocalPoints, metric: StoredMetric) -> None:
    found = read(store, metric, Wanted(), NOON + 2 * 3600)
    assert (found[0].start_us, len(found)) == (START + 60 * MINUTE, 120)


def test_the_newest_windows_are_shown_however_old(store: LocalPoints, metric: StoredMetric) -> None:
    found = read(store, metric, Wanted(last=3), NOON + 1e9)
    assert sorted({each.start_us for each in found}) == [START + minute * MINUTE for minute in (117, 118, 119)]


def test_the_last_windows_before_a_time(store: LocalPoints, metric: StoredMetric) -> None:
    found = read(store, metric, Wanted(last=2, until_us=START + 10 * MINUTE), NOON)
    assert sorted({each.start_us for each in found}) == [START + 8 * MINUTE, START + 9 * MINUTE]


def test_a_span_with_labels_and_values(store: LocalPoints, metric: StoredMetric) -> None:
    wanted = Wanted({"server": "st-02"}, START, START + 2 * MINUTE, values=["users"], form="csv")
    assert [each.values for each in read(store, metric, wanted, NOON)] == [{"users": 2}, {"users": 2}]


def test_a_picture_reads_no_more_than_it_can_show(tmp_path: Path) -> None:
    """An hour of ten thousand series is not read to show its last lines."""
    sink = Local(path=tmp_path / "big.db")
    for minute in range(3):
        many = [point(labels=(("page", str(page)),), minute=minute, n=1) for page in range(9000)]
        sink.send(sink.encode(many))
    sink.close()
    with LocalPoints(tmp_path / "big.db") as store:
        (metric,) = store.metrics()
        assert len(read(store, metric, Wanted(), NOON + 180)) == 18_000
        assert len(read(store, metric, Wanted(form="csv"), NOON + 180)) == 27_000
        assert len(sample(store, metric)) == 18_000


def test_grouping_by_a_label_that_is_not_there_names_those_that_are(store: LocalPoints, metric: StoredMetric) -> None:
    assert {each.labels for each in read(store, metric, Wanted(by="server", last=1), NOON)} == {
        (("server", "st-01"),),
        (("server", "st-02"),),
    }
    with pytest.raises(PegelError, match=r"has no label sever; did you mean server\?"):
        read(store, metric, Wanted(by="sever", last=1), NOON)


def test_an_unknown_metric_names_the_nearest(store: LocalPoints) -> None:
    with pytest.raises(PegelError, match=f"no points of ookla_speedtest in p.db; did you mean {NAME}?"):
        find(store.metrics(), "ookla_speedtest", Path("p.db"))
    with pytest.raises(PegelError, match=f"no points of zzz in p.db; there are {NAME}"):
        find(store.metrics(), "zzz", Path("p.db"))


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (
            Wanted(),
            f"no points of {NAME} in the last hour; the newest is of 2026-03-03 13:59 UTC (22h ago). Is",
        ),
        (Wanted(since_us=START + 10**12), f"no points of {NAME} in that time; the newest is of 2026-03-03 13:59"),
        (Wanted({"server": "st-9"}), f"{NAME} has no series with server=st-9; its labels: server"),
        (Wanted(values=["user"]), f"{NAME} has no value user; did you mean users?"),
    ],
)
def test_nothing_to_show_has_a_reason(store: LocalPoints, metric: StoredMetric, wanted: Wanted, reason: str) -> None:
    now = NOON + 24 * 3600
    assert read(store, metric, wanted, now) == []
    assert why_nothing(store, metric, wanted, now).startswith(reason)
