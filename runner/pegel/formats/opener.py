"""Which lines open a record: a regular expression of the user, run where it can never take long.

Expressions such as `^[0-9a-f]{40} - ` name one set of bytes for each place at the start of a line. Those
are compared for all lines at once. Every other expression runs on DuckDB's engine (RE2), which is linear
for any expression and any line. We read expressions with a recogniser of our own, not with Python's
parser, since that one is private, and since what the recogniser does not know is simply left to RE2.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod

import numpy as np

from pegel.arrow import Bytes, Offsets, windows
from pegel.formats.records import Mask, Records, all_in_row
from pegel.formats.regex import Expression

_LONGEST = 64  # bytes at the start of a line that are compared
_MANY_RANGES = 4  # a set of more ranges than that is not simple
_TOKEN = re.compile(
    r"""(?P<set>\[[^\]\[\\^]+\])      # [0-9a-f], nothing escaped or negated
      | (?P<digit>\\d)
      | \\(?P<escaped>[^A-Za-z0-9])   # \[
      | (?P<plain>[^\\\[\](){}.*+?|^$])
    """,
    re.VERBOSE,
)
_TIMES = re.compile(r"\{(\d{1,3})\}")
_LOOSE = re.compile(r"[*+?{]")

Ranges = tuple[tuple[int, int], ...]


class Opener(ABC):
    """Tells lines that open a record from those that do not."""

    @abstractmethod
    def mask(self, lines: Records) -> Mask:
        """Which of the lines open a record."""

    def test(self, line: bytes) -> bool:
        """Does this one line open a record?"""
        return bool(self.mask(Records.single(line))[0])


def opener(pattern: str) -> Opener:
    """The fastest way to run an expression.

    Raises:
        ValueError: RE2 refuses it.
    """
    expression = Expression(pattern)
    sets = _simple(pattern)
    return Search(expression) if sets is None else Prefix(sets)


class Prefix(Opener):
    """Lines that start with one byte out of a given set at each place."""

    def __init__(self, sets: list[Ranges]) -> None:
        self._width = len(sets)
        self._groups: list[tuple[int, int, Ranges]] = []
        for place, ranges in enumerate(sets):
            if self._groups and self._groups[-1][2] == ranges:
                self._groups[-1] = (self._groups[-1][0], place + 1, ranges)
            else:
                self._groups.append((place, place + 1, ranges))

    def mask(self, lines: Records) -> Mask:
        opens = np.empty(len(lines), np.bool_)
        for buffer, rows in lines.by_buffer():
            opens[rows] = self._starts(buffer, lines.starts[rows], lines.ends[rows])
        return opens

    def _starts(self, text: Bytes, starts: Offsets, ends: Offsets) -> Mask:
        heads = windows(text, np.minimum(starts, len(text)), self._width)
        opens = ends - starts >= self._width
        for first, last, ranges in self._groups:
            opens &= all_in_row(_within(heads[:, first:last], ranges))
        return opens


class Search(Opener):
    """Lines in which RE2 finds an expression."""

    def __init__(self, expression: Expression) -> None:
        self._expression = expression

    def mask(self, lines: Records) -> Mask:
        return self._expression.found_in(lines)


def _within(text: Bytes, ranges: Ranges) -> Mask:
    fits = np.zeros(text.shape, np.bool_)
    for low, high in ranges:
        fits |= text - np.uint8(low) <= high - low
    return fits


def _simple(pattern: str) -> list[Ranges] | None:
    """One set of bytes per place, if the expression is no more than that."""
    if not pattern.startswith("^") or not pattern.isascii():
        return None
    sets: list[Ranges] = []
    at = 1
    while at < len(pattern):
        token = _TOKEN.match(pattern, at)
        if token is None:
            return None
        at = token.end()
        times = _TIMES.match(pattern, at)
        at = times.end() if times else at
        ranges = _ranges(token)
        sets += [ranges] * (int(times[1]) if times else 1)
        if _LOOSE.match(pattern, at) or len(sets) > _LONGEST or len(ranges) > _MANY_RANGES:
            return None
    return sets or None


def _ranges(token: re.Match[str]) -> Ranges:
    if token["set"]:
        found = re.findall(r"(.)-(.)|(.)", token["set"][1:-1], re.DOTALL)
        return tuple((ord(low or one), ord(high or one)) for low, high, one in found)
    if token["digit"]:
        return ((ord("0"), ord("9")),)
    one = ord(token["escaped"] or token["plain"])
    return ((one, one),)
