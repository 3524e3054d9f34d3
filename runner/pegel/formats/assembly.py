"""Records of several lines: a line that opens a record, and the lines that continue it.

Nearly all records are one line. Those are found for the whole piece at once; only the lines around a
record that is not are looked at one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from pegel.arrow import Offsets
from pegel.formats import End, Reject
from pegel.formats.framing import Cut
from pegel.formats.records import Marks, Mask, Records

MAX_LINES = 64
"""A record that is to be completed is given up after so many lines, whatever its size: each of them costs one
more attempt on all that came before."""

IsComplete = Callable[[bytes], bool]


@dataclass(frozen=True)
class Assembled:
    """The records of a piece.

    Attributes:
        records: Their texts.
        marks: Places of the anchor in those that are one line.
        lines: Which line of the cut each record is, or begins with.
        single: Which records are one line, as it is.
        tail: End of what was used up.
        orphan: A line that opens no record would be a fragment of one that was given up.
        rejects: Lines that are in no record, and records that never were complete.
    """

    records: Records
    marks: Marks | None
    lines: Offsets
    single: Mask
    tail: int
    orphan: bool
    rejects: Sequence[Reject]


@dataclass
class _Assembly:
    """What both ways of assembling share: the state between records, and what is lost."""

    cut: Cut
    opens: Mask
    join: Sequence[bytes]
    end: End
    cap: int
    orphan: bool
    """The record before was given up or flushed; lines that open none are its fragments."""
    tail: int = 0
    rejects: list[Reject] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tail = self.cut.tail

    def reject(self, reason: str, first: int, last: int, count: int = 1) -> None:
        """Count what lies in some lines."""
        start = int(self.cut.begins[first])
        self.rejects.append(Reject(reason, count, start, int(self.cut.begins[last]) - start + self._length(last)))

    def _length(self, line: int) -> int:
        return int(self.cut.lines.ends[line] - self.cut.lines.starts[line])

    def stray(self, first: int, after: int) -> None:
        """Count lines that belong to no record."""
        self.reject("orphan_fragment" if self.orphan else "foreign", first, first, after - first)

    def waits(self, after: int) -> bool:
        """A record that has all lines before `after` may still get more."""
        lines = len(self.cut.lines)
        return after == lines and self.end is End.MORE and lines not in self.cut.gaps

    def span(self, first: int, line: int) -> int:
        """Bytes from the beginning of one line to the end of another."""
        return int(self.cut.begins[line] - self.cut.begins[first]) + self._length(line)

    def result(self, lines: Offsets, ends: Offsets, own: dict[int, bytes], single: Mask) -> Assembled:
        """The records that begin with `lines` and end at `ends`, some of them with a text of their own."""
        cut = self.cut.lines
        starts = cut.starts[lines]
        if cut.apart is not None:
            for row in np.flatnonzero(cut.apart[lines] & single).tolist():
                own[row] = cut.text(int(lines[row]))
        records = Records.build(cut.piece, starts, ends, dict(sorted(own.items())))
        marks = self.cut.marks and self.cut.marks.take(lines)
        if marks is not None and not single.all():
            marks = Marks(marks.at, marks.first, np.where(single, marks.count, -1))
        return Assembled(records, marks, lines, single, self.tail, self.orphan, self.rejects)


class _UntilComplete(_Assembly):
    """A record ends as soon as it is complete."""

    def run(self, good: Mask, is_complete: IsComplete) -> Assembled:
        """Assemble, given the lines that open a record and complete it at once."""
        self.is_complete = is_complete
        odd = np.flatnonzero(~good)
        joined: dict[int, bytes] = {}
        line, lines = 0, len(good)
        for first in odd.tolist():
            if first < line:
                continue  # taken by the record before
            if first > line:
                self.orphan = False
            line = self._odd(first, joined)
            if line > lines:
                break
        if line < lines:
            self.orphan = False
        if lines in self.cut.gaps:
            self.orphan = True
        return self._merge(good, joined)

    def _odd(self, first: int, joined: dict[int, bytes]) -> int:
        """Deal with a line that is not a record by itself; returns the line behind all that was taken."""
        if first in self.cut.gaps:
            self.orphan = True
        if not self.opens[first]:
            self.stray(first, first + 1)
            return first + 1
        text, after, complete = self._collect(first)
        if complete:
            joined[first] = text
            self.orphan = False
        elif self.waits(after):
            self.tail, self.orphan = int(self.cut.begins[first]), False
            return after + 1
        else:
            self.reject("malformed", first, after - 1)
            self.orphan = True
        return after

    def _collect(self, first: int) -> tuple[bytes, int, bool]:
        """Join lines until the record is complete or cannot go on."""
        lines = self.cut.lines
        text = lines.text(first)
        if self.is_complete(text):
            return text, first + 1, True
        after = first + 1
        while after < len(lines) and self._continues(first, after):
            line = lines.text(after)
            after += 1
            for join in self.join:
                if self.is_complete(text + join + line):
                    return text + join + line, after, True
            text += self.join[0] + line
        return text, after, False

    def _continues(self, first: int, line: int) -> bool:
        return (
            line - first <= MAX_LINES
            and not self.opens[line]
            and line not in self.cut.gaps
            and self.span(first, line) <= self.cap
        )

    def _merge(self, good: Mask, joined: dict[int, bytes]) -> Assembled:
        """Put the joined records between the single lines, in the order of the log."""
        chosen = good
        if joined:
            chosen = good.copy()
            chosen[list(joined)] = True
        lines = np.flatnonzero(chosen)
        rows = np.searchsorted(lines, list(joined))
        own = {int(row): text for row, text in zip(rows, joined.values(), strict=True)}
        return self.result(lines, self.cut.lines.ends[lines], own, good[lines])


class _UntilNext(_Assembly):
    """A record ends before the next line that opens one."""

    def run(self) -> Assembled:
        """Assemble."""
        starts = self.opens.copy()
        starts[[gap for gap in self.cut.gaps if gap < len(starts)]] = True
        starts[:1] = True
        firsts = np.flatnonzero(starts)
        afters = np.append(firsts[1:], len(starts))[: len(firsts)]
        keep = self._settle(firsts, afters)
        firsts, afters = firsts[keep], afters[keep]
        own = {}
        for row in np.flatnonzero(self._apart(firsts, afters)).tolist():
            own[row] = self.join[0].join(self.cut.lines.text(line) for line in range(firsts[row], afters[row]))
        return self.result(firsts, self.cut.lines.ends[afters - 1], own, afters - firsts == 1)

    def _settle(self, firsts: Offsets, afters: Offsets) -> Mask:
        """Which runs of lines are records; the others are counted, or wait for more."""
        keep = self.opens[firsts]
        lines = self.cut.lines
        spans = (
            self.cut.begins[afters - 1] - self.cut.begins[firsts] + lines.ends[afters - 1] - lines.starts[afters - 1]
        )
        keep &= (spans <= self.cap) | (afters - firsts == 1)
        for row in np.flatnonzero(~keep).tolist():
            first, after = int(firsts[row]), int(afters[row])
            if first in self.cut.gaps:
                self.orphan = True
            elif row:
                self.orphan = False
            if self.opens[first]:
                first = self._give_up(first)
            self.stray(first, after)
        if len(keep):
            self._settle_last(keep, int(firsts[-1]), int(afters[-1]))
        if len(lines) in self.cut.gaps:
            self.orphan = True
        return keep

    def _settle_last(self, keep: Mask, first: int, after: int) -> None:
        if not keep[-1]:
            return
        self.orphan = not self.waits(after)
        if not self.orphan:
            self.tail = int(self.cut.begins[first])
            keep[-1] = False

    def _give_up(self, first: int) -> int:
        """Count a record that is too long; returns the first line that is no longer part of it."""
        line = first + 1
        while self.span(first, line) <= self.cap:
            line += 1
        self.reject("too_long", first, line - 1)
        self.orphan = True
        return line

    def _apart(self, firsts: Offsets, afters: Offsets) -> Mask:
        """Records of several lines that are not a slice of the piece as it is."""
        lines = self.cut.lines
        broken = lines.starts[1:] != lines.ends[:-1] + 1
        if lines.apart is not None:
            broken |= lines.apart[1:] | lines.apart[:-1]
        if self.join[0] != b"\n":
            broken[:] = True
        before = np.concatenate([np.zeros(1, np.int64), np.cumsum(broken)])
        return before[np.maximum(afters - 1, 0)] > before[firsts] if len(firsts) else np.zeros(0, np.bool_)


def until_complete(
    cut: Cut,
    opens: Mask,
    good: Mask,
    is_complete: IsComplete,
    join: Sequence[bytes],
    end: End,
    cap: int,
    *,
    orphan: bool,
) -> Assembled:
    """Records that end as soon as they are complete.

    Args:
        cut: The lines.
        opens: Which of them open a record.
        good: Which of them open a record and are complete.
        is_complete: Is this text a whole record?
        join: What may stand in place of a line break, in the order of trying.
        end: What is known about what follows.
        cap: Longest record, in bytes of the piece.
        orphan: The state of the stream before.
    """
    return _UntilComplete(cut, opens, join, end, cap, orphan).run(good, is_complete)


def until_next(cut: Cut, opens: Mask, join: Sequence[bytes], end: End, cap: int, *, orphan: bool) -> Assembled:
    """Records that end before the next line that opens one; the arguments are those of `until_complete`."""
    return _UntilNext(cut, opens, join, end, cap, orphan).run()


def last_record(lines: Sequence[tuple[int, bytes]], opens: Callable[[bytes], bool], cap: int) -> list[bytes]:
    """The record that the last of some lines belongs to: from the last line that opens one; empty if there is none.

    Args:
        lines: Lines with their offsets.
        opens: Does this line open a record?
        cap: Longest record.
    """
    for index in range(len(lines) - 1, -1, -1):
        offset, text = lines[index]
        if lines[-1][0] + len(lines[-1][1]) - offset > cap:
            return []
        if opens(text):
            return [text for _, text in lines[index:]]
    return []


def completed_by_last(record: Sequence[bytes], join: Sequence[bytes], is_complete: IsComplete) -> bool:
    """Do these lines make a complete record, and none of them before the last?"""
    if len(record) > MAX_LINES + 1:
        return False
    text, tries = b"", [record[0]]
    for number, line in enumerate(record, 1):
        if number > 1:
            tries = [text + between + line for between in join]
        if any(map(is_complete, tries)):
            return number == len(record)
        text = tries[0]
    return False
