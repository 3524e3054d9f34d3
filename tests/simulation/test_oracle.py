"""The judge is judged by hand: small cases whose answers are plain to see."""

from __future__ import annotations

from simulation.oracle import MINUTE, SECOND, Record, Row, Rules, judge, rolling, totals, windows


def record(number: int, seconds: float, key: str = "a", value: int = 1, user: str = "u") -> Record:
    return Record(number, int(seconds * SECOND), key, value, user)


def test_windows_follow_event_time_and_keys() -> None:
    found = windows(
        [record(1, 59, value=5), record(2, 61), record(3, 0, "b"), record(4, 30, value=2, user="v")], MINUTE
    )
    assert found == {
        (0, "a"): Row(n=2, total=7, users=2, top=5, last=5),
        (MINUTE, "a"): Row(n=1, total=1, users=1, top=1, last=1),
        (0, "b"): Row(n=1, total=1, users=1, top=1, last=1),
    }


def test_last_is_by_event_time_then_by_arrival() -> None:
    rows = windows([record(1, 10, value=1), record(2, 10, value=2), record(3, 9, value=3)], MINUTE)
    assert rows[0, "a"].last == 2


def test_totals_are_over_all_time() -> None:
    assert totals([record(1, 0, value=2), record(2, 600, value=3), record(3, 0, "b")]) == {
        "a": (2, 5),
        "b": (1, 1),
    }


def test_rolling_waits_until_it_is_covered_and_steps_down_to_one_zero() -> None:
    records = [record(1, 10, user="u"), record(2, 70, user="v"), record(3, 75, user="u")]
    assert rolling(records, MINUTE, 3 * MINUTE, 60 * MINUTE) == {
        2 * MINUTE: (3, 2, 2),
        3 * MINUTE: (2, 2, 0),
        4 * MINUTE: (0, 0, 0),
    }


def test_a_record_is_judged_by_the_watermark_before_its_turn() -> None:
    """In one turn with the record that overtook it, nothing is late."""
    rules = Rules(lateness_us=10 * MINUTE)
    now = 3600 * SECOND
    together = judge([(now, [record(1, 3590), record(2, 60)])], rules)
    apart = judge([(now, [record(1, 3590)]), (now, [record(2, 60), record(3, 3000)])], rules)
    assert [r.number for r in together.counted] == [1, 2]
    assert [r.number for r in apart.too_late] == [2]
    assert [r.number for r in apart.late] == [3]


def test_future_records_are_set_aside_and_move_no_watermark() -> None:
    verdicts = judge([(1000 * SECOND, [record(1, 1000), record(2, 1400)])], Rules())
    assert [r.number for r in verdicts.future] == [2]
    assert verdicts.watermark_us == 995 * SECOND


def test_a_correction_is_a_new_revision() -> None:
    now = 1000 * SECOND
    verdicts = judge([(now, [record(1, 10)]), (now, [record(2, 900)]), (now, [record(3, 20), record(4, 950)])], Rules())
    assert verdicts.closed == {(0, "a"): 2}
