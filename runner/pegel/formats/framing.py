"""Cut a piece of a stream into lines: caps, holes, dirt and the seams of rotated files, for every format.

A line ends at a newline and nowhere else. What is not text is handled here, once:

* one carriage return before the newline, and a byte order mark at the start of a line, are dropped;
* a run of NUL bytes at the start of a line is a hole (a file that was truncated under its writer): it is
  skipped as it is read, counted as `nul_hole`, and nothing continues across it; NUL bytes within a line
  are left out and counted the same way;
* a line of more than the cap is skipped to its newline in bounded memory and counted once, as `too_long`;
* invalid UTF-8 is replaced, so that no record is lost for it;
* a blank line is nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from pegel.arrow import Bytes, Offsets
from pegel.formats import End, Reject
from pegel.formats.records import Marks, Mask, Records

SKIP = "skip"
"""Mark: what comes is the rest of a line that is too long."""
HOLE = "hole"
"""Mark: NUL bytes that come belong to a hole that is counted."""

_NEWLINE, _RETURN = 10, 13
_BOM = b"\xef\xbb\xbf"
_HOLE = re.compile(rb"\0+")
_CHUNK = 2**18  # a comparison of so many bytes stays in the cache for the search that follows
_DECODE = 2**15


@dataclass(frozen=True)
class Judge:
    """What framing has to ask a format at the seam of two files, where the first ends within a line.

    Attributes:
        begins: Is this line the beginning of a record of its own?
        whole: Does the last of these lines, with their offsets, end a whole record, though it is only half?
    """

    begins: Callable[[bytes], bool]
    whole: Callable[[Sequence[tuple[int, bytes]]], bool]


@dataclass(frozen=True)
class Cut:
    """A piece, cut into lines.

    Attributes:
        lines: The lines that have text.
        begins: Where each line begins in the piece, with what was stripped from its front.
        gaps: Indices of lines before which something was lost, so that no record goes on there; the number
            of lines stands for a gap behind the last one.
        tail: Where the unfinished rest of the piece begins.
        mark: SKIP, HOLE or "".
        rejects: What was lost, one by one, in no order.
        marks: Places of the bytes that were asked for.
    """

    lines: Records
    begins: Offsets
    gaps: frozenset[int]
    tail: int
    mark: str
    rejects: Sequence[Reject]
    marks: Marks | None


def clean(line: bytes) -> bytes:
    """The text of one line (without its newline), by the rules of this module."""
    text = line.lstrip(b"\0").removeprefix(_BOM).removesuffix(b"\r").replace(b"\0", b"")
    return text.decode("utf-8", "replace").encode()


def cut(
    piece: bytes, end: End, mark: str, seams: Sequence[int], cap: int, judge: Judge, anchors: Sequence[int] = ()
) -> Cut:
    """Cut a piece into whole lines; pure, and the same for any division of a stream into pieces.

    Args:
        piece: The bytes.
        end: What is known about the bytes behind.
        mark: Of the previous cut.
        seams: Offsets at which the next file begins.
        cap: Longest line, in bytes.
        judge: Decides whether a line goes on across a seam.
        anchors: Bytes whose places in the lines are wanted.
    """
    work = _Work(piece, end, cap, anchors)
    if work.enter(mark, seams):
        work.join(seams, judge)
        work.find_lines()
        work.find_holes()
        work.finish_tail()
        work.drop_long()
        work.strip()
    return work.result()


@dataclass
class _Work:
    """The steps of a cut, in order; each leaves the arrays of lines right for the next."""

    piece: bytes
    end: End
    cap: int
    anchors: Sequence[int]
    start: int = 0
    """First byte that is not skipped."""
    size: int = 0
    """End of the bytes that can be decided now."""
    breaks: list[int] = field(default_factory=list)
    """Seams at which a line ends without a newline."""
    mark: str = ""
    tail: int = 0
    rejects: list[Reject] = field(default_factory=list)
    gaps: list[int] = field(default_factory=list)
    own: dict[int, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.text: Bytes = np.frombuffer(self.piece, np.uint8)
        self.size = len(self.piece)
        self.begins = self.starts = self.ends = np.zeros(0, np.int64)
        self.marks = Marks(self.begins, self.begins, self.begins) if self.anchors else None

    def enter(self, mark: str, seams: Sequence[int]) -> bool:
        """Step over what the mark says; false if the piece ends before that does."""
        if mark == SKIP:
            return self._leave_long_line(seams)
        if mark == HOLE:
            self.start = _hole_end(self.piece, 0)
            if self.start == self.size:
                self.tail, self.mark = self.size, HOLE
                return False
        return True

    def _leave_long_line(self, seams: Sequence[int]) -> bool:
        newline = self.piece.find(b"\n")
        places = [seam for seam in seams if 0 <= seam < self.size]
        if newline >= 0:
            places.append(newline + 1)
        if places:
            self.start = min(places)
        elif self.end is End.FINAL:
            self.start = self.tail = self.size
        else:
            # The last byte stays, so that a seam behind it is still seen as one within the line.
            self.tail, self.mark = max(self.size - 1, 0), SKIP
        return bool(places)

    def join(self, seams: Sequence[int], judge: Judge) -> None:
        """Decide at each seam whether the line there ends, goes on, or cannot be decided yet."""
        inner = sorted({seam for seam in seams if self.start < seam < self.size})
        for index, seam in enumerate(inner):
            if self.piece[seam - 1] == _NEWLINE:
                continue
            after = inner[index + 1] if index + 1 < len(inner) else None
            begin = self.piece.rfind(b"\n", self.start, seam) + 1
            begin = max(begin, self.start, self.breaks[-1] if self.breaks else 0)
            ends = self._line_ends(begin, seam, after, judge)
            if ends is None:
                self.size = begin
                return
            if ends:
                self.breaks.append(seam)

    def _line_ends(self, begin: int, seam: int, after: int | None, judge: Judge) -> bool | None:
        if seam - _hole_end(self.piece, begin) > self.cap or self.piece[seam] == 0:
            return True
        lines = self._lines_up_to(begin, seam)
        if not lines[-1][1] or judge.whole(lines):
            return True
        newline = self.piece.find(b"\n", seam, after)
        whole = newline >= 0 or after is not None or self.end is End.FINAL
        stop = newline if newline >= 0 else after or self.size
        if not whole and stop - seam <= self.cap:
            return None
        return judge.begins(clean(self.piece[seam : min(stop, seam + self.cap)]))

    def _lines_up_to(self, begin: int, seam: int) -> Sequence[tuple[int, bytes]]:
        """The half line at a seam, behind the lines before it that may belong to its record."""
        low = max(self.start, begin - self.cap - 1)
        edges = [low, *(place for place in self.breaks if low < place <= begin), seam]
        lines: list[tuple[int, bytes]] = []
        for first, after in pairwise(edges):
            for raw in self.piece[first:after].split(b"\n"):
                if raw.startswith(b"\0"):
                    lines.clear()  # nothing continues across a hole
                lines.append((first + len(raw) - len(raw.lstrip(b"\0")), clean(raw)))
                first += len(raw) + 1
        at_line = low == self.start or low in self.breaks or self.piece[low - 1] == _NEWLINE
        return [line for line in lines[:-1] if line[1] and (at_line or line[0] > low)] + lines[-1:]

    def find_lines(self) -> None:
        """Find the newlines, and the places of the anchors in the same pass."""
        at = _places(self.text, self.start, self.size, self.anchors)
        ending = np.flatnonzero(self.text[at] == _NEWLINE) if self.anchors else np.arange(len(at))
        self.ends = at[ending]
        nexts = self.ends + 1
        if self.anchors:
            first = np.concatenate([np.zeros(1, np.int64), ending + 1])[: len(ending)]
            self.marks = Marks(at, first, ending - first)
        if self.breaks:
            nexts = self._insert_breaks(nexts)
        self.tail = int(nexts[-1]) if len(nexts) else self.start
        self.begins = np.concatenate([np.array([self.start], np.int64), nexts])[: len(nexts)]
        if self.end is End.FINAL and self.tail < self.size and self.size == len(self.piece):
            self._append_rest()

    def _insert_breaks(self, nexts: Offsets) -> Offsets:
        """A seam ends a line like a newline of no length; nobody counted the anchors of its halves."""
        breaks = np.array(self.breaks, np.int64)
        index = np.searchsorted(self.ends, breaks)
        self.ends = np.insert(self.ends, index, breaks)
        if self.marks is not None:
            count = self.marks.count.copy()
            count[index[index < len(count)]] = -1
            self.marks = Marks(self.marks.at, np.insert(self.marks.first, index, 0), np.insert(count, index, -1))
        return np.insert(nexts, index, breaks)

    def _append_rest(self) -> None:
        self.begins = np.append(self.begins, self.tail)
        self.ends = np.append(self.ends, self.size)
        self.tail = self.size
        if self.marks is not None:
            self.marks = Marks(self.marks.at, np.append(self.marks.first, 0), np.append(self.marks.count, -1))

    def find_holes(self) -> None:
        """Skip the NUL bytes at the start of lines; leave out those within."""
        if self.piece.find(b"\0", self.start, self.size) < 0:
            return
        self.begins = self.begins.copy()
        parts = pairwise([self.start, *self.breaks, self.tail])
        runs = [found.span() for part in parts for found in _HOLE.finditer(self.piece, *part)]
        lines = np.searchsorted(self.begins, [start for start, _ in runs], side="right") - 1
        for (start, stop), line in zip(runs, lines.tolist(), strict=True):
            self._hole(start, stop, line)

    def _hole(self, start: int, stop: int, line: int) -> None:
        if start == self.begins[line]:
            self._skip_hole(start, stop, line)
            self.begins[line] = stop
        elif self.ends[line] - self.begins[line] <= self.cap:
            self.own[line] = b""
            self.rejects.append(Reject("nul_hole", 1, start, stop - start))

    def _skip_hole(self, start: int, stop: int, line: int) -> None:
        self.gaps.append(line)
        if not (line and self.begins[line - 1] == self.ends[line - 1] == start):
            # otherwise it began in the file before and is counted
            self.rejects.append(Reject("nul_hole", 1, start, stop - start))

    def finish_tail(self) -> None:
        """Use up what will never be a record: a hole, or the part of a line that is too long already."""
        if len(self.ends) and self.begins[-1] == self.ends[-1] == self.tail:
            self.mark = HOLE  # a hole that ends with its file may go on in the next
        if self.size < len(self.piece):
            return
        if self.tail < self.size and self.piece[self.tail] == 0:
            stop = _hole_end(self.piece, self.tail)
            self._skip_hole(self.tail, stop, len(self.ends))
            self.tail = stop
            self.mark = HOLE if stop == self.size else ""
        if self.size - self.tail > self.cap:
            self.rejects.append(Reject("too_long", 1, self.tail, self.size - self.tail))
            self.gaps.append(len(self.ends))
            self.tail, self.mark = self.size - 1, SKIP

    def drop_long(self) -> None:
        """Take out the lines that are longer than the cap."""
        lengths = self.ends - self.begins
        long = lengths > self.cap
        if not long.any():
            return
        for line in np.flatnonzero(long).tolist():
            self.rejects.append(Reject("too_long", 1, int(self.begins[line]), int(lengths[line])))
            self.gaps.append(line)
        self.starts = self.begins
        self._keep(~long)

    def strip(self) -> None:
        """Reduce each line to its text, and drop those that have none."""
        for line in self.own:
            self.own[line] = clean(self.piece[self.begins[line] : self.ends[line]])
        self._replace_invalid()
        self.starts = self.begins
        if len(self.ends):
            self._drop_mark_and_return()
        keep = self.ends > self.starts
        keep[[line for line, text in self.own.items() if not text]] = False
        if not keep.all():
            self._keep(keep)

    def _replace_invalid(self) -> None:
        if self.piece.isascii():
            return
        for first, last in _blocks(self.begins, self.ends, self.breaks):
            if _is_utf8(self.piece[self.begins[first] : self.ends[last - 1]]):
                continue
            for line in range(first, last):
                text = self.piece[self.begins[line] : self.ends[line]]
                if line not in self.own and not _is_utf8(text):
                    self.own[line] = clean(text)

    def _drop_mark_and_return(self) -> None:
        first = self.text[np.minimum(self.starts, len(self.text) - 1)]
        for line in np.flatnonzero(first == _BOM[0]).tolist():
            if self.piece.startswith(_BOM, self.starts[line], self.ends[line]):
                self.starts = self.starts.copy()
                self.starts[line] += len(_BOM)
        self.ends = self.ends - (self.text[self.ends - 1] == _RETURN)

    def _keep(self, keep: Mask) -> None:
        before = np.concatenate([np.zeros(1, np.int64), np.cumsum(keep)])
        self.gaps = [int(before[line]) for line in self.gaps]
        self.own = {int(before[line]): text for line, text in self.own.items() if keep[line]}
        self.begins, self.starts, self.ends = self.begins[keep], self.starts[keep], self.ends[keep]
        if self.marks is not None:
            self.marks = self.marks.take(keep)

    def result(self) -> Cut:
        lines = Records.build(self.piece, self.starts, self.ends, self.own)
        return Cut(lines, self.begins, frozenset(self.gaps), self.tail, self.mark, self.rejects, self.marks)


def in_order(rejects: Iterable[Reject]) -> Sequence[Reject]:
    """Rejects by offset, those of one reason that follow one another as one."""
    merged: list[Reject] = []
    for reject in sorted(rejects, key=lambda reject: reject.offset):
        if merged and merged[-1].reason == reject.reason:
            first = merged.pop()
            merged.append(Reject(first.reason, first.count + reject.count, first.offset, first.length))
        else:
            merged.append(reject)
    return merged


def _hole_end(piece: bytes, start: int) -> int:
    found = _HOLE.match(piece, start)
    return found.end() if found else start


def _places(text: Bytes, start: int, stop: int, anchors: Sequence[int]) -> Offsets:
    """Where the newlines, and the anchors, are."""
    found = []
    for begin in range(start, stop, _CHUNK):
        part = text[begin : min(begin + _CHUNK, stop)]
        hits = part == _NEWLINE
        for anchor in anchors:
            hits |= part == anchor
        found.append(np.flatnonzero(hits) + begin)
    return np.concatenate(found) if found else np.zeros(0, np.int64)


def _blocks(starts: Offsets, ends: Offsets, breaks: Sequence[int]) -> Iterable[tuple[int, int]]:
    """Ranges of lines of about 32 KiB, with a newline between any two of their lines."""
    if not len(starts):
        return
    edges = [*range(int(starts[0]), int(ends[-1]), _DECODE), *breaks]
    yield from pairwise(sorted({0, *np.searchsorted(starts, edges).tolist(), len(starts)}))


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
