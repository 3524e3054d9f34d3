"""Back-fills beside a runner: whatever is given, in whatever order, however often it is killed, each record counts
once in the windows that are the back-fill's, and no point of the runner is touched.
"""

from __future__ import annotations

import gzip
import itertools
import math
import os
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from doubles import FakeClock, Keeping, settle
from pegel.config import load
from pegel.errors import StateError
from pegel.pipeline import Runner
from pegel.pipeline.backfill import Prepared, finish, prepare
from pegel.plan import Plan, SinkPlan
from pegel.units import Duration
from pipeline.tsdb import Meter, Tsdb

NOON = 1_772_539_200
FAST = [Phase.explicit, Phase.reuse, Phase.generate]
"""Shrinking runs hundreds of lives of a runner; a failing example is small as it is."""

CONFIG = """
[runner]
state = "state"

[[sources]]
name = "log"
type = "file"
path = "{path}"
poll_interval = "0s"
start = "{start}"
format = {{ template = '{{time}} {{key}} {{user}}' }}
time = {{ column = "time", format = "iso8601" }}
private = ["user"]
disorder = "5s"

[[metrics]]
name = "hits"
every = "1m"
labels = ["key"]
allowed_lateness = "{lateness}"
values.n = {{ value = "count(*)", kind = "counter" }}
values.users = "count(distinct user)"

[[metrics]]
name = "lately"
every = "1m"
over = "3m"
values.n = "count(*)"
"""

Records = Sequence[int]
"""Seconds since noon."""

Found = dict[tuple[str, int], int]
"""By metric and start of the window in seconds since noon: `n`."""


@dataclass
class Place:
    """A directory with a live log, old archives, one state and one store."""

    folder: Path
    start: str = "beginning"
    lateness: str = "2h"
    store: Keeping = field(default_factory=lambda: Keeping(early=True))
    clock: FakeClock = field(default_factory=lambda: FakeClock(NOON + 30 * 86400.0))

    def write(self, name: str, times: Records, *, packed: bool = False) -> str:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        data = "".join(f"{_iso(time)} k u{time % 7}\n" for time in times).encode()
        path.write_bytes(gzip.compress(data) if packed else data)
        return str(path)

    def plan(self) -> Plan:
        config = self.folder / "config.toml"
        config.write_text(CONFIG.format(path=self.folder / "live.log", start=self.start, lateness=self.lateness))
        plan = load(config)
        sink = SinkPlan(name="kept", type="keeping", sink=self.store, early_interval=Duration(0.0))
        return replace(plan, runner=replace(plan.runner, state=self.folder / "state"), sinks=[sink])

    def live(self) -> None:
        """One run of the live runner: all there is, the newest windows closed too."""
        runner = Runner(self.plan(), clock=self.clock)
        runner.open()
        for _ in range(3):  # a rotated file has to be quiet for a while before the next one is begun
            settle(runner)
            self.clock.now += 10
        _finish(runner)

    def prepare(self, paths: Iterable[str], name: str = "old", before: int | None = None) -> Prepared:
        cut = None if before is None else (NOON + before) * 10**6
        return prepare(self.plan(), "log", name, list(paths), before=cut, clock=self.clock)

    def backfill(self, paths: Iterable[str], name: str = "old", before: int | None = None) -> Prepared:
        prepared = self.prepare(paths, name, before)
        runner = prepared.runner(clock=self.clock)
        runner.open()
        _finish(runner, done=True)
        return prepared

    def points(self) -> Found:
        """What a store that replaces holds: for each window what came last."""
        return {
            (point.metric, point.start_us // 10**6 - NOON): int(str(point.values["n"])) for point in self.store.received
        }


def _iso(time: int) -> str:
    return datetime.fromtimestamp(NOON + time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _finish(runner: Runner, *, done: bool = False) -> None:
    for _ in range(1000):  # a source may work on for some steps that commit nothing
        settle(runner)
        if not done or runner.caught_up():
            break
    runner.last_turn(close_all=True)
    settle(runner)
    if done:
        assert runner.caught_up()
        finish(runner)
    runner.close()


def hits(times: Iterable[int], before: int = 2**60, since: int = -(2**60)) -> Found:
    counts = Counter(time // 60 * 60 for time in times)
    return {("hits", start): n for start, n in counts.items() if since <= start < before}


def of_hits(found: Found) -> Found:
    return {key: n for key, n in found.items() if key[0] == "hits"}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_archives_come_before_what_the_runner_has_shown_and_touch_nothing_of_it(place: Place) -> None:
    """The archive and the log meet in minute 20: the runner has shown it, so it stays as it was shown."""
    old, new = list(range(0, 1210, 3)), list(range(1210, 2400, 5))
    place.write("live.log", new)
    place.live()
    shown = place.points()
    place.backfill([place.write("old/a.gz", old, packed=True)])
    assert {key: place.points()[key] for key in shown} == shown
    assert of_hits(place.points()) == {**hits(old, before=1200), **hits(new)}


def test_a_rolling_window_does_not_reach_into_the_windows_of_the_runner(place: Place) -> None:
    """After its last record a rolling window steps down to 0: those steps are the runner's."""
    place.write("live.log", range(600, 1200, 5))
    place.live()
    shown = place.points()
    place.backfill([place.write("old/a", range(600))])
    found = place.points()
    assert {key: found[key] for key in shown} == shown
    assert [start for name, start in found if name == "lately" and start < 600] == list(range(120, 600, 60))


def test_a_record_that_comes_late_to_the_runner_does_not_shrink_what_was_filled_in(place: Place) -> None:
    """Late by seconds at the seam: its window is the back-fill's, with all its records; one more would replace 60."""
    place.write("live.log", range(600, 700))
    place.live()
    place.backfill([place.write("old/a", range(600))])
    place.write("live.log", [*range(600, 700), 599, *range(701, 760)])
    place.live()
    assert place.points()["hits", 540] == 60
    assert place.points()["hits", 660] == 59


def test_where_nothing_is_live_yet_what_the_runner_will_read_is_left_to_it(place: Place) -> None:
    """Both roads would count these files; the runner's first start does it anyway."""
    place.write("live.log", range(1200, 1500))
    mine = place.write("live.log.1", range(610, 1200))
    older = place.write("old/live.log.2", range(600))
    prepared = place.backfill([mine, older, str(place.folder / "live.log")])
    assert [one.path for one in prepared.files] == [older]
    assert {one.reason for one in prepared.skipped} == {"begins where the runner itself counts"}
    assert of_hits(place.points()) == hits(range(600))
    place.live()
    assert of_hits(place.points()) == hits([*range(600), *range(610, 1500)])


def test_a_runner_that_will_begin_at_the_end_leaves_all_there_is_to_the_back_fill(place: Place) -> None:
    place.start = "end"
    live = place.write("live.log", range(600, 1200))
    place.backfill([live, place.write("old/a", range(600))])
    assert of_hits(place.points()) == hits(range(1200))


def test_a_runner_that_began_at_the_end_shows_no_first_window_so_the_back_fill_does(place: Place) -> None:
    """Nobody else would: the minute in which the runner was started would be missing for ever."""
    place.start = "end"
    live = place.write("live.log", range(630))
    place.live()
    place.write("live.log", range(1000))
    place.live()
    assert ("hits", 600) not in place.points()
    place.backfill([live])
    assert of_hits(place.points()) == hits(range(1000))


def test_the_same_files_again_change_nothing(place: Place) -> None:
    paths = [place.write("old/a.gz", range(300), packed=True), place.write("old/b", range(300, 700))]
    place.backfill(paths)
    before = len(place.store.received)
    prepared = place.backfill(reversed(paths))
    assert prepared.resumed
    assert len(place.store.received) == before


def test_younger_files_go_on_under_the_same_name(place: Place) -> None:
    """The window in which the files meet is whole: it is the same back-fill that goes on."""
    place.backfill([place.write("old/a", range(330))])
    place.backfill([place.write("old/b", range(330, 700))])
    assert of_hits(place.points()) == hits(range(700))


def test_another_back_fill_leaves_the_windows_of_the_first_alone(place: Place) -> None:
    place.backfill([place.write("old/b", range(330, 700))], "first")
    shown = place.points()
    place.backfill([place.write("old/a", range(330))], "second")
    assert {key: place.points()[key] for key in shown} == shown
    assert of_hits(place.points()) == {**hits(range(330), before=300), **hits(range(330, 700))}


def test_two_that_are_not_finished_are_not_begun_beside_each_other(place: Place) -> None:
    """Nobody knows yet which windows the first will count."""
    path = place.write("old/a", range(330))
    place.prepare([path], "first")
    with pytest.raises(StateError, match="the back-fill first is not finished"):
        place.prepare([path], "second")


def test_a_limit_is_a_limit(place: Place) -> None:
    place.backfill([place.write("old/a", range(700))], before=400)
    assert of_hits(place.points()) == hits(range(700), before=360)


def test_what_cannot_be_read_is_said_and_the_rest_goes_on(place: Place) -> None:
    good = place.write("old/a", range(100))
    (place.folder / "old" / "b.xz").write_bytes(b"\xfd7zXZ\0 packed")
    (place.folder / "old" / "c.gz").write_bytes(gzip.compress(b"x" * 5000)[:30])
    (place.folder / "old" / "d").write_bytes(b"")
    paths = [good, *(str(place.folder / "old" / name) for name in ("b.xz", "c.gz", "d", "gone"))]
    prepared = place.backfill(paths)
    reasons = {Path(one.path).name: (one.broken, one.reason) for one in prepared.skipped}
    assert reasons["b.xz"] == (True, "cannot be read: it is packed by xz; unpack it, or pack it with gzip")
    assert reasons["c.gz"][0]
    assert reasons["d"] == (False, "is empty")
    assert reasons["gone"] == (True, "cannot be read: No such file or directory")
    assert of_hits(place.points()) == hits(range(100))


def test_an_archive_that_breaks_off_far_behind_its_beginning_is_put_aside_and_named(place: Place) -> None:
    """Its beginning looked well; half of its records would be a wrong number for each of its windows."""
    rng = random.Random(1)
    data = "".join(f"{_iso(second)} k {rng.random()}\n" for second in range(40_000)).encode()
    (place.folder / "old").mkdir()
    broken = place.folder / "old" / "broken.gz"
    broken.write_bytes(gzip.compress(data)[:-2000])
    prepared = place.prepare([str(broken), place.write("old/z", range(50_000, 50_100))])
    runner = prepared.runner(clock=place.clock)
    runner.open()
    settle(runner)
    assert [sentence.split(":")[0] for sentence in prepared.source.put_aside()] == [str(broken)]
    _finish(runner)
    assert of_hits(place.points()) == hits(range(50_000, 50_100))


def test_the_metrics_about_the_runner_stay_those_of_the_runner(place: Place) -> None:
    prepared = place.prepare([place.write("old/a", range(100))])
    sink = replace(prepared.plan.sinks[0], metrics=("*", "pegel_*"))
    prepared = replace(prepared, plan=replace(prepared.plan, sinks=[sink]))
    runner = prepared.runner(clock=place.clock)
    runner.open()
    place.clock.now += 120
    _finish(runner)
    assert {point.metric for point in place.store.received} <= {"hits", "lately"}


@st.composite
def archives(draw: st.DrawFn) -> list[tuple[list[int], bool, bool]]:
    """Logs of several servers, each cut into archives: (times, packed, there twice). They overlap in time."""
    result = []
    for _ in range(draw(st.integers(1, 3))):
        time = draw(st.integers(0, 20_000))
        for _ in range(draw(st.integers(1, 4))):
            steps = draw(st.lists(st.integers(-3, 400), min_size=1, max_size=30))
            times = []
            for step in steps:
                time = max(0, time + step)
                times.append(time)
            result.append((times, draw(st.booleans()), draw(st.booleans())))
    return result


@settings(max_examples=int(os.environ.get("PEGEL_EXAMPLES", "8")), deadline=None, phases=FAST)
@given(archives=archives(), seed=st.integers(0, 2**16), kills=st.lists(st.integers(1, 12), max_size=4))
def test_any_archives_in_any_order_killed_anywhere_count_once(
    tmp_path_factory: pytest.TempPathFactory, archives: list[tuple[list[int], bool, bool]], seed: int, kills: list[int]
) -> None:
    """Overlapping logs, packed and plain twins, restarts between any two steps, orders of arguments that change."""
    # without lateness a record is lost as soon as the watermark was wrong for a moment
    place, rng = Place(tmp_path_factory.mktemp("backfill"), lateness="0s"), random.Random(seed)
    paths, everything = [], []
    for number, (times, packed, twice) in enumerate(archives):
        # a log says who wrote it, so that two servers never write the same bytes
        data = "".join(f"{_iso(time)} k u{number}x{index}\n" for index, time in enumerate(times)).encode()
        for copy, gz in enumerate((packed, not packed) if twice else (packed,)):
            path = place.folder / f"{rng.random()}-{copy}.log"
            path.write_bytes(gzip.compress(data) if gz else data)
            paths.append(str(path))
        everything += times
    for steps in kills:
        rng.shuffle(paths)
        runner = place.prepare(paths).runner(clock=place.clock)
        runner.open()
        for _ in range(steps):
            runner.step()
        runner.close()  # nothing is written by closing: a kill leaves the same
    rng.shuffle(paths)
    place.backfill(paths)
    assert of_hits(place.points()) == hits(everything)


def test_one_that_goes_on_keeps_others_out_again(tmp_path: Path) -> None:
    """What it will count is not known before it is finished, however often it was."""
    place = Place(tmp_path)
    place.write("live.log", [86_400])
    place.live()
    first = place.write("a.log", [60, 61])
    place.backfill([first], name="a")
    place.prepare([first, place.write("b.log", [3600])], name="a")
    with pytest.raises(StateError, match="back-fill a is not finished"):
        place.prepare([place.write("c.log", [3601])], name="c")


def test_a_log_that_does_not_begin_with_its_earliest_record_keeps_it(tmp_path: Path) -> None:
    """Where nothing is live yet, the border is what the runner will read first, as far as records are out of order."""
    place = Place(tmp_path)
    place.write("live.log", [180, 179, 240])
    place.backfill([place.write("old.log", [0, 1])])
    place.live()
    hits = {start: count for (metric, start), count in place.points().items() if metric == "hits"}
    assert hits == {0: 2, 120: 1, 180: 1, 240: 1}


# -- sinks of samples -----------------------------------------------------------------------------------------


class Sampled(Place):
    """A place whose sink takes samples."""

    tsdb: Tsdb

    def plan(self) -> Plan:
        meter = Meter(tsdb=self.tsdb, wall=self.clock.wall)
        return replace(super().plan(), sinks=[SinkPlan(name="meter", type="meter", sink=meter)])

    def samples(self, *labels: tuple[str, str]) -> list[tuple[int, float]]:
        """Time and total, NaN where the series ends."""
        held = self.tsdb.series["hits", (*labels, ("key", "k")), "n"]
        return [(time // 10**6 - NOON, value) for time, value in sorted(held.items())]


def test_a_back_fill_has_counters_of_its_own_which_end_before_those_of_the_runner_begin(tmp_path: Path) -> None:
    """Older totals before newer samples of one series would count everything twice."""
    place = Sampled(tmp_path)
    place.tsdb = Tsdb(window=60 * 86_400.0)
    place.write("live.log", range(600, 900, 10))
    place.live()
    place.backfill([place.write("old/a", range(120, 600, 5))])
    live, old = place.samples(), place.samples(("backfill", "old"))
    assert (live[0], live[-1]) == ((600, 0), (900, 30))
    assert (old[0], old[-2]) == ((120, 0), (600, 96))
    assert (old[-1][0], math.isnan(old[-1][1])) == (630, True)
    assert [after - before for (_, before), (_, after) in itertools.pairwise(old[:-1])] == [12] * 8
    assert place.tsdb.broken == []
    gauges = sorted(place.tsdb.series["hits", (("key", "k"),), "users"])
    assert [time // 10**6 - NOON for time in gauges] == list(range(180, 901, 60)), (
        "one series, one sample of each window"
    )
