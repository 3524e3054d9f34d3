"""Tables of networks as iptoasn.com publishes them: first address, last address, number, country, description."""

from __future__ import annotations

import logging
from array import array
from collections.abc import Iterable
from pathlib import Path

from pegel.enrichers.addresses import packed
from pegel.enrichers.networks import Network, Ranges, RangeTable, network, ranges

_log = logging.getLogger(__name__)

_TOLERATED = 100
"""One line in so many may be wrong: a slip in a published table is not worth losing all of it."""

_NOBODY = -1
_WRONG = -2


class _Rows:
    """Ranges of one length of address, in the order of the file."""

    def __init__(self) -> None:
        self.starts = bytearray()
        self.ends = bytearray()
        self.owners = array("L")

    def ranges(self, width: int) -> Ranges:
        return ranges(width, self.starts, self.ends, self.owners)


class _Reading:
    """A table on its way into memory: no text is kept twice."""

    def __init__(self) -> None:
        self.rows = {4: _Rows(), 16: _Rows()}
        self.owners: list[Network] = []
        self._known: dict[str, int] = {}

    def take(self, line: str) -> bool:
        """Add a line; false if it is none of a table of networks."""
        try:
            first, last, rest = line.split("\t", 2)
        except ValueError:
            return not line or line.startswith("#")
        start, end = packed(first), packed(last)
        owner = self._owner(rest)
        if start is None or end is None or len(start) != len(end) or start > end or owner == _WRONG:
            return False
        if owner != _NOBODY:
            rows = self.rows[len(start)]
            rows.starts += start
            rows.ends += end
            rows.owners.append(owner)
        return True

    def _owner(self, rest: str) -> int:
        owner = self._known.get(rest)
        if owner is None:
            owner = self._known[rest] = self._new_owner(rest)
        return owner

    def _new_owner(self, rest: str) -> int:
        number, *words = rest.split("\t")
        if len(words) < 2 or not (number.isascii() and number.isdigit()) or int(number) >= 2**32:
            return _WRONG
        if int(number) == 0:
            return _NOBODY
        self.owners.append(network(int(number), " ".join(words[1:]), words[0]))
        return len(self.owners) - 1


def read(path: Path, lines: Iterable[bytes], built: float) -> RangeTable:
    """Read a table.

    Args:
        path: For the log.
        lines: Its lines.
        built: When it was made, in seconds since 1970.

    Raises:
        ValueError: It is none, or more than 1 % of its lines are wrong; a sentence that goes behind its name.
    """
    reading, count, wrong, where = _Reading(), 0, 0, 0
    for count, line in enumerate(lines, 1):
        if not reading.take(line.decode("utf-8", "replace").rstrip("\r\n")):
            wrong, where = wrong + 1, where or count
    if wrong * _TOLERATED > count:
        raise ValueError(f"is no table of networks: {_told(wrong, count, where)}; {_EXPECTED}")
    if not reading.owners:
        raise ValueError("knows no network; download it again")
    if wrong:
        _log.warning("%s: %s, and left out.", path, _told(wrong, count, where))
    return RangeTable(reading.owners, {width: rows.ranges(width) for width, rows in reading.rows.items()}, built)


_EXPECTED = "a line has first address, last address, number, country and description, between tabs"


def _told(wrong: int, count: int, where: int) -> str:
    return f"{wrong} of {count} lines are not understood, the first is line {where}"
