"""Where panes begin and end: the arithmetic of `every`, `over` and calendar days. Pure; all times are microseconds."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

SECOND = 1_000_000
DAY = 86_400 * SECOND


class Windows:
    """Panes of event time, and the epochs of the keys of distinct sets.

    A pane is a window, or a step of a rolling window. Panes follow one another without a gap, aligned to 1970 in
    UTC; a pane of one day is a calendar day in `timezone` and has 23, 24 or 25 hours.

    Options:
        every: Length of a pane in seconds: a day, or what divides a day.
        over: Length of a rolling window in seconds, a multiple of `every`; None for windows that follow one another.
        timezone: IANA name; matters for calendar days only.
        late: Seconds for which a record that comes late is compared with newer ones, as `arrivals` does; more than
            `over` means nothing.

    Raises:
        ValueError: The lengths do not fit, or the zone is unknown; the message says what would be right.
    """

    def __init__(self, every: float, over: float | None = None, timezone: str = "UTC", late: float = 0.0) -> None:
        self.every = _microseconds(every)
        self.over = None if over is None else _microseconds(over)
        if self.every <= 0 or DAY % self.every:
            raise ValueError("`every` must divide a day, such as 10s, 1m, 15m, 1h or 1d")
        if self.over is not None and (self.over < self.every or self.over % self.every):
            raise ValueError("`over` must be a multiple of `every`")
        self.late = min(_microseconds(late), self.over or 0)
        self._zone = _zone(timezone) if self.every == DAY and timezone != "UTC" else None
        self.epoch_length = max(DAY, self.over or 0)

    @property
    def calendar(self) -> bool:
        """Panes are days of a time zone, not a fixed number of microseconds."""
        return self._zone is not None

    @property
    def steps(self) -> int:
        """How many panes a window has."""
        return 1 if self.over is None else self.over // self.every

    def pane_start(self, time: int) -> int:
        """The start of the pane that a time falls into."""
        if self._zone is None:
            return time - time % self.every
        day = datetime.fromtimestamp(time // SECOND, self._zone).date()
        start = self._midnight(day)
        # where clocks go back over midnight, the new day begins before the old one is said to end
        return start if start <= time else self._midnight(day - timedelta(days=1))

    def pane_end(self, start: int) -> int:
        """The end of the pane that begins at `start`: the start of the next one."""
        if self._zone is None:
            return start + self.every
        day = datetime.fromtimestamp(start // SECOND, self._zone).date()
        end = start
        while end <= start:  # a zone may skip a whole day
            day += timedelta(days=1)
            end = self._midnight(day)
        return end

    next = pane_end

    def previous(self, start: int) -> int:
        """The start of the pane before the one that begins at `start`."""
        return self.pane_start(start - 1)

    def back(self, start: int, panes: int) -> int:
        """The start of the pane that many panes earlier."""
        if self._zone is None:
            return start - panes * self.every
        for _ in range(panes):
            start = self.previous(start)
        return start

    def number(self, start: int) -> int:
        """Which pane it is that begins at `start`: later panes have greater numbers, the next one mostly by 1."""
        if self._zone is None:
            return start // self.every
        return datetime.fromtimestamp(start // SECOND, self._zone).toordinal()

    def epoch(self, start: int) -> int:
        """The epoch whose key a window uses that begins at `start`."""
        return start - start % self.epoch_length

    @property
    def reach(self) -> int:
        """How long after its end the members of an epoch are still looked for among newer records."""
        return 0 if self.over is None else self.over + self.late

    def epochs(self, pane: int) -> tuple[int, ...]:
        """The epochs into whose sets the members of a pane go: its own, and the one before if that reaches so far."""
        own = self.epoch(pane)
        earlier = range(-(-self.reach // self.epoch_length), 0, -1)
        reached = [
            own - n * self.epoch_length for n in earlier if pane < own - (n - 1) * self.epoch_length + self.reach
        ]
        return (*reached, own)

    def starts(self, utc_days: Iterable[int]) -> list[int]:
        """The pane starts needed to place any time in the given UTC days (numbered since 1970), sorted."""
        found = set()
        for number in utc_days:
            start = self.pane_start(number * DAY)
            while start < (number + 1) * DAY:
                found.add(start)
                start = self.pane_end(start)
        return sorted(found)

    def _midnight(self, day: date) -> int:
        assert self._zone is not None
        return _midnight(self._zone, day)


@functools.lru_cache(maxsize=4096)
def _midnight(zone: ZoneInfo, day: date) -> int:
    """The first moment of a calendar day (where clocks skip midnight, the moment after the gap)."""
    return round(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()) * SECOND


def _microseconds(seconds: float) -> int:
    return round(seconds * SECOND)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f'"{name}" is not a time zone; write an IANA name such as "Europe/Prague"') from None
