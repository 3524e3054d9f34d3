"""Writers come and go: what is known of them stays small, and no watermark goes back."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from pegel.pipeline.partitions import Partitions, SourceNews
from pegel.plan import SourcePlan
from pipeline.objects import ObjectHouse, records
from sources.fake_bucket import NOON

SECOND = 10**6
HOUR = 3600 * SECOND
DAY = 24 * HOUR
LATENESS = 2 * HOUR
BEGIN = round(NOON * 1e6)


def bucket(directory: Path = Path()) -> SourcePlan:
    return ObjectHouse(directory).plan().sources[0]


@dataclass
class Course:
    """A source whose objects come one after another; what it knew is forgotten, or not."""

    forgets: bool
    partitions: Partitions = field(default_factory=lambda: Partitions(bucket(), {}))
    watermark: int = 0
    marks: list[int] = field(default_factory=list)
    most: int = 0

    def read(self, writer: str, now: int, time: int, *, caught_up: bool) -> None:
        """An object of a writer is listed, then read; its records are as old as `time` at most."""
        self._look(SourceNews(False, None, frozenset({writer}), frozenset({writer})), now)
        self.partitions.advance(writer, min(time, now), now)
        self._look(SourceNews(caught_up), now)

    def _look(self, news: SourceNews, now: int) -> None:
        mark = self.partitions.watermark(news, now)
        self.watermark = max(self.watermark, mark or 0)
        self.marks.append(self.watermark)
        if self.forgets:
            self.partitions.forget(news, LATENESS)
        self.most = max(self.most, len(self.partitions.known))


steps = st.tuples(
    st.sampled_from("abcde"),
    st.sampled_from([1, 60, 400, 7200, 86_000, 90_000, 200_000]),
    st.sampled_from([0, 30, 3600, 100_000]),
    st.booleans(),
)


@given(st.lists(steps, max_size=30))
def test_what_was_forgotten_changes_no_watermark(history: list[tuple[str, int, int, bool]]) -> None:
    """Whatever writers come back after whatever time, with records as old as they like."""
    with_all, with_few, now = Course(False), Course(True), BEGIN
    for writer, later, older, caught_up in history:
        now += later * SECOND
        for course in (with_all, with_few):
            course.read(writer, now, now - older * SECOND, caught_up=caught_up)
    assert with_few.marks == with_all.marks


def test_ten_thousand_writers_of_ten_days_are_those_of_one() -> None:
    course = Course(True)
    begun = time.process_time()
    for number in range(10_000):
        course.read(f"writer-{number}", BEGIN + number * DAY // 1000, BEGIN + number * DAY // 1000, caught_up=False)
    assert course.most <= 1_002
    assert course.watermark == BEGIN + 9_999 * DAY // 1000 - 90 * SECOND - 3 * DAY // 1000  # three others are not idle
    assert time.process_time() - begun < 30.0


def test_a_source_that_fails_forgets_nobody() -> None:
    """What it has to say is unknown."""
    partitions = Partitions(bucket(), {})
    for number in range(3):
        partitions.advance(str(number), BEGIN + number * 2 * DAY, BEGIN + number * 2 * DAY)
    assert partitions.forget(SourceNews(True, 3.0), LATENESS) == []
    assert set(partitions.forget(SourceNews(True), LATENESS)) == {"0", "1"}


def test_the_one_that_is_farthest_stays() -> None:
    """It says how far the source is, for those who want to let go of what was read before."""
    partitions = Partitions(bucket(), {})
    partitions.advance("far", BEGIN + DAY, BEGIN)
    partitions.advance("last", BEGIN, BEGIN + 3 * DAY)
    assert partitions.forget(SourceNews(True), LATENESS) == []


def test_a_writer_that_is_quiet_within_the_lateness_is_kept() -> None:
    partitions = Partitions(bucket(), {})
    partitions.advance("quiet", BEGIN, BEGIN)
    partitions.advance("last", BEGIN + 3 * DAY, BEGIN + 3 * DAY)
    assert partitions.forget(SourceNews(True), 4 * DAY) == []
    assert partitions.forget(SourceNews(True), LATENESS) == ["quiet"]


def test_the_rows_of_writers_that_went_away_go_and_nothing_counts_twice(tmp_path: Path) -> None:
    """Days of a runner, with a restart, and one of them comes back at the end."""
    house = ObjectHouse(tmp_path)
    runner = house.runner()
    for day in range(4):
        for number in range(5):
            at = day * 86_400 + number * 60
            house.clock.now = max(house.clock.now, NOON + at + 30)
            hour = f"p/202603{3 + day:02d}/12/rtl.w{day}-{number}+000001.log"
            house.bucket.put(hour, records((at, "k", 1, "u")), NOON + at)
            house.work(runner, 61.0)
        runner.close()
        runner = house.runner()
    house.bucket.put("p/20260306/12/rtl.w0-0+000002.log", records((3 * 86_400 + 200, "k", 1, "u")), house.clock.now)
    house.work(runner, 700.0)
    known = runner.state.positions.partitions("log")
    assert {name.rpartition("w")[2] for name in known} <= {"0-0", *(f"{day}-{n}" for day in (2, 3) for n in range(5))}
    counts = {name: value for (name, _), value in runner.state.counters().items()}
    assert counts["records_total"] == 21
    assert "too_late_total" not in counts
    runner.close()
