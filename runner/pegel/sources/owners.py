"""Whose content an archive holds, and what is done with an archive of a finished stream."""

from __future__ import annotations

from enum import Enum

from pegel.sources.content import Steps
from pegel.sources.course import Course
from pegel.sources.identity import EDGE, FileKey, Stream
from pegel.sources.recognise import Inspector
from pegel.sources.rotation import Entry


class Owned(Enum):
    """Whether an archive is somebody's."""

    NOBODY = "nobody"
    KNOWN = "known"
    UNCLEAR = "unclear"
    """It has the few bytes of a finished stream whose own file is there too."""


class Owners:
    """Sorts archives by the finished streams whose content they hold."""

    def __init__(self, course: Course, inspector: Inspector) -> None:
        self._course = course
        self._inspector = inspector

    def find(self, entry: Entry) -> Steps[Owned]:
        """Find out whose content an archive holds, and remember it."""
        course = self._course
        before = course.continued.get(FileKey.of(entry.stat))
        verdict = yield from self._inspector.classify(entry, course.finished(), course.present(), before)
        if verdict.stream is None:
            if not verdict.empty:
                return Owned.NOBODY
            course.remember(entry, None)
        elif verdict.exact and self._has_twin(entry, verdict.stream):
            if course.settings.rotation == "rename":
                return Owned.NOBODY
            if course.settings.rotation == "auto" and self._is_in_doubt(entry):
                return Owned.UNCLEAR
            course.remember(entry, verdict.stream)
        elif verdict.more:
            yield from self._go_on(entry, verdict.stream)
        else:
            course.counts["recognised_archives"] += 1
            course.remember(entry, verdict.stream)
        return Owned.KNOWN

    def is_finished(self, entry: Entry) -> Steps[bool]:
        """Whether an archive that is nobody's yet holds a finished stream, as far as that is seen quickly."""
        course = self._course
        if not course.is_nobodys(entry):
            return False
        owner = yield from self._inspector.finished_owner(entry, course.finished())
        if owner is not None:
            course.counts["recognised_archives"] += 1
            course.remember(entry, owner)
        return owner is not None

    def remember_copy(self, entry: Entry, stream: Stream) -> None:
        """An archive holds a beginning of a stream and nothing else."""
        copy = self._inspector.content_of(entry)
        if copy is not None:
            stream.copied_as(copy)
        self._course.remember(entry, stream)

    def _has_twin(self, entry: Entry, stream: Stream) -> bool:
        """Whether few equal bytes are in two files: a copy, or a second log with the same content."""
        course = self._course
        others = [one for one in course.directory.archives if course.owner(one) is stream]
        apart = any(one.plain_name != entry.plain_name for one in others)
        return apart and stream.end is not None and stream.end.offset < EDGE and entry in course.unread()

    def _is_in_doubt(self, entry: Entry) -> bool:
        """Hold what cannot be told for a while; after that it is taken for a copy."""
        course, doubt = self._course, ("equal", FileKey.of(entry.stat))
        if not course.is_timed(doubt):
            course.counts["identity_ambiguous"] += 1
        if course.age(doubt) >= course.settings.archive_wait:
            return False
        course.hold(f"{entry.name} has the content of another archive; `rotation` can say what that means")
        return True

    def _go_on(self, entry: Entry, stream: Stream) -> Steps[None]:
        """A finished stream turned out to have more behind its end."""
        course = self._course
        if course.chain.holds(stream) or stream.end is None:
            return
        reader = yield from self._inspector.reader(entry, stream, stream.end.offset)
        stream.end, stream.done, stream.late = None, False, True
        course.late.append(reader)
        course.remember(entry, stream)
        course.counts["late_archives"] += 1
