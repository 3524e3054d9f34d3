"""The SIGKILL loop in small, and the judge of its output."""

from __future__ import annotations

import json

from prove.sigkill import Loop, read_points
from simulation.oracle import SECOND, Row

VALUES = {"n": 2, "total": 3, "users": 1, "top": 2, "last": 1}


def line(values: dict[str, int], revision: int = 1) -> bytes:
    point = {"metric": "requests", "time": "1970-01-01T00:00:10Z", "labels": {"key": "a"}, "values": values}
    return json.dumps({**point, "revision": revision}).encode() + b"\n"


def test_the_highest_revision_counts_wherever_it_stands() -> None:
    rows, broken = read_points(line({**VALUES, "n": 3}, 2) + line(VALUES) + line(VALUES))
    assert rows == {(10 * SECOND, "a"): Row(n=3, total=3, users=1, top=2, last=1)}
    assert broken == []


def test_a_revision_with_two_values_is_a_broken_promise() -> None:
    _, broken = read_points(line(VALUES) + line({**VALUES, "n": 3}))
    assert broken == [f"{(10 * SECOND, 'a')} has two values of revision 1"]


def test_s44_real_kills_change_no_number() -> None:
    """Three real deaths; `python -m prove` adds a hundred, or ten thousand."""
    report = Loop(seed=1, kills=3, habit="rename", rotate=1.0).run()
    assert (report.wrong, report.broken_starts, report.kills) == ([], [], 3)
    assert report.windows > 0
