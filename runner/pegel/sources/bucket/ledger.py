"""What became of each object: a position for every key that may still be listed, so that none counts twice.

An object is known by its key, its ETag and its size, never by a time. What was counted is remembered as a number
of eight bytes for each key; only objects that are still to be read, or that were put aside, are held as such.

Rows are given up for whole periods, together with a *floor* below which no key is ever read again: whatever the
clock or a longer look-back asks for, what was forgotten cannot be met. Where keys have no period, rows stay.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pegel.sources import Position
from pegel.sources.bucket import Found, keys
from pegel.sources.bucket.layout import Layout, Place

QUARANTINED = "quarantined: "
"""Begins the fate of an object that was put aside."""

_REPLACED = QUARANTINED + "it was replaced after it had been counted; the new content is not counted"

_DISMISSED = "dismissed: it was replaced after it had been counted; the new content was not counted"
"""The fate of such an object once somebody has looked at it: nothing of it can be tried again."""


@dataclass(slots=True)
class Entry:
    """An object that is to be read, or was put aside.

    Attributes:
        written: When it was written, in us; not later than its key says.
        order: Its number in the order of reading.
        offset: First byte of its content that is not consumed.
        fate: Why it ended without being read to its end.
        tries: How often somebody had asked to try again when it was put aside.
        counted: Nothing more is expected from it.
        mark: The framer's mark that was consumed last.
        stored: It has a row, or will have one with what is committed next.
    """

    key: str
    etag: str
    size: int
    written: int
    place: Place
    order: int = 0
    offset: int = 0
    fate: str = ""
    tries: int = 0
    counted: bool = False
    mark: str = ""
    stored: bool = False


class Ledger:
    """The objects of one source."""

    def __init__(self, bucket: str, layout: Layout, positions: Sequence[Position], counts: Counter[str]) -> None:
        self._bucket = bucket
        self._layout = layout
        self._counts = counts
        self._versions: dict[str, int] = {}
        self._entries: dict[str, Entry] = {}
        self._periods: dict[int, list[str]] = {}
        self._last = max((position.order for position in positions), default=0)
        self._changed: dict[str, Position] = {}
        self._floor_stream = f"{bucket} floor"
        self.floor: int | None = None
        for position in positions:
            self._restore(position)

    def _restore(self, position: Position) -> None:
        if position.stream == self._floor_stream:
            self.floor = position.cursor.get("period")
            return
        bucket, _, text = position.stream.partition("/")
        if bucket != self._bucket:
            return  # of another bucket, which this source has read before
        key, cursor = keys.read(text), position.cursor
        etag, size, fate = str(cursor["etag"]), int(cursor["size"]), str(cursor.get("fate", ""))
        place = self._layout.place(key)
        if position.done and not fate.startswith(QUARANTINED):
            self._remember(key, etag, size, place)
            return
        if place is not None:
            entry = Entry(key, etag, size, int(cursor["written"]), place, position.order, position.offset, fate)
            entry.tries, entry.counted = int(cursor.get("tries", 0)), bool(cursor.get("counted", False))
            entry.mark, entry.stored = str(cursor.get("mark", "")), True
            self._entries[key] = entry

    def __len__(self) -> int:
        return len(self._versions) + len(self._entries)

    @property
    def empty(self) -> bool:
        """Whether nothing was ever read."""
        return not self._versions and not self._entries and self.floor is None

    def stream(self, key: str) -> str:
        """The stream of an object, for ever."""
        return f"{self._bucket}/{keys.written(key)}"

    def key(self, stream: str) -> str:
        """The key of an object's stream."""
        return keys.read(stream.partition("/")[2])

    # -- what a listing says ------------------------------------------------------------------------------

    def is_news(self, found: Found) -> bool:
        """Whether an object of a listing is anything but what is known; asked for every key at every look."""
        return self._versions.get(found.key) != _version(found.etag, found.size)

    def meet(self, found: Found) -> Entry | None:
        """An object of a listing that is to be read, None if it is not (again)."""
        place = self._layout.place(found.key)
        if place is None:
            self._counts["foreign_objects"] += 1
            self._versions[found.key] = _version(found.etag, found.size)  # said once; in memory only
            return None
        if self.floor is not None and place.period is not None and place.period < self.floor:
            return None
        entry = self._entries.get(found.key)
        if entry is not None:
            return self._meet_again(entry, found)
        fresh = Entry(found.key, found.etag, found.size, self._written(found, place), place)
        if found.key in self._versions:
            self.quarantine(fresh, _REPLACED, counted=True)
            return None
        self._entries[found.key] = fresh
        return fresh

    def _meet_again(self, entry: Entry, found: Found) -> Entry | None:
        """Another version of an object counts only if nothing of the former one does."""
        if (entry.etag, entry.size) == (found.etag, found.size):
            return None
        begun = entry.counted or entry.offset > 0
        if begun and not entry.fate:
            return None  # who reads it finds out
        waits = not entry.fate
        entry.etag, entry.size, entry.written = found.etag, found.size, self._written(found, entry.place)
        if begun:
            self._note(entry)
            return None
        entry.fate = ""
        return None if waits else entry

    def _written(self, found: Found, place: Place) -> int:
        """When an object was written; a copy of an old one is as old as its key says."""
        written = written_at(found)
        return written if place.period is None else min(written, self._layout.end(place.period))

    def aside(self) -> list[tuple[str, str]]:
        """Objects that were put aside, as they are written, and why."""
        return [
            (keys.written(one.key), one.fate.removeprefix(QUARANTINED)) for one in self._entries.values() if one.fate
        ]

    # -- what becomes of objects --------------------------------------------------------------------------

    def unread(self) -> list[Entry]:
        """Those that were begun, or put off, in an earlier life."""
        return [entry for entry in self._entries.values() if not entry.fate]

    def number(self, entry: Entry) -> None:
        """Give it its place in the order of reading."""
        if not entry.order:
            self._last += 1
            entry.order = self._last

    def advance(self, entry: Entry, offset: int, *, whole: bool) -> None:
        """Bytes of an object were consumed, perhaps its last ones."""
        entry.offset = offset
        if whole:
            self.finish(entry)
        else:
            self._note(entry)

    def finish(self, entry: Entry, fate: str = "") -> None:
        """Nothing more comes from an object."""
        self.number(entry)
        entry.counted, entry.fate = True, fate
        self._note(entry)
        self._entries.pop(entry.key, None)
        self._remember(entry.key, entry.etag, entry.size, entry.place)

    def quarantine(self, entry: Entry, fate: str, *, counted: bool = False, tries: int = 0) -> None:
        """Put an object aside, for a reason that people read."""
        self.number(entry)
        entry.fate, entry.counted = fate, counted
        entry.tries = max(tries, entry.tries)
        self._versions.pop(entry.key, None)
        self._entries[entry.key] = entry
        self._note(entry)
        self._counts["quarantined_objects"] += 1

    def put_off(self, position: Position, reason: str, tries: int) -> Position:
        """The row of an object that was read to its end, and of which nothing counted; pure.

        One that has a fate already keeps it.
        """
        if "fate" in position.cursor:
            return position
        cursor = {**position.cursor, "fate": QUARANTINED + reason, "tries": tries}
        return replace(position, offset=0, cursor=cursor, removed=True)

    def take_aside(self, position: Position) -> None:
        """Know of an object that was put aside in a commit."""
        key = self.key(position.stream)
        if key in self._entries:
            return
        self._versions.pop(key, None)
        self._restore(position)
        self._counts["quarantined_objects"] += 1

    def release(self, entries: Iterable[Entry]) -> None:
        """Forget objects that vanished before anything of them counted; a later listing decides about them anew."""
        for entry in entries:
            self._entries.pop(entry.key, None)
            if entry.stored:
                stream = self.stream(entry.key)
                self._changed[stream] = Position(stream, 0, 0, forget=True)

    def retry(self, tries: int) -> list[Entry]:
        """Those that were put aside before somebody asked to try again, and of which something can still count.

        The others are no longer among those that were put aside: who asked has seen them.
        """
        aside = [one for one in self._entries.values() if one.fate and one.tries < tries]
        for entry in [one for one in aside if one.counted]:
            self.finish(entry, _DISMISSED)
        found = [one for one in aside if not one.counted]
        for entry in found:
            entry.fate, entry.tries = "", tries
            self._note(entry)
        return found

    def removed(self, released: Position) -> None:
        """An object was deleted, as it was released; its row stays while the key may be met."""
        cursor = {**released.cursor, "fate": "deleted"}
        self._changed[released.stream] = replace(released, cursor=cursor, removed=True)

    def kept(self, released: Position) -> None:
        """An object that was released is another one by now: it stays."""
        self._changed[released.stream] = replace(released, removed=True)

    # -- rows ---------------------------------------------------------------------------------------------

    @property
    def dirty(self) -> bool:
        """Whether rows have changed that no piece has carried yet."""
        return bool(self._changed)

    def changed(self) -> list[Position]:
        """The rows that have changed since the last call."""
        found = list(self._changed.values())
        self._changed = {}
        return found

    def forget_before(self, period: int) -> None:
        """Give up the rows of periods that no look reaches any more; what was put aside stays."""
        old = [one for one in self._periods if one < period]
        if not old:
            return
        self.floor = max(self.floor or 0, period)
        for key in (key for one in old for key in self._periods.pop(one)):
            if self._versions.pop(key, None) is not None:
                stream = self.stream(key)
                self._changed[stream] = Position(stream, 0, 0, forget=True)
        self._changed[self._floor_stream] = Position(self._floor_stream, 0, 0, {"period": self.floor}, done=True)

    def _remember(self, key: str, etag: str, size: int, place: Place | None) -> None:
        if key not in self._versions and place is not None and place.period is not None:
            self._periods.setdefault(place.period, []).append(key)
        self._versions[key] = _version(etag, size)

    def _note(self, entry: Entry) -> None:
        cursor: dict[str, Any] = {"etag": entry.etag, "size": entry.size, "written": entry.written}
        optional = {"fate": entry.fate, "tries": entry.tries, "counted": entry.counted and bool(entry.fate)}
        optional["mark"] = "" if entry.counted else entry.mark
        cursor |= {name: value for name, value in optional.items() if value}
        stream = self.stream(entry.key)
        entry.stored = True
        done = entry.counted or bool(entry.fate)
        stays = entry.fate.startswith(QUARANTINED)  # nothing that was put aside is deleted
        self._changed[stream] = Position(stream, entry.order, entry.offset, cursor, done=done, removed=stays)


def written_at(found: Found) -> int:
    """When an object was written, in us; 0 where the server does not say."""
    try:
        return round(datetime.fromisoformat(found.modified).timestamp() * 1e6)
    except (ValueError, OverflowError):
        return 0


def _version(etag: str, size: int) -> int:
    return hash((etag, size))
