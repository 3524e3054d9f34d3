"""One log: a live path and its archives, read as one run of records.

The model
---------
A *stream* is the content of one generation of the log. At most one stream of the main chain is partly
consumed: the *front*. It has a *reader* (an open file), or its file has to be found again. Bytes that were
read and not consumed wait in a *chain*, which may reach over several streams.

Every `poll_interval` the directory is looked at. What the look means is worked out in bounded steps, so that
a poll never takes long, and nothing is decided from memory that a file contradicts:

1. A front whose open file is no longer the live one is read until it is quiet and something follows it.
2. A front without a file is searched: first in the inodes that it was seen in, then in archives that are
   nobody's, oldest first, then in the live file. What decides is the CRC of everything read so far.
3. After a front the oldest archive follows that is younger than every finished one and holds nobody's
   content; only when there is none, and none in the making, the live file follows.
4. Other archives are strays: known content, a copy of the live file that is not truncated yet, or late. Late
   ones are read in a chain of their own, so that they never meet half a line of the main chain.

Invariants
----------
* The position of a stream covers exactly the bytes whose records are committed with it.
* A finished stream is recognised by its exact length and CRC; a prefix proves something only together with
  an inode, a name or the place in the order.
* Nothing is read past an archive that may still become readable.
* What stays undecidable is held, counted and then skipped: never guessed, never read twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from pegel.formats import End
from pegel.seams import FileStat
from pegel.sources import Piece, Position, World
from pegel.sources.chain import Chain
from pegel.sources.content import Plain, Steps, survey
from pegel.sources.identity import EDGE, Checkpoint, FileKey, Stream, crc_of, crc_of_zeros
from pegel.sources.inflate import DamagedError, Limits, UnreadyError
from pegel.sources.reader import Reader, ReplacedError
from pegel.sources.recognise import Fit, Inspector
from pegel.sources.rotation import Directory, Entry, look

_STEPS = 32
"""Chunks of work in one poll."""

_FORGET_AFTER = 86_400.0
"""Seconds after which a finished stream without a file cannot be met any more."""

_CLOCK_GRAIN_NS = 2_000_000_000


@dataclass(frozen=True)
class Settings:
    """The options that every log of a source shares."""

    archives: Sequence[str]
    rotation: Literal["auto", "rename", "copytruncate"]
    flush_timeout: float
    rotate_wait: float
    archive_wait: float
    archive_max_age: float
    piece_size: int
    limits: Limits


class Owned(Enum):
    """Whose content an archive holds."""

    NOBODY = "nobody"
    KNOWN = "known"
    UNCLEAR = "unclear"


class Log:
    """Reads one log.

    Args:
        path: The live path, which is also the partition.
        settings: Options.
        world: The outside world.
        streams: What is known of it, in order.
        mark: The framer's mark that was stored last.
        number: Gives the next number of a stream.
        counts: What was noticed, by name.
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
        self.path = path
        self.trouble = ""
        self.reason = ""
        self.lag = 0
        self._settings = settings
        self._world = world
        self._number = number
        self._counts = counts
        self._inspector = Inspector(world.files, settings.limits)
        main = [stream for stream in streams if not stream.late]
        self._streams = {stream.id: stream for stream in streams}
        self._front = next((s for s in reversed(main) if not s.done), None)
        self._chain = Chain(path, mark, begun=any(stream.offset for stream in main))
        self._reader: Reader | None = None
        self._aside = Chain(path)
        self._late: list[Reader] = []
        self._orphans = [stream for stream in streams if stream.late and not stream.done]
        self._known: dict[FileKey, Stream | None] = {
            key: stream for stream in streams for key in stream.files.values() if stream.done or stream is self._front
        }
        self._directory = Directory(None)
        self._continued: dict[FileKey, Stream] = {}
        self._work: Iterator[None] | None = None
        self._work_due = True
        self._is_fresh = False
        self._since: dict[object, float] = {}
        self._dirty: dict[str, Stream] = {}
        self._offered: Chain | None = None
        self._fresh_at = world.clock.monotonic()
        self._flushed = True
        self._held = False
        self._skip = False
        self._save = False
        self._swept_at = world.clock.monotonic()

    # --- what the source asks

    def skip_existing(self) -> None:
        """Begin behind all that is there now."""
        self._skip = True

    def look(self) -> None:
        """See what the directory holds; the next polls work out what it means."""
        self.trouble = ""
        try:
            seen = self._look()
            again = self._look() if seen.archives != self._directory.archives else seen
        except OSError as error:
            self.trouble = f"{self.path} cannot be looked at: {error.strerror or error}"
            return
        if seen.archives != again.archives or seen.unfinished != again.unfinished:
            self._world.wake.set()  # a rotation is going on; the next look sees it finished
            return
        self._continue(self._directory, again)
        self._directory = again
        self._work_due = self._is_fresh = True
        self._notice()

    def poll(self) -> Piece | None:
        """The next piece, None when there is nothing to read now."""
        now = self._world.clock.monotonic()
        try:
            self._work_on()
            piece = self._read(now) or self._read_late(now)
        except OSError as error:
            self.trouble = f"{self.path} cannot be read: {error.strerror or error}"
            return None
        finally:
            self._is_fresh = False
        return piece or self._flush(now) or self._saved()

    def consume(self, count: int, mark: str) -> Sequence[Position]:
        """The first bytes of the last piece are used up."""
        chain = self._offered or self._chain
        self._offered = None
        for stream in chain.consume(count, mark):
            self._dirty[stream.id] = stream
        moved = sorted(self._dirty.values(), key=lambda stream: stream.order)
        self._dirty = {}
        marks = self._chain.mark
        return [stream.position(self.path, "" if stream.late else marks) for stream in moved]

    def exhausted(self) -> bool:
        """Whether all that is there was offered."""
        waiting = self._work is not None or self._work_due or self._held or bool(self._late) or self._skip
        unflushed = len(self._chain) > 0 and not self._flushed
        unread = self._reader is not None and not self._reader.at_end
        return not (waiting or unflushed or unread or self.trouble or self._must_move())

    def close(self) -> None:
        """Give every descriptor back."""
        self._work = None
        for reader in [*self._late, *([self._reader] if self._reader else [])]:
            reader.close()
        self._late, self._reader = [], None

    @property
    def live(self) -> FileStat | None:
        """The file behind the live path."""
        return self._directory.live

    def seen_in(self, stat: FileStat) -> bool:
        """Whether its unfinished stream was seen in that file."""
        return self._front is not None and self._front.is_file(stat)

    # --- looking

    def _look(self) -> Directory:
        real = self._world.files.resolve(self.path)
        homes = (real,) if real != self.path else ()
        return look(self._world.files, self.path, self._settings.archives, homes)

    def _continue(self, old: Directory, new: Directory) -> None:
        """Remember whose file was written to again: same name and inode at two looks in a row."""
        held = {(entry.name, entry.stat.dev, entry.stat.ino): entry for entry in old.archives}
        self._continued = {}
        for entry in new.archives:
            key, before = FileKey.of(entry.stat), held.get((entry.name, entry.stat.dev, entry.stat.ino))
            stream = self._known.get(FileKey.of(before.stat)) if before is not None else None
            if stream is not None and key not in self._known:
                self._continued[key] = stream

    def _notice(self) -> None:
        """Keep names up to date, notice a rotation, forget what is gone."""
        reader, keys = self._reader, []
        for entry in self._directory.archives:
            key = FileKey.of(entry.stat)
            keys.append(key)
            stream = self._known.get(key)
            if stream is not None:
                stream.found_in(entry.name, key)
            elif reader is not None and isinstance(reader.content, Plain) and _same(entry.stat, reader.stat()):
                reader.stream.found_in(entry.name, key)
        if reader is not None and not reader.rotated and not self._is_live(reader):
            reader.rotated = True
            reader.moved_at = self._world.clock.monotonic()  # the writer may not know yet
            self._counts["rotations"] += 1
        self._inspector.forget(keys)
        self._forget_gone(set(keys))
        self.lag = self._lag()

    def _lag(self) -> int:
        unread = sum(entry.stat.size for entry in self._unread())
        behind = 0
        if self._reader is not None:
            behind = (
                max(0, self._reader.stat().size - self._reader.place) if isinstance(self._reader.content, Plain) else 0
            )
        if self._directory.live is not None and not (self._reader and self._is_live(self._reader)):
            behind += self._directory.live.size
        return unread + behind + len(self._chain)

    def _forget_gone(self, keys: set[FileKey]) -> None:
        now = self._world.clock.monotonic()
        present = {stream.id for key, stream in self._known.items() if stream is not None and key in keys}
        newest = max((stream.order for stream in self._streams.values()), default=0)
        for stream in list(self._streams.values()):
            if not stream.done or stream.order == newest or stream.id in present:
                self._since.pop(stream.id, None)
            elif self._age(stream.id, now) >= _FORGET_AFTER:
                stream.forgotten = True
                self._dirty[stream.id] = stream
                del self._streams[stream.id]
                self._known = {key: other for key, other in self._known.items() if other is not stream}
        timed = {*keys, *self._streams, *self._directory.unfinished, "front"}
        timed |= {(kind, key) for kind in ("moving", "equal") for key in keys}
        self._since = {what: since for what, since in self._since.items() if what in timed}

    def _age(self, what: object, now: float) -> float:
        """How long something has been as it is."""
        return now - self._since.setdefault(what, now)

    # --- working out what the directory means

    def _work_on(self) -> None:
        if self._work is None and (self._work_due or self._must_move()):
            if not self._is_fresh and (self._reader is None or self._must_move()):
                self.look()  # a rotation is decided by what is there now, not a moment ago
            self._work_due = False
            self._held = False
            self.reason = ""
            self._work = self._steps()
        for _ in range(_STEPS if self._work is not None else 0):
            try:
                next(self._work)  # type: ignore[arg-type]
            except StopIteration:
                self._work = None
                return
            except (UnreadyError, FileNotFoundError):
                self._work = None  # something was renamed while it was looked at; the next look sees where it is
                self._held = True
                return
            except OSError:
                self._work = None
                raise
        if self._work is not None:
            self._world.wake.set()

    def _steps(self) -> Steps[None]:
        if self._skip:
            yield from self._skip_all()
        if self._must_move():
            self._finish_front()
        if self._front is not None and self._reader is None:
            yield from self._find_front()
        if self._front is None:
            yield from self._begin_next()
        if self._reader is not None:
            yield from self._sort_strays()

    def _must_move(self) -> bool:
        """Whether the front was read to its end and something follows it."""
        reader = self._reader
        if reader is None or not reader.at_end:
            return False
        clock = self._world.clock
        if self._is_live(reader):
            return not isinstance(reader.content, Plain)
        return self._something_follows() and reader.is_quiet(
            clock.monotonic(), clock.wall(), self._settings.rotate_wait
        )

    def _something_follows(self) -> bool:
        live = self._directory.live
        return (live is not None and live.size > 0) or bool(self._unread())

    def _waits_for_quiet(self) -> bool:
        reader = self._reader
        return reader is not None and reader.at_end and reader.rotated and self._something_follows()

    def _is_live(self, reader: Reader) -> bool:
        return self._directory.live is not None and _same(self._directory.live, reader.stat())

    def _finish_front(self) -> None:
        """The front is at its certain end."""
        stream, reader = self._front, self._reader
        assert stream is not None
        assert reader is not None
        final = self._is_live(reader)
        read = self._chain.read_to(stream)
        self._end(stream, _with_zeros(read, reader.end))
        key = FileKey.of(reader.stat())
        self._remember(key, stream, self._name_of(reader))
        reader.close()
        self._reader = self._front = None
        if final and self._chain.holds(stream):
            self._flushed = False

    def _name_of(self, reader: Reader) -> str:
        names = [entry.name for entry in self._directory.archives if _same(entry.stat, reader.stat())]
        return names[0] if names else reader.name

    def _end(self, stream: Stream, end: Checkpoint) -> None:
        stream.end = end
        if not self._chain.holds(stream):
            stream.close()
        self._dirty[stream.id] = stream

    def _remember(self, key: FileKey, stream: Stream | None, name: str) -> None:
        self._known[key] = stream
        if stream is not None and stream.found_in(name, key):
            self._dirty[stream.id] = stream

    def _remember_copy(self, entry: Entry, stream: Stream) -> None:
        """A file holds a beginning of a stream and nothing else."""
        copy = self._inspector.content_of(entry)
        if copy is not None:
            stream.copied_as(copy)
        self._remember(FileKey.of(entry.stat), stream, entry.name)

    def _finished(self) -> list[Stream]:
        return [stream for stream in self._streams.values() if stream.end is not None]

    def _present(self) -> frozenset[str]:
        here = (self._known.get(FileKey.of(entry.stat)) for entry in self._directory.archives)
        return frozenset(stream.id for stream in here if stream is not None)

    def _unread(self) -> list[Entry]:
        """Archives that are nobody's and younger than all that were read."""
        entries = self._directory.archives
        front = self._reader.stat() if self._reader is not None else None
        newest = -1
        for index, entry in enumerate(entries):
            stream = self._known.get(FileKey.of(entry.stat))
            read = stream is not None and not stream.late and stream.end is not None
            if read or (front is not None and _same(entry.stat, front)):
                newest = index
        return [entry for entry in entries[newest + 1 :] if FileKey.of(entry.stat) not in self._known]

    # --- the front lost its file

    def _find_front(self) -> Steps[None]:
        stream = self._front
        assert stream is not None
        read = self._chain.read_to(stream)
        if not read.offset:
            self._drop_front(stream)
            return
        archive, part, waiting = yield from self._fitting_archive(stream, read)
        live = yield from self._fits_live(stream, read)
        if live is not None and archive is not None:
            live, archive = yield from self._choose(stream, live, archive)
        if live is not None and (stream.is_file(live.stat) or not waiting):
            yield from self._attach(live, stream, read.offset, archive=False)
        elif archive is not None:
            yield from self._attach(archive, stream, read.offset)
        elif part is not None:
            self._remember_copy(part, stream)
            self._lose(stream, read, reason="")
        elif waiting or not self._in_place(stream):
            self._wait_for_front(stream, read, waiting=waiting)
        else:
            self._lose(stream, read, reason="truncated")

    def _drop_front(self, stream: Stream) -> None:
        """Nothing of it was read, so it is like a file that was never seen."""
        stream.forgotten = True
        self._dirty[stream.id] = stream
        del self._streams[stream.id]
        self._known = {key: other for key, other in self._known.items() if other is not stream}
        self._front = None

    def _in_place(self, stream: Stream) -> bool:
        return self._directory.live is not None and stream.is_file(self._directory.live)

    def _fitting_archive(self, stream: Stream, read: Checkpoint) -> Steps[tuple[Entry | None, Entry | None, bool]]:
        """The archive that goes on where we stopped, else one that holds a part of what we read; and
        whether there are some that cannot be read yet."""
        part, waiting = None, self._is_in_the_making()
        for entry in self._candidates(stream):
            before = self._chain.read_before(stream, entry.stat.size)
            try:
                if (yield from self._is_finished(entry)):
                    continue
                fit = yield from self._inspector.fit(entry, stream, read, before)
            except (UnreadyError, DamagedError) as error:
                waiting = self._keeps_waiting(entry, error) or waiting
                continue
            if fit is Fit.WHOLE:
                return entry, None, waiting
            if fit is Fit.PART and self._may_be_shorter(stream, entry):
                part = entry
        return None, part, waiting

    def _is_finished(self, entry: Entry) -> Steps[bool]:
        """Whether an archive holds a finished stream; few bytes may be the beginning of several."""
        key = FileKey.of(entry.stat)
        if key in self._known:
            return False
        owner = yield from self._inspector.finished_owner(entry, self._finished())
        if owner is not None:
            self._counts["recognised_archives"] += 1
            self._remember(key, owner, entry.name)
        return owner is not None

    def _may_be_shorter(self, stream: Stream, entry: Entry) -> bool:
        """A part of a stream counts as that stream only where a copy was made of a file that is truncated now."""
        return self._settings.rotation != "rename" and (self._in_place(stream) or stream.is_file(entry.stat))

    def _candidates(self, stream: Stream) -> list[Entry]:
        """Archives that may be the front, the likeliest first: a file that did not change since it was seen, then
        the oldest that is nobody's, as all of those are younger. An inode alone says little: it is used again."""
        own = [entry for entry in self._directory.archives if self._known.get(FileKey.of(entry.stat)) is stream]
        return own + self._unread()

    def _live_entry(self) -> Entry | None:
        live = self._directory.live
        return (
            Entry(self.path, live, self.path.endswith((".gz", ".gzip"))) if live is not None and live.regular else None
        )

    def _fits_live(self, stream: Stream, read: Checkpoint) -> Steps[Entry | None]:
        entry = self._live_entry()
        if entry is None or entry.stat.size < (0 if entry.packed else read.offset):
            return None
        try:
            fit = yield from self._inspector.fit(entry, stream, read, Checkpoint(0, 0))
        except (UnreadyError, DamagedError):
            return None
        return entry if fit is Fit.WHOLE else None

    def _choose(self, stream: Stream, live: Entry, archive: Entry) -> Steps[tuple[Entry | None, Entry | None]]:
        """Both the live file and an archive begin with all that we read."""
        if not stream.is_file(live.stat):
            return None, archive
        file = self._inspector.open(live)
        try:
            copied = yield from self._inspector.copy_of(archive, file, live.stat.size)
        finally:
            file.close()
        if copied is not Fit.NONE:
            self._remember_copy(archive, stream)
            return live, None
        written = max((key.mtime_ns for key in stream.files.values() if key.same_file(live.stat)), default=0)
        older = archive.stat.mtime_ns + _CLOCK_GRAIN_NS < written
        if self._settings.rotation == "rename" or older:
            return live, None
        return None, archive

    def _attach(self, entry: Entry, stream: Stream, place: int, *, archive: bool = True) -> Steps[None]:
        try:
            reader = yield from self._inspector.reader(entry, stream, place, archive=archive)
        except DamagedError as error:
            self._keeps_waiting(entry, error)
            return
        if archive and stream.offset:
            self._counts["resumed_archives"] += 1
        self._use(reader)

    def _use(self, reader: Reader) -> None:
        self._front, self._reader = reader.stream, reader
        self._since.pop("front", None)
        stat = reader.stat()
        reader.stream.seen = max(reader.stream.seen, stat.size if isinstance(reader.content, Plain) else 0)
        self._remember_place(reader)

    def _remember_place(self, reader: Reader) -> None:
        reader.stream.found_in(reader.name, FileKey.of(reader.stat()))

    def _wait_for_front(self, stream: Stream, read: Checkpoint, *, waiting: bool) -> None:
        """Nothing fits yet. Files in the making have their own patience; without any, a moment is enough."""
        age = self._age("front", self._world.clock.monotonic())
        if waiting:
            self._hold(f"an archive of {self.path} is not complete yet")
        elif age < self._settings.rotate_wait:
            self._hold(f"the rest of {stream.id} is not found")
        else:
            self._lose(stream, read, reason="lost")

    def _lose(self, stream: Stream, read: Checkpoint, reason: str) -> None:
        """What we read of it is all that we will ever have."""
        missing = max(0, stream.seen - read.offset)
        if reason == "lost":
            self._counts["lost_streams"] += 1
        if missing:
            self._counts["bytes_lost_estimate"] += missing
            if reason == "truncated":
                self._counts["truncate_gap_suspected"] += 1
        stream.fate = reason
        self._end(stream, read)
        self._front = None
        self._since.pop("front", None)

    # --- what follows

    def _begin_next(self) -> Steps[None]:
        for entry in self._unread():
            if not (yield from self._passes(entry)):
                return
        if self._is_in_the_making():
            self._hold(f"an archive of {self.path} is not complete yet")
            return
        yield from self._begin_live()

    def _passes(self, entry: Entry) -> Steps[bool]:
        """Begin an archive, or hold it; true if it is nothing to read and the next one follows."""
        if self._is_too_old(entry):
            self._remember(FileKey.of(entry.stat), None, entry.name)
            return True
        try:
            owned = yield from self._is_owned(entry)
            if owned is not Owned.NOBODY:
                return owned is Owned.KNOWN
            copied = yield from self._copied_from_live(entry)
            if copied is Fit.WHOLE:
                return True
            if copied is Fit.PART and self._is_moving(entry):
                self._hold(f"{entry.name} may be a copy that is being made")
                return False
            stream = self._new_stream()
            reader = yield from self._inspector.reader(entry, stream, 0)
        except (UnreadyError, DamagedError) as error:
            if not self._keeps_waiting(entry, error):
                return True
            self._hold(f"{entry.name} is not complete yet")
            return False
        self._streams[stream.id] = stream
        self._use(reader)
        return False

    def _copied_from_live(self, entry: Entry) -> Steps[Fit]:
        """Whether the youngest archive is a copy of the live file, which will be truncated in a moment."""
        live = self._live_entry()
        if self._settings.rotation == "rename" or live is None or live.packed or entry != self._unread()[-1]:
            return Fit.NONE
        file = self._inspector.open(live)
        try:
            return (yield from self._inspector.copy_of(entry, file, live.stat.size))
        finally:
            file.close()

    def _is_owned(self, entry: Entry) -> Steps[Owned]:
        """Find out whose content an archive holds."""
        key = FileKey.of(entry.stat)
        verdict = yield from self._inspector.classify(
            entry, self._finished(), self._present(), self._continued.get(key)
        )
        if verdict.stream is None:
            if not verdict.empty:
                return Owned.NOBODY
            self._remember(key, None, entry.name)
        elif verdict.exact and self._may_be_another(entry, verdict.stream):
            return Owned.UNCLEAR
        elif verdict.more:
            yield from self._go_on_late(entry, verdict.stream)
        else:
            self._counts["recognised_archives"] += 1
            self._remember(key, verdict.stream, entry.name)
        return Owned.KNOWN

    def _may_be_another(self, entry: Entry, stream: Stream) -> bool:
        """Few equal bytes in two files may be a copy or a second log with the same content."""
        twins = [
            other
            for other in self._directory.archives
            if self._known.get(FileKey.of(other.stat)) is stream and other.plain_name != entry.plain_name
        ]
        if not twins or stream.end is None or stream.end.offset >= EDGE or entry not in self._unread():
            return False
        key = ("equal", FileKey.of(entry.stat))
        if key not in self._since:
            self._counts["identity_ambiguous"] += 1
        if self._age(key, self._world.clock.monotonic()) >= self._settings.archive_wait:
            return False
        self._hold(f"{entry.name} has the content of {twins[0].name}; set `rotation`, or remove one of them")
        return True

    def _begin_live(self) -> Steps[None]:
        entry = self._live_entry()
        if entry is None or not entry.stat.size or FileKey.of(entry.stat) in self._known:
            return
        replaced = yield from self._replaced(entry)
        if replaced is not None:
            replaced.end, replaced.done, replaced.fate = None, False, ""
            yield from self._attach(entry, replaced, self._chain.read_to(replaced).offset, archive=False)
            return
        stream = self._new_stream()
        try:
            if entry.packed:
                yield from self._inspector.whole(entry)
            reader = yield from self._inspector.reader(entry, stream, 0, archive=False)
        except (UnreadyError, DamagedError) as error:
            if entry.packed and self._keeps_waiting(entry, error):
                self._hold(f"{self.path} is not complete yet")
            return
        self._streams[stream.id] = stream
        self._use(reader)

    def _replaced(self, entry: Entry) -> Steps[Stream | None]:
        """The last stream, if its file is gone and the live one begins with all of it (an editor, rsync)."""
        main = [stream for stream in self._finished() if not stream.late]
        last = max(main, key=lambda stream: stream.order, default=None)
        if last is None or last.end is None or not last.end.offset or last.id in self._present():
            return None
        if entry.packed or last.fate or entry.stat.size < last.end.offset or last.is_file(entry.stat):
            return None
        fit = yield from self._inspector.fit(entry, last, last.end, Checkpoint(0, 0))
        return last if fit is Fit.WHOLE else None

    def _new_stream(self, *, late: bool = False) -> Stream:
        number = self._number()
        return Stream(f"{self.path}#{number}", number, late=late)

    def _is_too_old(self, entry: Entry) -> bool:
        limit = self._settings.archive_max_age
        if not limit or self._world.clock.wall() - entry.stat.mtime_ns / 1e9 <= limit:
            return False
        self._counts["old_archives"] += 1
        return True

    # --- waiting

    def _hold(self, reason: str) -> None:
        self._held = True
        self.reason = reason

    def _keeps_waiting(self, entry: Entry, error: Exception) -> bool:
        """Whether an unreadable archive may still become readable; when not, it is put aside for ever."""
        key = FileKey.of(entry.stat)
        if self._age(key, self._world.clock.monotonic()) < self._settings.archive_wait:
            return True
        stream = self._new_stream()
        stream.fate, stream.end = f"quarantined: {error}", Checkpoint(0, 0)
        stream.close()
        self._streams[stream.id] = stream
        self._remember(key, stream, entry.name)
        self._dirty[stream.id] = stream
        self._counts["quarantined_archives"] += 1
        return False

    def _is_moving(self, entry: Entry) -> bool:
        """Whether a file was seen changing a moment ago."""
        age = self._age(("moving", FileKey.of(entry.stat)), self._world.clock.monotonic())
        return age < self._settings.rotate_wait

    def _is_in_the_making(self) -> bool:
        now, wait = self._world.clock.monotonic(), self._settings.archive_wait
        return any([self._age(one, now) < wait for one in self._directory.unfinished])

    # --- strays and late archives

    def _sort_strays(self) -> Steps[None]:
        reader = self._reader
        for entry in self._strays():
            if self._is_moving(entry) or reader is not self._reader:
                continue
            try:
                yield from self._sort_stray(entry)
            except (UnreadyError, DamagedError) as error:
                self._keeps_waiting(entry, error)
        yield from ()

    def _strays(self) -> list[Entry]:
        """Archives that are nobody's and do not simply follow the front."""
        reader = self._reader
        if reader is None:
            return []
        nobodys = [entry for entry in self._directory.archives if FileKey.of(entry.stat) not in self._known]
        if self._is_live(reader):
            return [entry for entry in nobodys if not _same(entry.stat, reader.stat())]
        if not any(_same(entry.stat, reader.stat()) for entry in self._directory.archives):
            return []  # where they belong cannot be told before the front is finished
        following = {entry.name for entry in self._unread()}
        return [e for e in nobodys if e.name not in following and not _same(e.stat, reader.stat())]

    def _sort_stray(self, entry: Entry) -> Steps[None]:
        for stream in self._orphans:
            read = Checkpoint(stream.offset, stream.crc)
            if (yield from self._inspector.fit(entry, stream, read, Checkpoint(0, 0))) is Fit.WHOLE:
                self._late.append((yield from self._inspector.reader(entry, stream, stream.offset)))
                self._orphans.remove(stream)
                self._remember(FileKey.of(entry.stat), stream, entry.name)
                return
        if (yield from self._is_owned(entry)) is not Owned.NOBODY:
            return
        copied = yield from self._is_copy(entry)
        reader = self._reader
        if reader is None or not reader.is_intact():
            return  # it may be the copy of what was truncated a moment ago
        if copied:
            self._remember_copy(entry, reader.stream)
        else:
            yield from self._read_aside(entry)

    def _is_copy(self, entry: Entry) -> Steps[bool]:
        reader = self._reader
        if reader is None or self._settings.rotation == "rename" or not isinstance(reader.content, Plain):
            return False
        fit = yield from self._inspector.copy_of(entry, reader.content.file, reader.stat().size)
        return fit is Fit.WHOLE

    def _read_aside(self, entry: Entry) -> Steps[None]:
        key = FileKey.of(entry.stat)
        if self._is_too_old(entry):
            self._remember(key, None, entry.name)
            return
        stream = self._new_stream(late=True)
        self._late.append((yield from self._inspector.reader(entry, stream, 0)))
        self._streams[stream.id] = stream
        self._remember(key, stream, entry.name)
        self._counts["late_archives"] += 1

    def _go_on_late(self, entry: Entry, stream: Stream) -> Steps[None]:
        """A finished stream turned out to have more behind its end."""
        if self._chain.holds(stream) or stream.end is None:
            return
        place = stream.end.offset
        reader = yield from self._inspector.reader(entry, stream, place)
        stream.end, stream.done, stream.late = None, False, True
        self._late.append(reader)
        self._remember(FileKey.of(entry.stat), stream, entry.name)
        self._counts["late_archives"] += 1

    # --- reading

    def _read(self, now: float) -> Piece | None:
        reader = self._reader
        if reader is None:
            return None
        try:
            found = reader.read(self._settings.piece_size, now)
        except ReplacedError:
            self._counts["truncations"] += 1
            self._detach()
            return None
        except (UnreadyError, DamagedError):
            self._detach()
            return None
        if found is None:
            self._held = self._held or (self._waits_for_quiet() and not self._must_move())
            return None
        start, data = found
        reader.stream.seen = max(reader.stream.seen, reader.end)
        self._remember_place(reader)
        self._chain.add(reader.stream, start, data)
        self._fresh_at, self._flushed = now, False
        return self._offer(self._chain, reader.stream, End.MORE)

    def _detach(self) -> None:
        """The front's file is not the front any more; what was read of it stays."""
        if self._reader is not None:
            self._reader.close()
        self._reader = None
        self._work_due = True
        self._world.wake.set()

    def _read_late(self, now: float) -> Piece | None:
        if not self._late:
            return None
        reader = self._late[0]
        try:
            found = reader.read(self._settings.piece_size, now)
        except (ReplacedError, UnreadyError, DamagedError):
            found = None
        if found is not None:
            self._aside.add(reader.stream, *found)
            return self._offer(self._aside, reader.stream, End.MORE)
        if not reader.is_quiet(now, self._world.clock.wall(), self._settings.rotate_wait):
            return None
        return self._finish_late(reader)

    def _finish_late(self, reader: Reader) -> Piece | None:
        stream, chain = reader.stream, self._aside
        stream.end = _with_zeros(chain.read_to(stream), reader.end)
        self._remember(FileKey.of(reader.stat()), stream, reader.name)
        self._dirty[stream.id] = stream
        reader.close()
        del self._late[0]
        piece = self._offer(chain, stream, End.FINAL) if chain.holds(stream) else None
        if piece is None:
            stream.close()
        return piece

    def _flush(self, now: float) -> Piece | None:
        """Bytes that wait are offered once more when nothing came for a while."""
        if self._flushed or not len(self._chain) or self._work is not None:
            return None
        final = self._front is None and self.path.endswith((".gz", ".gzip"))
        if not final and now - self._fresh_at < self._settings.flush_timeout:
            return None
        self._flushed = True
        return self._offer(self._chain, self._newest(), End.FINAL if final else End.FLUSH)

    def _newest(self) -> Stream:
        return self._front or max(self._streams.values(), key=lambda stream: stream.order)

    def _saved(self) -> Piece | None:
        """A piece without bytes carries positions that must be stored before there are any."""
        if not self._save or not self._streams:
            return None
        self._save = False
        return self._offer(self._chain, self._newest(), End.MORE)

    def _offer(self, chain: Chain, stream: Stream, end: End) -> Piece:
        self._offered = chain
        return chain.piece(stream, end)

    # --- the first start behind everything

    def _skip_all(self) -> Steps[None]:
        for entry in self._directory.archives:
            yield from self._skip_archive(entry)
        entry = self._live_entry()
        if entry is not None and not entry.packed:
            yield from self._skip_live(entry)
        self._skip, self._save = False, bool(self._streams)
        self._dirty = dict(self._streams)

    def _skip_archive(self, entry: Entry) -> Steps[None]:
        try:
            if entry.packed:
                last = self._inspector.trailer(entry)
                end = Checkpoint(last.size, last.crc) if last is not None else Checkpoint(0, 0)
            else:
                found = yield from self._inspector.whole(entry)
                end = Checkpoint(found.length, found.crc)
        except UnreadyError:
            return
        stream = self._new_stream()
        stream.offset, stream.crc, stream.end, stream.done = end.offset, end.crc, end, True
        self._streams[stream.id] = stream
        self._remember(FileKey.of(entry.stat), stream, entry.name)

    def _skip_live(self, entry: Entry) -> Steps[None]:
        """Begin behind the last line that is complete."""
        file = self._inspector.open(entry)
        try:
            place = _last_line_end(file.pread, entry.stat.size)
            found = yield from survey(Plain(file), [], until=place)
        finally:
            file.close()
        stream = self._new_stream()
        stream.offset, stream.crc, stream.tail = found.length, found.crc, found.tail
        stream.head = Checkpoint(len(found.head), crc_of(found.head))
        self._streams[stream.id] = stream
        yield from self._attach(entry, stream, stream.offset, archive=False)
        if self._reader is None:
            self._front = stream


def _same(one: FileStat, other: FileStat) -> bool:
    return FileKey.of(one).same_file(other)


def _with_zeros(read: Checkpoint, end: int) -> Checkpoint:
    return Checkpoint(end, crc_of_zeros(end - read.offset, read.crc)) if end > read.offset else read


def _last_line_end(pread: Callable[[int, int], bytes], size: int) -> int:
    start = max(0, size - 2**16)
    found = pread(size - start, start).rfind(b"\n")
    return start + found + 1
