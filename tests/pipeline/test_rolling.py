"""Rolling windows: panes enter when they close, a point per step, closed steps are final (semantics 2)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from doubles import House, metric, settle
from pegel.crowd import Crowd
from pegel.metrics.definition import Value

NOON = 1_772_539_200
A = (("key", "a"),)
ROLLING = metric("m", every=60.0, over=180.0, users="count(distinct user)", n="count(*)")


def steps(house: House) -> dict[int, dict[str, object]]:
    return {
        (start - NOON) // 60: dict(values) for (start, labels), values in house.sink.newest().items() if labels == A
    }


def write(house: House, minute: float, *users: str) -> None:
    house.source.write(*[(NOON + 60 * minute + 10, "a", 1, user) for user in users])


def run_until(house: House, minute: float) -> None:
    house.clock.now = NOON + 60 * minute
    house.run()


def test_a_step_counts_whom_it_saw_in_the_whole_window(tmp_path: Path) -> None:
    house = House(tmp_path, metrics=[ROLLING])
    for minute, users in enumerate(("ab", "bc", "c", "d", "e", "a")):
        write(house, minute, *users)
        run_until(house, minute + 0.5)
    assert steps(house)[2] == {"users": 3, "n": 5}
    assert steps(house)[3] == {"users": 3, "n": 4}
    assert steps(house)[4] == {"users": 3, "n": 3}


def test_a_cold_start_emits_nothing_before_the_window_is_covered(tmp_path: Path) -> None:
    house = House(tmp_path, metrics=[ROLLING])
    for minute in range(6):
        write(house, minute, "a")
        run_until(house, minute + 0.5)
    assert min(steps(house)) == 2


def test_without_records_it_steps_down_to_one_last_zero_and_stops(tmp_path: Path) -> None:
    house = House(tmp_path, metrics=[ROLLING])
    for minute in range(4):
        write(house, minute, "a")
    run_until(house, 4)
    run_until(house, 30)
    got = steps(house)
    assert [got[minute]["n"] for minute in range(2, 7)] == [3, 3, 2, 1, 0]
    assert max(got) == 6
    run_until(house, 60)
    assert max(steps(house)) == 6


def test_a_late_record_counts_in_the_steps_to_come_and_in_no_closed_one(tmp_path: Path) -> None:
    house = House(tmp_path, metrics=[ROLLING])
    for minute in range(5):
        write(house, minute, "a")
        run_until(house, minute + 0.5)
    closed = steps(house)[3]
    write(house, 3.2, "late")
    write(house, 5, "a")
    run_until(house, 5.5)
    assert steps(house)[3] == closed
    assert steps(house)[4] == {"users": 2, "n": 4}


def test_arrivals_are_counted_once_per_visit(tmp_path: Path) -> None:
    """+1 for each user that is in none of the previous panes of the window; never taken back."""
    arrivals = metric("m", every=60.0, over=180.0, came="arrivals(user)")
    arrivals = replace(arrivals, values={"came": Value(value="arrivals(user)", kind="counter")})
    house = House(tmp_path, metrics=[arrivals])
    for minute, users in enumerate(("a", "ab", "", "", "a", "b", "b", "b", "b")):
        write(house, minute, *users)
        house.source.write((NOON + 60 * minute + 10, "other", 1, "x"))
        run_until(house, minute + 0.5)
    house.run(close_all=True)
    runner = house.runner()
    (total,) = [point for point in runner.turn.metrics[0].snapshot() if point.labels == A]
    runner.close()
    shown = [step["came"] for step in steps(house).values()]
    assert shown == [2, 0, 1, 1, 0, 0, 0]  # minutes 2 to 8: the first one tells those before, a at 0 and b at 1
    assert total.values == {"came": 4}  # a at 4 again (gone for 2 panes), b at 5


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.sampled_from("abcde"), max_size=4), min_size=4, max_size=14), st.sets(st.integers(0, 13)))
def test_any_restarts_give_what_a_plain_count_gives(
    tmp_path_factory: object, minutes: list[list[str]], restarts: set[int]
) -> None:
    """The indexes in memory are rebuilt from the state."""
    house = House(tmp_path_factory.mktemp("rolling"), metrics=[ROLLING])  # type: ignore[attr-defined]
    runner = house.runner()
    for minute, users in enumerate(minutes):
        write(house, minute, "always", *users)
        house.clock.now = NOON + 60 * (minute + 0.5)
        if minute in restarts:
            runner.close()
            runner = house.runner()
        settle(runner)
    runner.close()
    got = steps(house)
    for step in range(2, len(minutes) - 1):
        window = [["always", *users] for users in minutes[step - 2 : step + 1]]
        assert got[step] == {"users": len(set().union(*window)), "n": sum(map(len, window))}


def test_an_earlier_pane_that_is_read_later_but_in_time_moves_the_first_window(tmp_path: Path) -> None:
    """How the input was divided must not decide where rolling begins."""
    house = House(tmp_path, metrics=[ROLLING])
    write(house, 1, "a")
    house.clock.now = NOON + 61
    house.run()
    house.source.write((NOON + 59, "a", 1, "early"))
    house.run()
    for minute in range(2, 6):
        write(house, minute, "a")
        run_until(house, minute + 0.5)
    assert min(steps(house)) == 2
    assert steps(house)[2] == {"users": 2, "n": 3}


def test_steps_of_a_definition_that_ended_are_not_shown_beside_those_of_the_next(tmp_path: Path) -> None:
    """What it still looks back on would step down to zero, in the same series that the next one has begun."""
    house = House(tmp_path, metrics=[ROLLING])
    for minute in range(4):
        write(house, minute, "a")
        run_until(house, minute + 0.5)
    house.metrics = [replace(ROLLING, values={"n": Value(value="count(*)"), "sum": Value(value="sum(number)")})]
    for minute in range(4, 9):
        write(house, minute, "a")
        run_until(house, minute + 0.5)
    got = steps(house)
    assert [(minute, values) for minute, values in got.items() if "sum" not in values] == [
        (2, {"users": 1, "n": 3}),
        (3, {"users": 1, "n": 3}),
    ]
    assert {minute: values for minute, values in got.items() if minute > 3} == {
        6: {"n": 3, "sum": 3},
        7: {"n": 3, "sum": 3},
    }


def test_rolling_counts_are_exact_where_others_become_estimates(tmp_path: Path) -> None:
    """Whether a member was there before cannot be asked of an estimate."""
    house = House(tmp_path, metrics=[replace(ROLLING, approx_over=2)])
    for minute in range(4):
        write(house, minute, *"abcdef")
        run_until(house, minute + 0.5)
    assert steps(house)[2] == {"users": 6, "n": 18}


def test_the_sets_of_an_older_state_are_taken_over(tmp_path: Path) -> None:
    """They were kept by series; whoever updates loses no viewer."""
    house = House(tmp_path, metrics=[ROLLING])
    for minute, users in enumerate(("ab", "bc", "c")):
        write(house, minute, *users)
        run_until(house, minute + 0.5)
    runner = house.runner()
    metric_id, state = runner.turn.metrics[0].id, runner.state
    with state.transaction():
        for pane, (epoch, part), crowd in list(state.windows.crowds.since(metric_id, 0, 2**62)):
            for series in set(crowd.series.tolist()):
                found = Crowd.of({-series: [crowd.members[crowd.series == series]]}).members  # the shift undone
                state.windows.members.add(metric_id, pane, (epoch, part, series), found)
        state.windows.crowds.expire(metric_id, 2**62)
    runner.close()
    write(house, 3, "d")
    write(house, 4, "e")
    run_until(house, 4.2)
    assert steps(house)[3] == {"users": 3, "n": 4}
