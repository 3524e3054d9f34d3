"""Back-fills of a part of a bucket: windows are whole, nobody's are touched, and a kill changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from doubles import settle
from pegel.pipeline.backfill import finish, prepare
from pipeline.objects import ObjectHouse, records
from sources.bucket_driving import key
from sources.fake_bucket import NOON, FakeBucket


@pytest.fixture
def house(tmp_path: Path) -> ObjectHouse:
    """A bucket with records of two days, twenty minutes apart; each is uploaded ten minutes after its time."""
    bucket = FakeBucket()
    for number in range(-60, 60):
        written = NOON + number * 1200 + 600
        day, hour = divmod(int(written // 3600 - NOON // 3600) + 12, 24)
        name = key(hour, number + 100).replace("20260303", f"202603{3 + day:02d}")
        bucket.put(name, records((number * 1200, "k", 1, "u")), written)
    house = ObjectHouse(tmp_path, bucket=bucket)
    house.clock.now = NOON + 30 * 86400
    return house


def fill(house: ObjectHouse, *words: str, name: str = "old", lives: int = 1) -> None:
    """The whole back-fill, killed in between as often as is said."""
    for life in range(lives):
        prepared = prepare(house.plan(), "log", name, words, clock=house.clock)
        runner = prepared.runner(house.clock)
        runner.open()
        if life < lives - 1:
            for _ in range(7):
                runner.step()
            runner.close()
            continue
        settle(runner)
        runner.last_turn(close_all=True)
        settle(runner)
        assert runner.caught_up()
        finish(runner)
        runner.close()


def starts(house: ObjectHouse) -> list[float]:
    """Hours after noon at which the windows begin that the sink has; what came twice was the same."""
    closed = [point for point in house.sink.received if point.revision]
    assert all(point.values == {"n": 1} for point in closed)
    return sorted({point.start_us / 3.6e9 - NOON / 3600 for point in closed})


def test_a_span_of_hours_gives_the_windows_of_that_span(house: ObjectHouse) -> None:
    """Their records are in the objects of these hours and of the one that follows."""
    fill(house, "2026-03-03T13..2026-03-03T15")
    assert starts(house) == pytest.approx([1 + third / 3 for third in range(6)])


def test_a_kill_changes_nothing(house: ObjectHouse) -> None:
    fill(house, "2026-03-03T13..2026-03-03T15", lives=3)
    assert starts(house) == pytest.approx([1 + third / 3 for third in range(6)])


def test_keys_can_be_named_too(house: ObjectHouse) -> None:
    """Then the windows are those of whatever is in the objects."""
    fill(house, "p/20260303/14", "p/20260303/16")
    assert starts(house) == pytest.approx([2 + third / 3 for third in (0, 1, 2, 6, 7, 8)])


def test_another_part_gets_its_own_windows(house: ObjectHouse) -> None:
    fill(house, "2026-03-03T13..2026-03-03T15", name="first")
    fill(house, "2026-03-03T14..2026-03-03T17", name="second")
    assert starts(house) == pytest.approx([1 + third / 3 for third in range(12)])


def test_nothing_is_deleted(house: ObjectHouse) -> None:
    house.options["delete"] = True
    fill(house, "2026-03-02..2026-03-05")
    assert len(house.bucket.objects) == 120


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("q/20260303", 'no key begins with "q/20260303"'),
        ("2026-03-03..2026-03-01", "is no span of time"),
    ],
)
def test_a_word_that_names_nothing_is_refused(house: ObjectHouse, word: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        prepare(house.plan(), "log", "old", [word], clock=house.clock)


def test_hours_need_keys_that_say_them(house: ObjectHouse) -> None:
    house.options |= {"layout": "", "names": ""}
    with pytest.raises(ValueError, match="the keys say none"):
        prepare(house.plan(), "log", "old", ["2026-03-03"], clock=house.clock)
