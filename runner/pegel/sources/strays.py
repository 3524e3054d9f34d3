"""Archives that do not simply follow the front: copies that were made early, and those that came late."""

from __future__ import annotations

from pegel.sources.content import Plain, Steps
from pegel.sources.course import Course
from pegel.sources.identity import Checkpoint, FileKey
from pegel.sources.inflate import DamagedError, UnreadyError
from pegel.sources.owners import Owned, Owners
from pegel.sources.recognise import Fit, Inspector
from pegel.sources.rotation import Entry


class Strays:
    """Sorts strays once they are quiet.

    Known content is remembered, a copy belongs to the front, and the rest is read by itself, so that it never
    meets half a line of the main run.
    """

    def __init__(self, course: Course, inspector: Inspector, owners: Owners) -> None:
        self._course = course
        self._inspector = inspector
        self._owners = owners

    def sort(self) -> Steps[None]:
        """Sort all that are there."""
        reader = self._course.reader
        for entry in self._all():
            if self._course.is_moving(entry) or reader is not self._course.reader:
                continue
            if not self._course.is_nobodys(entry):
                continue  # a second name of one before
            try:
                yield from self._sort(entry)
            except (UnreadyError, DamagedError, OSError) as error:
                if self._course.is_too_old(entry):
                    self._course.skip_old(entry)
                else:
                    self._course.keeps_waiting(entry, error)
        self._miss_orphans()

    def are_left(self) -> bool:
        """Whether there are some that were not looked into yet."""
        return any(not self._course.is_timed(FileKey.of(entry.stat)) for entry in self._all())

    def _all(self) -> list[Entry]:
        course, reader = self._course, self._course.reader
        if reader is None:
            return []
        nobodys = [one for one in course.directory.archives if course.is_nobodys(one) and not course.is_front(one)]
        if course.is_live(reader):
            return nobodys
        if not any(course.is_front(entry) for entry in course.directory.archives):
            return []  # where they belong cannot be told before the front is finished
        following = course.unread()
        return [entry for entry in nobodys if entry not in following]

    def _sort(self, entry: Entry) -> Steps[None]:
        course = self._course
        if (yield from self._is_orphan(entry)) or (yield from self._owners.find(entry)) is not Owned.NOBODY:
            return
        copied = yield from self._is_copy(entry)
        reader = course.reader
        if reader is None or not reader.is_intact():
            return  # it may be the copy of what was truncated a moment ago
        if copied:
            self._owners.remember_copy(entry, reader.stream)
        elif course.is_too_old(entry):
            course.skip_old(entry)
        else:
            late = yield from self._inspector.reader(entry, course.new_stream(late=True), 0)
            course.admit(late.stream)
            course.late.append(late)
            course.remember(entry, late.stream)
            course.counts["late_archives"] += 1

    def _is_orphan(self, entry: Entry) -> Steps[bool]:
        """Whether it is a late archive that was being read when the process ended."""
        for stream in self._course.orphans:
            read = Checkpoint(stream.offset, stream.crc)
            if (yield from self._inspector.fit(entry, stream, read, Checkpoint(0, 0))) is Fit.WHOLE:
                self._course.late.append((yield from self._inspector.reader(entry, stream, stream.offset)))
                self._course.orphans.remove(stream)
                self._course.remember(entry, stream)
                return True
        return False

    def _is_copy(self, entry: Entry) -> Steps[bool]:
        reader = self._course.reader
        if reader is None or self._course.settings.rotation == "rename" or not isinstance(reader.content, Plain):
            return False
        fit = yield from self._inspector.copy_of(entry, reader.content.file, reader.stat().size)
        return fit is Fit.WHOLE

    def _miss_orphans(self) -> None:
        """A late archive that does not come back is as lost as any other."""
        course = self._course
        for stream in list(course.orphans):
            if course.age(stream.id) >= course.settings.archive_wait:
                stream.fate, stream.end = "lost", Checkpoint(stream.offset, stream.crc)
                stream.close()
                course.dirty[stream.id] = stream
                course.orphans.remove(stream)
                course.counts["lost_streams"] += 1
                course.counts["bytes_lost_estimate"] += max(0, stream.seen - stream.offset)
