"""Durations and sizes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pegel import units


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("1h30m", 5400), ("500ms", 0.5), ("1.5h", 5400), ("7d", 604800)]
)
def test_durations(text: str, seconds: float) -> None:
    assert units.duration(text) == seconds


@pytest.mark.parametrize("text", ["", "90", "s", "1 h", "90x", "-1s", "1h 30m", "h1"])
def test_what_is_no_duration_is_refused_with_the_units(text: str) -> None:
    with pytest.raises(ValueError, match="ms, s, m, h, d"):
        units.duration(text)


@pytest.mark.parametrize("text", ["9" * 400 + "d", "1001000d", "9" * 30 + "h"])
def test_a_time_that_no_machine_can_hold_is_refused(text: str) -> None:
    """A number too many is a slip; it must be a sentence, not an overflow somewhere behind."""
    with pytest.raises(ValueError, match="thousand years"):
        units.duration(text)
    with pytest.raises(ValueError, match="more than any machine has"):
        units.size("9" * 400 + "GiB")


@pytest.mark.parametrize(
    ("text", "count"), [("64MiB", 64 * 2**20), ("500kB", 500_000), ("1.5GiB", 3 * 2**29), ("10B", 10)]
)
def test_sizes(text: str, count: int) -> None:
    assert units.size(text) == count


@pytest.mark.parametrize("text", ["", "64", "MiB", "64 MiB", "64mib", "-1B"])
def test_what_is_no_size_is_refused_with_the_units(text: str) -> None:
    with pytest.raises(ValueError, match="KiB"):
        units.size(text)


@given(st.integers(1, 10**6))
def test_a_shown_duration_reads_back(seconds: int) -> None:
    assert float(units.duration(units.show_duration(seconds))) == seconds
