from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import hypothesis.strategies as st
import pytest
from hypothesis import given

from pegel.metrics.windows import DAY, SECOND, Windows

HOUR = 3600 * SECOND
ZONES = ["UTC", "Europe/Prague", "America/New_York", "Asia/Kathmandu", "America/Havana", "Africa/Cairo", "Pacific/Apia"]
times = st.integers(0, 4_000_000_000 * SECOND)
lengths = st.sampled_from([1, 10, 60, 900, 3600, 86400])


def at(zone: str, text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * SECOND


@given(times, lengths, st.sampled_from(ZONES))
def test_every_time_is_in_exactly_one_pane(time: int, every: int, zone: str) -> None:
    windows = Windows(every, None, zone)
    start = windows.pane_start(time)
    end = windows.pane_end(start)
    assert start <= time < end
    assert windows.pane_start(start) == windows.pane_start(end - 1) == start
    assert windows.pane_start(end) == end == windows.next(start)
    assert windows.previous(end) == start


@given(times, st.sampled_from(ZONES))
def test_a_day_is_a_calendar_day_of_its_zone(time: int, zone: str) -> None:
    windows = Windows(86400, None, zone)
    start = windows.pane_start(time)
    last = windows.pane_end(start) - 1
    inside = [datetime.fromtimestamp(moment // SECOND, ZoneInfo(zone)).date() for moment in (start, time, last)]
    assert len(set(inside)) == 1


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Prague", "2026-03-29", 23),
        ("Europe/Prague", "2026-10-25", 25),
        ("Europe/Prague", "2026-10-26", 24),
        ("America/New_York", "2026-03-08", 23),
        ("Africa/Cairo", "2026-04-24", 23),  # clocks skip midnight itself
        ("America/Havana", "2026-11-01", 25),  # midnight happens twice
    ],
)
def test_days_have_23_24_or_25_hours(zone: str, day: str, hours: int) -> None:
    windows = Windows(86400, None, zone)
    start = windows.pane_start(at(zone, f"{day}T12:00"))
    assert windows.pane_end(start) - start == hours * HOUR


def test_a_day_that_a_zone_skipped_is_no_pane() -> None:
    """Samoa went from the 29th to the 31st of December 2011 when it changed sides of the date line."""
    windows = Windows(86400, None, "Pacific/Apia")
    start = windows.pane_start(at("Pacific/Apia", "2011-12-29T12:00"))
    assert datetime.fromtimestamp(windows.next(start) // SECOND, ZoneInfo("Pacific/Apia")).day == 31


def test_times_before_1970_have_panes_too() -> None:
    assert Windows(60).pane_start(-1) == -60 * SECOND


@given(times, st.sampled_from(ZONES), st.integers(0, 10))
def test_going_back_is_going_to_the_previous_pane_again_and_again(time: int, zone: str, count: int) -> None:
    windows = Windows(86400, 7 * 86400, zone)
    start = expected = windows.pane_start(time)
    for _ in range(count):
        expected = windows.previous(expected)
    assert windows.back(start, count) == expected


@given(st.lists(st.integers(0, 25_000), min_size=1, max_size=5, unique=True), st.sampled_from(ZONES), st.data())
def test_the_starts_of_some_days_place_every_time_in_them(days: list[int], zone: str, data: st.DataObject) -> None:
    """The fold places records by these starts alone."""
    windows = Windows(86400, None, zone)
    starts = windows.starts(days)
    time = data.draw(st.sampled_from(days)) * DAY + data.draw(st.integers(0, DAY - 1))
    assert max(start for start in starts if start <= time) == windows.pane_start(time)


@given(times, st.sampled_from([(60, None), (60, 7200), (3600, 86400), (3600, 3 * 86400), (86400, 7 * 86400)]))
def test_a_window_finds_the_members_of_all_its_panes_under_its_own_key(
    time: int, lengths: tuple[int, int | None]
) -> None:
    """A window uses the key of the epoch in which it starts; so each of its panes must be in that epoch."""
    windows = Windows(*lengths)
    start = windows.pane_start(time)
    epoch = windows.epoch(start)
    pane = start
    for _ in range(windows.steps):
        assert epoch in windows.epochs(pane)
        pane = windows.next(pane)


def test_epochs_are_as_long_as_the_window_and_at_least_a_day() -> None:
    assert Windows(60).epoch_length == DAY
    assert Windows(60, 7200).epoch_length == DAY
    assert Windows(3600, 30 * 86400).epoch_length == 30 * DAY


def test_members_enter_two_epochs_only_in_the_first_hours_of_one() -> None:
    windows = Windows(60, 7200)
    assert windows.epochs(10 * DAY + HOUR) == (9 * DAY, 10 * DAY)
    assert windows.epochs(10 * DAY + 2 * HOUR) == (10 * DAY,)
    assert Windows(60).epochs(10 * DAY) == (10 * DAY,)


@pytest.mark.parametrize("every", [0, 7, 7200 * 7, 172800, 0.7])
def test_a_pane_that_does_not_divide_a_day_is_refused(every: float) -> None:
    """Otherwise minutes of one day and of the next would not be the same minutes."""
    with pytest.raises(ValueError, match="must divide a day"):
        Windows(every)


def test_a_rolling_window_is_a_multiple_of_its_step() -> None:
    with pytest.raises(ValueError, match="multiple of `every`"):
        Windows(60, 90)


def test_an_unknown_zone_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="Europe/Nowhere"):
        Windows(86400, None, "Europe/Nowhere")


def test_the_zone_does_not_matter_for_panes_shorter_than_a_day() -> None:
    assert Windows(3600, None, "Asia/Kathmandu").pane_start(HOUR + 1) == HOUR
    assert timedelta(microseconds=DAY) == timedelta(days=1)
