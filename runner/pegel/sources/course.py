"""What is known of one log: its streams, the files that hold them, and where reading is.

The parts that find the front, open what follows and sort strays all work on one `Course`; it decides nothing
by itself.
"""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

from pegel.seams import FileStat
from pegel.sources import World
from pegel.sources.chain import Chain
from pegel.sources.content import Plain
from pegel.sources.identity import Checkpoint, FileKey, Stream, crc_of_zeros
from pegel.sources.inflate import Limits, UnreadyError
from pegel.sources.reader import Reader
from pegel.sources.rotation import Directory, Entry, is_packed_name, listing, look

_FORGET_AFTER = 86_400.0
"""Seconds after which a finished stream without a file cannot be met any more."""


@dataclass(frozen=True)
class Settings:
    """The options that every log of a source shares.

    Attributes:
        listed: All the files that there are, oldest first, and whether each is packed; nobody writes to them and
            nothing follows the last one. None where a directory says what there is.
    """

    archives: Sequence[str]
    rotation: Literal["auto", "rename", "copytruncate"]
    flush_timeout: float
    rotate_wait: float
    archive_wait: float
    archive_max_age: float
    piece_size: int
    roots: Sequence[str]
    limits: Limits
    listed: Sequence[tuple[str, bool]] | None = None


def same_file(one: FileStat, other: FileStat) -> bool:
    """Whether two looks saw the same inode."""
    return FileKey.of(one).same_file(other)


class Course:
    """The state of one log.

    Attributes:
        streams: All that are remembered, by id.
        known: Whose content a file holds, None for nobody's that needs no reading.
        continued: Files that were written to since the last look: whose content they held then.
        front: The stream that is partly consumed.
        reader: Where its bytes come from, None while its file has to be found.
        chain: What was read of the main run and is not consumed.
        late: Readers of archives that came too late for the main run, the first one being read.
        orphans: Late streams whose file has to be found again.
        basis: The look that the work in progress began with; a later one does not change what it started from.
        home: Where the live path leads to, through every link.
        dirty: Streams whose stored position is not up to date.
        reason: Why reading is held, empty while it is not.
        trouble: What failed when it was last tried, empty while nothing did.
        save: Positions changed that must be stored, though there may be no bytes to carry them.
    """

    def __init__(
        self,
        path: str,
        settings: Settings,
        world: World,
        streams: Sequence[Stream],
        mark: str,
        number: Callable[[], int],
        counts: Counter[str],
    ) -> None:
        main = [stream for stream in streams if not stream.late]
        self.path = path
        self.settings = settings
        self.world = world
        self.counts = counts
        self.streams = {stream.id: stream for stream in streams}
        self.front = next((stream for stream in reversed(main) if not stream.done), None)
        self.reader: Reader | None = None
        self.chain = Chain(path, mark, begun=any(stream.offset for stream in main))
        self.late: list[Reader] = []
        self.orphans = [stream for stream in streams if stream.late and not stream.done]
        self.known: dict[FileKey, Stream | None] = {
            key: stream for stream in streams for key in stream.files.values() if stream.done or stream is self.front
        }
        self.continued: dict[FileKey, Stream] = {}
        self.directory = Directory(None)
        self.basis = self.directory
        self.home = path
        self.dirty: dict[str, Stream] = {}
        self.reason = ""
        self.trouble = ""
        self.save = False
        self._closed: dict[tuple[int, int], str] = {}
        self._since: dict[object, float] = {}
        self._number = number

    @property
    def folder(self) -> str:
        """Where the live file really is."""
        return str(PurePath(self.home).parent)

    # --- time

    @property
    def now(self) -> float:
        """The time of all timers."""
        return self.world.clock.monotonic()

    def age(self, what: object) -> float:
        """How long something has been as it is, in seconds."""
        now = self.now
        return now - self._since.setdefault(what, now)

    def is_timed(self, what: object) -> bool:
        """Whether `age` was asked for it before."""
        return what in self._since

    def reset_age(self, what: object) -> None:
        """It changed."""
        self._since.pop(what, None)

    def hold(self, reason: str) -> None:
        """Reading waits on purpose."""
        self.reason = reason

    # --- what fails

    @property
    def failure(self) -> str:
        """What somebody has to mend before this log is read on, as a sentence; empty while nothing fails."""
        return self.trouble or next(iter(self._closed.values()), "")

    def refuse(self, entry: Entry, error: OSError) -> None:
        """A file is there and cannot be opened: it is waited for until it can be, or is gone."""
        self._closed[_inode(entry.stat)] = refusal(entry.name, error)

    def permit(self, entry: Entry) -> None:
        """A file can be opened."""
        self._closed.pop(_inode(entry.stat), None)

    # --- files

    def owner(self, entry: Entry) -> Stream | None:
        """The stream whose content an archive is known to hold."""
        return self.known.get(FileKey.of(entry.stat))

    def is_nobodys(self, entry: Entry) -> bool:
        """Whether nothing is known of an archive."""
        return FileKey.of(entry.stat) not in self.known

    def remember(self, entry: Entry, stream: Stream | None) -> None:
        """An archive holds a stream, or nothing that has to be read."""
        key = FileKey.of(entry.stat)
        self.known[key] = stream
        if stream is not None and stream.found_in(entry.name, key):
            self.dirty[stream.id] = stream

    def unread(self) -> list[Entry]:
        """Archives that are nobody's and younger than all that were read."""
        entries, newest = self.directory.archives, -1
        for index, entry in enumerate(entries):
            stream = self.owner(entry)
            read = stream is not None and not stream.late and stream.end is not None
            if read or self.is_front(entry):
                newest = index
        return [entry for entry in entries[newest + 1 :] if self.is_nobodys(entry)]

    def is_front(self, entry: Entry) -> bool:
        """Whether an archive is the file that is being read."""
        return self.reader is not None and same_file(entry.stat, self.reader.stat())

    def present(self) -> frozenset[str]:
        """Ids of the streams that some archive holds."""
        owners = (self.owner(entry) for entry in self.directory.archives)
        return frozenset(stream.id for stream in owners if stream is not None)

    def live_entry(self) -> Entry | None:
        """The live file, if it is there."""
        live = self.directory.live
        return Entry(self.home, live, is_packed_name(self.path)) if live is not None and live.regular else None

    def is_live(self, reader: Reader) -> bool:
        """Whether a reader's file is the one behind the live path."""
        return self.directory.live is not None and same_file(self.directory.live, reader.stat())

    def is_in_place(self, stream: Stream) -> bool:
        """Whether the live file has an inode that a stream was seen in."""
        return self.directory.live is not None and stream.is_file(self.directory.live)

    def is_moving(self, entry: Entry) -> bool:
        """Whether a file was seen changing a moment ago."""
        return self.age(("moving", FileKey.of(entry.stat))) < self.settings.rotate_wait

    def is_in_the_making(self) -> bool:
        """Whether somebody is making an archive; a file that does not change is not waited for any longer."""
        ages = [self.age(one) for one in self.directory.unfinished]
        return any(age < self.settings.archive_wait for age in ages)

    def is_too_old(self, entry: Entry) -> bool:
        """Whether an archive is beyond the age up to which they are read."""
        limit = self.settings.archive_max_age
        return bool(limit) and self.world.clock.wall() - entry.stat.mtime_ns / 1e9 > limit

    # --- streams

    def new_stream(self, *, late: bool = False) -> Stream:
        """A stream that was never used; `admit` makes it one of ours."""
        number = self._number()
        return Stream(f"{self.path}#{number}", number, late=late)

    def admit(self, stream: Stream) -> None:
        """Remember a stream from now on."""
        self.streams[stream.id] = stream
        self.dirty[stream.id] = stream

    def drop(self, stream: Stream) -> None:
        """Forget a stream."""
        stream.forgotten = True
        self.dirty[stream.id] = stream
        self.streams.pop(stream.id, None)
        self.known = {key: other for key, other in self.known.items() if other is not stream}

    def finished(self) -> list[Stream]:
        """Streams whose end is certain."""
        return [stream for stream in self.streams.values() if stream.end is not None]

    def newest(self) -> Stream | None:
        """The stream that bytes come from, else the one that was begun last."""
        return self.front or max(self.streams.values(), key=lambda stream: stream.order, default=None)

    def end(self, stream: Stream, end: Checkpoint) -> None:
        """The end of the front is certain; it is done once nothing of it waits in the chain."""
        stream.end = end
        self.dirty[stream.id] = stream
        self.front = None
        self.reset_age("front")
        if not self.chain.holds(stream):
            stream.close()

    def use(self, reader: Reader) -> None:
        """Read the front from here on."""
        self.front, self.reader = reader.stream, reader
        self.reset_age("front")
        self.keep_place(reader)

    def keep_place(self, reader: Reader) -> None:
        """Remember where the front is and how long its file is."""
        stat = reader.stat()
        if isinstance(reader.content, Plain):
            reader.stream.seen = max(reader.stream.seen, stat.size)
        reader.stream.found_in(reader.name, FileKey.of(stat))

    def skip_old(self, entry: Entry) -> None:
        """An archive is too old to be read."""
        self.counts["old_archives"] += 1
        self.remember(entry, None)

    def keeps_waiting(self, entry: Entry, error: Exception) -> bool:
        """Whether an unreadable archive may still become readable; when not, it is put aside for ever.

        Only damaged content is ever put aside. A missing right, or a process that has too many files open, is
        mended from outside, and what the archive holds is as good as before.
        """
        watched = self.age(FileKey.of(entry.stat))
        lying = self.world.clock.wall() - entry.stat.mtime_ns / 1e9  # also while no runner watched it
        if isinstance(error, OSError):
            if error.errno != errno.EIO:
                return True
            lying = 0.0  # a device may fail for a while, however old the file is
        if watched < self.settings.rotate_wait or max(watched, lying) < self.settings.archive_wait:
            return True
        stream = self.new_stream()
        stream.fate, stream.end = f"quarantined: {error}", Checkpoint(0, 0)
        stream.close()
        self.admit(stream)
        self.remember(entry, stream)
        self.counts["quarantined_archives"] += 1
        self.save = True
        return False

    # --- a new look at the directory

    def look(self) -> Directory:
        """What is there now."""
        files = self.world.files
        if self.settings.listed is not None:
            return listing(files, self.settings.listed)
        self.home = files.resolve(self.path)
        homes = (self.home,) if self.home != self.path else ()
        return look(files, self.path, self.settings.archives, homes)

    def confirm(self) -> None:
        """What is decided now rests on what is there, not on what was there a moment ago.

        Raises:
            UnreadyError: A rotation went on since the directory was looked at.
        """
        now, then = self.look(), self.basis
        if (now.archives, now.unfinished) != (then.archives, then.unfinished) or not _goes_on(then.live, now.live):
            raise UnreadyError(f"the files of {self.path} changed")

    def see(self, new: Directory) -> None:
        """The directory was looked at: keep names and timers up to date, and forget what is gone."""
        self._find_continued(new)
        self.directory = new
        keys = {FileKey.of(entry.stat) for entry in new.archives}
        for entry in new.archives:
            stream = self.owner(entry)
            if self.reader is not None and self.is_front(entry):
                self.reader.name = entry.name
            elif stream is not None:
                stream.found_in(entry.name, FileKey.of(entry.stat))
        self._forget_gone(keys)
        self._forget_mended(new)
        timed = {*keys, *self.streams, *new.unfinished, "front"}
        timed |= {(kind, key) for kind in ("moving", "equal") for key in keys}
        self._since = {what: since for what, since in self._since.items() if what in timed}

    def _find_continued(self, new: Directory) -> None:
        """Same name and inode at two looks in a row, and written to between them."""
        before = {(entry.name, entry.stat.dev, entry.stat.ino): entry for entry in self.directory.archives}
        self.continued = {}
        for entry in new.archives:
            old = before.get((entry.name, entry.stat.dev, entry.stat.ino))
            stream = self.owner(old) if old is not None else None
            if stream is not None and self.is_nobodys(entry):
                self.continued[FileKey.of(entry.stat)] = stream

    def _forget_gone(self, keys: set[FileKey]) -> None:
        present = {stream.id for key, stream in self.known.items() if stream is not None and key in keys}
        newest = max((stream.order for stream in self.streams.values()), default=0)
        for stream in list(self.streams.values()):
            if not stream.done or stream.order == newest or stream.id in present:
                self.reset_age(stream.id)
            elif self.age(stream.id) >= _FORGET_AFTER:
                self.drop(stream)

    def _forget_mended(self, new: Directory) -> None:
        """What is gone, or need not be read any more, fails no longer."""
        wanted = {_inode(entry.stat) for entry in new.archives if self._is_wanted(entry)}
        if new.live is not None:
            wanted.add(_inode(new.live))
        self._closed = {inode: sentence for inode, sentence in self._closed.items() if inode in wanted}

    def _is_wanted(self, entry: Entry) -> bool:
        owner = self.owner(entry)
        return self.is_nobodys(entry) or (owner is not None and not owner.done)

    def lag(self) -> int:
        """Bytes that are known of and not consumed; packed ones count as they are."""
        count = len(self.chain) + sum(entry.stat.size for entry in self.unread())
        if self.reader is not None and self.reader.is_plain:
            count += max(0, self.reader.stat().size - self.reader.place)
        if self.directory.live is not None and not (self.reader is not None and self.is_live(self.reader)):
            count += self.directory.live.size
        return count


def refusal(name: str, error: OSError, verb: str = "read") -> str:
    """Why a file cannot be read, as a sentence that names it and, for a missing right, the remedy."""
    sentence = f"{error.filename or name} cannot be {verb}: {error.strerror or error}"
    if isinstance(error, PermissionError):
        sentence += "; let the user of the runner read it, by its group or an ACL: `pegel doctor` says how"
    return sentence


def _inode(stat: FileStat) -> tuple[int, int]:
    return stat.dev, stat.ino


def _goes_on(then: FileStat | None, now: FileStat | None) -> bool:
    """Whether a live file is the same and did not become shorter."""
    if then is None or now is None:
        return then is now
    return same_file(then, now) and now.size >= then.size


def with_zeros(read: Checkpoint, end: int) -> Checkpoint:
    """Length and CRC of what was read, if nothing but zeros follows up to an offset."""
    return Checkpoint(end, crc_of_zeros(end - read.offset, read.crc)) if end > read.offset else read
