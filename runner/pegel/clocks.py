"""The clock of this machine beside that of a server, which dates its answers."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

GREATEST_SKEW = 30.0
"""Seconds that two clocks may differ: an answer may be on its way for some, and dates have no fractions."""


def moment(text: str) -> float | None:
    """Seconds since 1970 of a date as HTTP writes it; None if it is none."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None


def complaint(said: str, now: float, url: str) -> str | None:
    """What to say of two clocks that differ; None if they agree, or the server does not date its answers.

    Args:
        said: The time there: the header `Date` of any answer, empty if there is none.
        now: The time here, seconds since 1970.
        url: The server, as the configuration calls it.
    """
    theirs = moment(said)
    if theirs is None or abs(now - theirs) <= GREATEST_SKEW:
        return None
    which = "ahead of" if now > theirs else "behind"
    return f"the clock of this machine is {abs(now - theirs):.0f} s {which} that of {url}; let both follow NTP"
