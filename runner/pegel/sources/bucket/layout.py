"""How keys are built: where the hour is in them, which objects belong together, and in which order these were written.

Everything here is a pure function of a key. A key that does not fit is nobody's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

HOUR = 3600 * 10**6
"""Microseconds."""

_DIRECTIVES = {
    "Y": ("year", r"\d{4}"),
    "m": ("month", r"\d{2}"),
    "d": ("day", r"\d{2}"),
    "H": ("hour", r"\d{2}"),
}
_ORDERS = ("Ym", "Ymd", "YmdH")
_PARTS = re.compile(r"%(.?)")
_FIELDS = re.compile(r"\{(\w*)\}")
_KNOWN_FIELDS = {"partition": ".+", "sequence": "[0-9]{1,18}", "any": ".*"}


@dataclass(frozen=True)
class Place:
    """Where an object stands among the others.

    Attributes:
        partition: Objects of one writer, which overlap only with their neighbours; empty where keys do not tell.
        sequence: Its number within the partition and the period, 0 where keys have none.
        period: Start of the hour (or day, or month) in its key, in us; None where keys have none.
    """

    partition: str
    sequence: int = 0
    period: int | None = None


class Layout:
    """The keys of one source."""

    def __init__(self, prefix: str, periods: str = "", names: str = "") -> None:
        """Compile the patterns.

        Args:
            prefix: Begins every key; before periods a slash follows it, whether it is written or not.
            periods: What follows it, as strftime writes it: `%Y%m%d/%H/`; empty where keys have no time.
            names: The rest, with `{partition}`, `{sequence}` and `{any}` in the place of what differs; empty for
                whatever it is.

        Raises:
            ValueError: A pattern is wrong; the message begins with the name of its option.
        """
        if periods and prefix and not prefix.endswith("/"):
            prefix += "/"
        self.prefix = prefix
        self._periods = periods
        self._pattern = re.compile(re.escape(prefix) + _period_pattern(periods) + _name_pattern(names), re.DOTALL)
        self._length = _length_of(periods)

    @property
    def dated(self) -> bool:
        """Whether keys say in which period they were written."""
        return bool(self._periods)

    def place(self, key: str) -> Place | None:
        """Where an object stands; None if it is none of this source."""
        found = self._pattern.fullmatch(key)
        if found is None:
            return None
        said = found.groupdict()
        period = None
        if self._periods:
            year, month, day = (int(said.get(name) or 1) for name in ("year", "month", "day"))
            try:
                moment = datetime(year, month, day, int(said.get("hour") or 0), tzinfo=UTC)
            except ValueError:
                return None  # the 31st of February
            period = round(moment.timestamp()) * 10**6
        return Place(said.get("partition") or "", int(said.get("sequence") or 0), period)

    def before(self, time: int) -> str:
        """What all keys of the period with a time, and of those that follow, are behind; empty where nothing says so.

        Args:
            time: In us.
        """
        if not self._periods:
            return ""
        moment = datetime.fromtimestamp(max(0, time) / 1e6, UTC)
        return self.prefix + _PARTS.sub(lambda found: moment.strftime(found[0]), self._periods)

    def start(self, time: int) -> int:
        """The start of the period with a time."""
        moment = datetime.fromtimestamp(max(0, time) / 1e6, UTC)
        moment = moment.replace(minute=0, second=0, microsecond=0)
        if self._length > timedelta(hours=1):
            moment = moment.replace(hour=0)
        if self._length > timedelta(days=1):
            moment = moment.replace(day=1)
        return round(moment.timestamp()) * 10**6

    def end(self, period: int) -> int:
        """A time that no object of a period was written after, by its key."""
        return period + round(self._length.total_seconds() * 1e6)


def _period_pattern(periods: str) -> str:
    directives = _PARTS.findall(periods)
    for directive in directives:
        if directive not in _DIRECTIVES:
            raise ValueError(f"layout: there is no %{directive}; there are %Y, %m, %d and %H")
    if periods and "".join(directives) not in _ORDERS:
        raise ValueError("layout: needs year, month, day and hour in this order, so that younger keys come later")
    pieces = _PARTS.split(periods)  # texts and directives in turn
    found = [re.escape(pieces[0])]
    for directive, text in zip(pieces[1::2], pieces[2::2], strict=True):
        name, digits = _DIRECTIVES[directive]
        found += [f"(?P<{name}>{digits})", re.escape(text)]
    return "".join(found)


def _length_of(periods: str) -> timedelta:
    lengths = {"Ym": timedelta(days=31), "Ymd": timedelta(days=1), "YmdH": timedelta(hours=1)}
    return lengths.get("".join(_PARTS.findall(periods)), timedelta(0))


def _name_pattern(names: str) -> str:
    if not names:
        return ".*"
    pieces = _FIELDS.split(names)
    found, seen = [re.escape(pieces[0])], set()
    for name, text in zip(pieces[1::2], pieces[2::2], strict=True):
        if name not in _KNOWN_FIELDS:
            raise ValueError(f"names: there is no {{{name}}}; there are {{partition}}, {{sequence}} and {{any}}")
        if name in seen and name != "any":
            raise ValueError(f"names: {{{name}}} can be there once")
        seen.add(name)
        pattern = _KNOWN_FIELDS[name]
        found += [f"(?P<{name}>{pattern})" if name != "any" else pattern, re.escape(text)]
    if "sequence" in seen and "partition" not in seen and "any" in seen:
        raise ValueError("names: a {sequence} counts within a {partition}; write {partition} in the place of {any}")
    return "".join(found)
