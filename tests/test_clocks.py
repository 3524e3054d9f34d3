"""What is said of two clocks that differ; whoever asks a server says the same."""

from __future__ import annotations

import pytest

from pegel.clocks import GREATEST_SKEW, complaint, moment

NOON = 1_772_539_200.0


DATED = "Tue, 03 Mar 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("here", "said"),
    [
        (NOON, None),
        (NOON + GREATEST_SKEW, None),
        (NOON - GREATEST_SKEW, None),
        (NOON + 95, "the clock of this machine is 95 s ahead of that of http://x; let both follow NTP"),
        (NOON - 31, "the clock of this machine is 31 s behind that of http://x; let both follow NTP"),
    ],
)
def test_two_clocks_may_differ_by_half_a_minute(here: float, said: str | None) -> None:
    assert complaint(DATED, here, "http://x") == said


@pytest.mark.parametrize("said", ["", "yesterday", "Tue, 99 Mar 2026 12:00:00 GMT"])
def test_a_server_that_does_not_tell_the_time_is_not_accused(said: str) -> None:
    assert complaint(said, NOON, "http://x") is None


def test_dates_are_those_of_http() -> None:
    assert moment(DATED) == NOON
