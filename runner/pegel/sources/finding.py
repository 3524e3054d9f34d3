"""Finding the file that goes on where the front was read to."""

from __future__ import annotations

from dataclasses import dataclass

from pegel.sources.content import Steps
from pegel.sources.course import Course
from pegel.sources.identity import EDGE, Checkpoint, Stream
from pegel.sources.inflate import DamagedError, UnreadyError
from pegel.sources.owners import Owners
from pegel.sources.recognise import Fit, Inspector
from pegel.sources.rotation import Entry, is_packed_name

_CLOCK_GRAIN_NS = 2_000_000_000
"""Times of files are as coarse as this on some file systems."""


@dataclass
class _Found:
    """Archives that have to do with the front.

    Attributes:
        whole: It begins with all that was read.
        part: It holds a beginning of what was read, and nothing else.
        waiting: Some cannot be read yet.
    """

    whole: Entry | None = None
    part: Entry | None = None
    waiting: bool = False


class Finding:
    """Gives a front without a file its file back, or finds out that it is lost.

    The CRC of everything that was read decides. Where several files begin like that, the order of rotation
    does: an archive that is nobody's is younger than the front, so the oldest of them is its rest.
    """

    def __init__(self, course: Course, inspector: Inspector, owners: Owners) -> None:
        self._course = course
        self._inspector = inspector
        self._owners = owners

    def find(self, stream: Stream) -> Steps[None]:
        """Look for the front everywhere; afterwards it has a reader, is ended, or waits."""
        read = self._course.chain.read_to(stream)
        if not read.offset:
            # Nothing of it was read, so it is like a file that was never seen.
            self._course.drop(stream)
            self._course.front = None
            return
        archives = yield from self._archives(stream, read)
        live = yield from self._live(stream, read)
        if live is not None and archives.whole is not None:
            yield from self._choose(stream, live, archives.whole, read)
        elif live is not None and (stream.is_file(live.stat) or not archives.waiting):
            yield from self._attach(live, stream, read, archive=False)
        elif archives.whole is not None:
            yield from self._attach(archives.whole, stream, read)
        else:
            self._without_file(stream, read, archives)

    def _archives(self, stream: Stream, read: Checkpoint) -> Steps[_Found]:
        course = self._course
        found = _Found(waiting=course.is_in_the_making())
        for entry in self._candidates(stream):
            try:
                if (yield from self._owners.is_finished(entry)):
                    continue  # few bytes may be the beginning of several streams
                before = course.chain.read_before(stream, entry.stat.size)
                fit = yield from self._inspector.fit(entry, stream, read, before)
            except (UnreadyError, DamagedError, OSError) as error:
                found.waiting = course.keeps_waiting(entry, error) or found.waiting
                continue
            if fit is Fit.WHOLE:
                found.whole = entry
                break
            if fit is Fit.PART and self._may_be_shorter(stream, entry):
                found.part = entry
        return found

    def _candidates(self, stream: Stream) -> list[Entry]:
        """A file that did not change since it was seen, then what is nobody's, oldest first.

        An inode alone says little: it is used again.
        """
        course = self._course
        own = [entry for entry in course.directory.archives if course.owner(entry) is stream]
        return own + course.unread() + self._elsewhere(stream)

    def _elsewhere(self, stream: Stream) -> list[Entry]:
        """Where the stream was seen, outside of what is looked at: the live path was a link that leads on now."""
        course = self._course
        here = {course.home, course.path, *(entry.name for entry in course.directory.archives)}
        entries = []
        for name in stream.files.keys() - here:
            try:
                entries.append(Entry(name, course.world.files.stat(name), is_packed_name(name)))
            except OSError:
                continue
        return entries

    def _may_be_shorter(self, stream: Stream, entry: Entry) -> bool:
        """A part counts as the stream only where a copy was made of a file that is truncated by now."""
        course = self._course
        return course.settings.rotation != "rename" and (course.is_in_place(stream) or stream.is_file(entry.stat))

    def _live(self, stream: Stream, read: Checkpoint) -> Steps[Entry | None]:
        entry = self._course.live_entry()
        if entry is None or (not entry.packed and entry.stat.size < read.offset):
            return None
        try:
            fit = yield from self._inspector.fit(entry, stream, read, Checkpoint(0, 0))
        except (UnreadyError, DamagedError):
            return None
        return entry if fit is Fit.WHOLE else None

    def _choose(self, stream: Stream, live: Entry, archive: Entry, read: Checkpoint) -> Steps[None]:
        """Both the live file and an archive begin with all that we read."""
        early = archive.packed and read.offset < EDGE  # nobody packs a copy before the log is truncated
        if early or not stream.is_file(live.stat):
            yield from self._attach(archive, stream, read)
            return
        with self._inspector.opened(live) as file:
            copied = yield from self._inspector.copy_of(archive, file, live.stat.size)
        if copied is not Fit.NONE:
            self._owners.remember_copy(archive, stream)
        written = max((key.mtime_ns for key in stream.files.values() if key.same_file(live.stat)), default=0)
        older = archive.stat.mtime_ns + _CLOCK_GRAIN_NS < written
        if copied is not Fit.NONE or self._course.settings.rotation == "rename" or older:
            yield from self._attach(live, stream, read, archive=False)
        else:
            yield from self._attach(archive, stream, read)

    def _attach(self, entry: Entry, stream: Stream, read: Checkpoint, *, archive: bool = True) -> Steps[None]:
        try:
            reader = yield from self._inspector.reader(entry, stream, read.offset, archive=archive)
        except DamagedError as error:
            self._course.keeps_waiting(entry, error)
            return
        if archive:
            self._course.counts["resumed_archives"] += 1
        self._course.use(reader)

    def _without_file(self, stream: Stream, read: Checkpoint, archives: _Found) -> None:
        course = self._course
        if archives.part is not None:
            self._owners.remember_copy(archives.part, stream)
            self._give_up(stream, read, fate="")
        elif archives.waiting:
            # Files in the making have their own patience.
            course.hold(f"an archive of {course.path} is not complete yet")
        elif course.is_in_place(stream):
            self._give_up(stream, read, fate="truncated")
        elif course.age("front") < course.settings.rotate_wait:
            course.hold(f"the rest of {stream.id} is not found")
        else:
            self._give_up(stream, read, fate="lost")
            course.counts["lost_streams"] += 1

    def _give_up(self, stream: Stream, read: Checkpoint, fate: str) -> None:
        """What was read of it is all that there will ever be."""
        self._course.confirm()
        missing = max(0, stream.seen - read.offset)
        if missing:
            self._course.counts["bytes_lost_estimate"] += missing
        if missing and fate == "truncated":
            self._course.counts["truncate_gap_suspected"] += 1
        stream.fate = fate
        self._course.end(stream, read)
