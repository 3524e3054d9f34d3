"""The time by which silence is measured: a wall clock that may be set wrong for a minute.

Windows that were closed by time alone stay closed, so that one bad answer of a time server would make all records too
late until the real time is there. Timers do not jump, and records tell the time, too.
"""

from __future__ import annotations

from pegel.seams import Clock

TOLERATED = 300 * 10**6
"""Microseconds by which the wall clock may be set forward at once and is believed."""


class SteadyTime:
    """The wall clock; where it jumps forward, it goes on as the timers do until a record is of the new time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._wall, self._timer = self._read()
        self._behind = 0

    def now(self) -> int:
        """Microseconds since 1970."""
        wall, timer = self._read()
        jump = (wall - self._wall) - (timer - self._timer)
        self._wall, self._timer = wall, timer
        if jump > TOLERATED:
            self._behind += jump
        elif jump < 0:  # set right again, perhaps
            self._behind = max(0, self._behind + jump)
        return wall - self._behind

    def confirm(self, time: int) -> None:
        """A record was of this time: it is at least that late."""
        self._behind = max(0, min(self._behind, self._wall - time))

    def _read(self) -> tuple[int, int]:
        return round(self._clock.wall() * 1e6), round(self._clock.monotonic() * 1e6)
