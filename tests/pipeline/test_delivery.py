"""The road of points to a sink: whatever happens on it, at the end the newest value is there."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doubles import FakeClock
from pegel.pipeline.letters import retry
from pegel.sinks import Point
from pipeline.roads import LATE, Depot, Road, Row, Server, again, point, row_of


@pytest.fixture
def depot(tmp_path: Path) -> Iterator[Depot]:
    clock = FakeClock()
    depot = Depot(tmp_path, Road(server=Server(clock)), clock)
    yield depot
    depot.close()


def values(depot: Depot) -> list[int]:
    return [int(str(one.values["n"])) for _, one in sorted(depot.sink.server.rows.items())]


def fates(depot: Depot, *fates: str) -> None:
    coming = iter(fates)
    depot.sink.fate = lambda: next(coming, "stored")


# -- late arrivals ----------------------------------------------------------------------------------------

fate = st.one_of(
    st.sampled_from(["stored", "stored", "unreachable", "lost", "reply lost"]),
    st.floats(0.1, LATE - 0.1).map(lambda seconds: f"late {seconds}"),
)
event = st.one_of(
    st.tuples(st.just("put"), st.integers(0, 2), st.sampled_from("ab"), st.booleans()),
    st.tuples(st.just("turn")),
    st.tuples(st.just("send"), fate),
    st.tuples(st.just("send"), fate),
    st.tuples(st.just("wait"), st.floats(0.1, 1.5 * LATE)),
    st.tuples(st.just("crash")),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(event, max_size=40))
def test_at_the_end_the_newest_value_of_every_row_is_stored(events: list[tuple[str, ...]]) -> None:
    """For any order of revisions, losses, late arrivals and crashes."""
    assert run(events, LATE) == []


def run(events: list[tuple[str, ...]], allowance: float) -> list[str]:
    """What is wrong at the end of a story."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as directory:
        clock = FakeClock()
        depot = Depot(Path(directory), Road(server=Server(clock), allowance=allowance), clock)
        newest: dict[Row, Point] = {}
        for number, (what, *how) in enumerate(events):
            if what == "put":
                depot.turn(put(newest, number, *how))  # type: ignore[arg-type]
            elif what == "turn":
                depot.turn()
            elif what == "send":
                depot.sink.fate = lambda fate=how[0]: fate  # type: ignore[misc]
                depot.send()
            elif what == "wait":
                depot.sink.server.pass_time(float(how[0]))
            else:
                depot.crash()
        depot.finish()
        depot.close()
        stored = depot.sink.server.rows
        return [f"{row}: {stored.get(row)} is not {value}" for row, value in newest.items() if stored.get(row) != value]


def put(newest: dict[Row, Point], number: int, window: int, key: str, early: bool) -> Point:
    """The next value of a row: early ones have revision 0 until the first that is not."""
    fresh = point(window, key, number)
    former = newest.get(row_of(fresh))
    if former is not None and (former.revision > 0 or not early):
        fresh = again(former, number)
    newest[row_of(fresh)] = fresh
    return fresh


ZOMBIE = [
    ("put", 0, "a", True),
    ("send", "late 15"),
    ("send", "stored"),
    ("put", 0, "a", False),
    ("send", "stored"),
    ("wait", 16.0),
]
"""A first value times out, is stored again, is replaced, and then the first attempt arrives after all."""


def test_a_former_value_that_arrives_late_does_not_stay() -> None:
    assert run(ZOMBIE, LATE) == []  # type: ignore[arg-type]


def test_without_fences_it_would_stay() -> None:
    """Otherwise the stories above would show nothing."""
    assert len(run(ZOMBIE, 0.0)) == 1  # type: ignore[arg-type]


def test_a_crash_in_the_middle_of_an_attempt_is_an_attempt_of_unknown_fate() -> None:
    story = [*ZOMBIE[:2], ("crash",), ("turn",), *ZOMBIE[2:]]
    assert run(story, LATE) == []  # type: ignore[arg-type]
    assert len(run(story, 0.0)) == 1  # type: ignore[arg-type]


def test_a_newer_value_that_was_frozen_before_the_timeout_is_remembered_too() -> None:
    """Four requests are frozen at a time, so it may stand behind the one that times out."""
    story = [("put", 0, "a", True), ("put", 0, "a", False), *(ZOMBIE[1:3]), ("send", "stored"), ("wait", 16.0)]
    assert run(story, LATE) == []  # type: ignore[arg-type]
    assert len(run(story, 0.0)) == 1  # type: ignore[arg-type]


def test_a_road_that_flaps_is_not_held_up(depot: Depot) -> None:
    """Fences take no time from what comes after them: each minute's value arrives with its second attempt."""
    for minute in range(30):
        depot.turn(point(minute, value=minute))
        fates(depot, "lost", "stored")
        for _ in range(2):
            depot.send()
            depot.turn()
        assert values(depot)[-1] == minute
        depot.sink.server.pass_time(1.0)


def test_nothing_is_sent_again_where_nothing_newer_was_sent(depot: Depot) -> None:
    """A late arrival of the same bytes changes nothing."""
    depot.turn(point(value=1))
    fates(depot, "lost", "stored")
    depot.send()
    depot.send()
    depot.turn()
    depot.sink.server.pass_time(LATE + 1)
    sent = depot.delivery.sent_points
    assert depot.delivery.due()
    depot.turn()
    depot.send()
    assert depot.delivery.sent_points == sent
    assert not depot.delivery.due()


def test_a_certain_failure_raises_no_fence(depot: Depot) -> None:
    """A server that is down for days refuses connections; nothing of that can arrive."""
    depot.turn(point(value=1))
    fates(depot, "unreachable", "stored")
    depot.send()
    depot.turn(again(point(), 2))
    depot.send()
    depot.send()
    depot.turn()
    assert depot.state.fenced.ends("far") == {}


def test_a_fence_survives_the_runner(depot: Depot) -> None:
    """Runs from cron live for a second."""
    depot.turn(point(value=1))
    fates(depot, "late 15", "stored", "stored")
    depot.send()
    depot.send()
    depot.turn(again(point(), 2))
    depot.send()
    depot.turn()
    depot.crash()
    depot.sink.server.pass_time(LATE + 1)
    assert values(depot) == [1]
    assert depot.delivery.due()
    depot.turn()
    depot.send()
    assert values(depot) == [2]


def test_a_value_that_still_waits_is_newer_than_what_is_sent_once_more(depot: Depot) -> None:
    """Both have revision 0 while the window is open."""
    depot.turn(point(value=1))
    fates(depot, "late 15", "stored", "stored")
    depot.send()
    depot.send()
    depot.turn(point(value=2))
    depot.send()
    depot.turn(*under_way())
    depot.turn(point(value=3))
    depot.sink.server.pass_time(LATE + 1)
    depot.turn()
    depot.finish()
    assert values(depot)[-1] == 3


def under_way() -> list[Point]:
    """So many points that as many requests are frozen as may be."""
    return [point(window, str(key)) for window in range(1, 5) for key in range(3_000)]


# -- patience -------------------------------------------------------------------------------------------------


def test_it_is_tried_again_when_the_server_said_and_at_once_when_it_was_mended(depot: Depot) -> None:
    """A revoked token is asked about once a minute; a new one in its file is used within seconds."""
    depot.turn(point(value=1))
    fates(depot, "unreachable", "unreachable", "stored")
    depot.send()
    depot.clock.now += 59
    assert depot.delivery.send_one() is None
    depot.clock.now += 1
    assert depot.delivery.send_one() is not None
    assert depot.delivery.patience() <= 2.0
    depot.sink.repaired = True
    assert depot.delivery.send_one() is not None
    assert values(depot) == [1]


# -- dead letters -----------------------------------------------------------------------------------------


def refusing(depot: Depot, *keys: str) -> None:
    depot.sink.server.refuses = lambda point: "wrong type" if dict(point.labels)["key"] in keys else ""


def sent(depot: Depot, *points: Point) -> None:
    depot.turn(*points)
    depot.send()
    depot.turn()


def retried(depot: Depot) -> tuple[int, int]:
    with depot.state.transaction():
        return retry(depot.state.outbox, depot.state.letters, "far", round(depot.clock.now * 1e6))


def test_only_the_refused_rows_become_dead_letters(depot: Depot, caplog: pytest.LogCaptureFixture) -> None:
    refusing(depot, "b", "d")
    with caplog.at_level(logging.ERROR):
        sent(depot, *[point(key=key, value=number) for number, key in enumerate("abcde")])
    assert values(depot) == [0, 2, 4]
    (letters,) = depot.state.letters.counted()
    assert (letters.reason, letters.points) == ("wrong type", 2)
    assert depot.state.counters() == {("dead_letters_total", '{"reason":"other","sink":"far"}'): 2}
    assert [record.getMessage() for record in caplog.records] == [
        "2 points for far were refused and set aside (pegel sinks shows them): wrong type"
    ]


def test_letters_of_one_request_are_told_apart_by_window(depot: Depot) -> None:
    """A request holds many windows; the index of a row counts through all of them."""
    depot.sink.server.refuses = lambda one: "odd" if int(str(one.values["n"])) in (1, 4) else ""
    sent(depot, *[point(window, key, 2 * window + (key == "b")) for window in range(3) for key in "ab"])
    assert values(depot) == [0, 2, 3, 5]
    assert [start // 60_000_000 % 60 for _, start in depot.state.letters.windows("far")] == [0, 2]


def test_a_retry_stores_what_was_set_aside(depot: Depot) -> None:
    refusing(depot, "a")
    sent(depot, point(key="a", value=7), point(key="b", value=8))
    refusing(depot)
    assert retried(depot) == (1, 0)
    assert depot.state.letters.count("far") == 0
    assert depot.delivery.due(), "nothing else would make the runner look"
    sent(depot)
    assert values(depot) == [7, 8]


def test_what_is_refused_again_is_a_letter_again(depot: Depot) -> None:
    refusing(depot, "a")
    sent(depot, point(key="a", value=7))
    retried(depot)
    sent(depot)
    assert depot.state.letters.count("far") == 1


def test_a_newer_value_that_was_stored_ends_the_letter(depot: Depot) -> None:
    """A retry would put the former value back."""
    refusing(depot, "a")
    first = point(key="a", value=7, revision=1)
    sent(depot, first, point(key="b", value=1))
    refusing(depot)
    sent(depot, again(first, 9))
    assert depot.state.letters.count("far") == 0
    assert retried(depot) == (0, 0)
    assert values(depot) == [9, 1]


def test_a_newer_value_under_way_or_waiting_ends_the_letter_too(depot: Depot) -> None:
    refusing(depot, "a")
    first = point(key="a", value=7, revision=1)
    sent(depot, first)
    depot.turn(again(first, 9))
    refusing(depot)
    assert retried(depot) == (0, 1)
    depot.finish()
    assert values(depot) == [9]


def test_a_retry_does_not_replace_a_value_that_waits(depot: Depot) -> None:
    refusing(depot, "a")
    sent(depot, point(value=1))
    depot.turn(*under_way())
    depot.turn(point(value=2))
    refusing(depot)
    assert retried(depot) == (1, 0)
    depot.finish()
    assert values(depot)[-1] == 2


def test_an_open_window_that_is_refused_again_and_again_is_one_letter(depot: Depot) -> None:
    """Early values come every ten seconds."""
    refusing(depot, "a")
    for value in range(20):
        sent(depot, point(key="a", value=value))
    assert depot.state.letters.count("far") == 1
    refusing(depot)
    retried(depot)
    sent(depot)
    assert values(depot) == [19]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("put"), st.integers(0, 1), st.sampled_from("ab"), st.booleans()),
            st.tuples(st.sampled_from(["send", "turn", "retry", "crash"])),
            st.tuples(st.just("refuse"), st.sampled_from(["", "a", "b", "ab"])),
            st.tuples(st.just("fate"), fate),
        ),
        max_size=40,
    )
)
def test_letters_and_retries_never_put_a_former_value_back(events: list[tuple[str, ...]]) -> None:
    """Whatever was refused when: after the last retry the newest values are there."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as directory:
        clock = FakeClock()
        depot = Depot(Path(directory), Road(server=Server(clock)), clock)
        newest: dict[Row, Point] = {}
        for number, (what, *how) in enumerate(events):
            if what == "put":
                depot.turn(put(newest, number, *how))  # type: ignore[arg-type]
            elif what == "refuse":
                refusing(depot, *how[0])
            elif what == "fate":
                depot.sink.fate = lambda fate=how[0]: fate  # type: ignore[misc]
            else:
                {"send": depot.send, "turn": depot.turn, "retry": lambda: retried(depot), "crash": depot.crash}[what]()
        refusing(depot)
        depot.finish()
        retried(depot)
        depot.finish()
        assert depot.sink.server.rows == newest
        assert depot.state.letters.count("far") == 0
        depot.close()


def test_letters_have_a_cap(depot: Depot) -> None:
    """A type conflict that nobody mends would fill the disk, a row a minute."""
    refusing(depot, "a")
    object.__setattr__(depot.delivery.plan, "max_bytes", 1_000)
    for minute in range(40):
        sent(depot, point(minute, "a"))
    assert depot.state.letters.size("far") <= 1_000
    dropped = depot.state.counters()["dead_letters_dropped_total", '{"sink":"far"}']
    assert dropped + depot.state.letters.count("far") == 40
    assert depot.state.letters.windows("far")[-1][1] == point(39).start_us


def test_the_same_reason_is_logged_once_an_hour(depot: Depot, caplog: pytest.LogCaptureFixture) -> None:
    refusing(depot, "a")
    for minute in range(61):
        sent(depot, point(minute, "a"))
        depot.clock.now += 60
    assert len([one for one in caplog.records if "set aside" in one.getMessage()]) == 2


def test_a_server_with_words_of_its_own_for_every_row_makes_one_counter_and_one_line(
    depot: Depot, caplog: pytest.LogCaptureFixture
) -> None:
    """As labels of a counter its words would be series for ever; the letters have them."""
    depot.sink.server.refuses = lambda point: f"bad row {point.values['n']}" if point.values["n"] else ""
    sent(depot, *[point(window, key, 10 * window + number) for window in range(5) for number, key in enumerate("abc")])
    assert depot.state.counters() == {("dead_letters_total", '{"reason":"other","sink":"far"}'): 14}
    assert len({one.reason for one in depot.state.letters.counted()}) == 14
    (line,) = [one.getMessage() for one in caplog.records]
    assert line == "14 points for far were refused and set aside (pegel sinks shows them): bad row 1"


def test_one_line_tells_of_all_requests_that_are_under_way(depot: Depot, caplog: pytest.LogCaptureFixture) -> None:
    """It said 102 where 130 were refused, and people believed it."""
    depot.sink.server.refuses = lambda _: "wrong type"
    depot.turn(point(0, "a"), point(0, "b"))
    depot.turn(point(1, "a"))
    depot.sink.faults = {0: "type_conflict"}
    depot.send()
    depot.turn()
    assert not caplog.records
    depot.send()
    depot.turn()
    assert [one.getMessage().split(" were")[0] for one in caplog.records] == ["2 points for far", "1 points for far"]
    counters = depot.state.counters()
    assert counters["dead_letters_total", '{"reason":"type_conflict","sink":"far"}'] == 2
    assert counters["dead_letters_total", '{"reason":"other","sink":"far"}'] == 1
