"""The first start behind all that is there: known, but done."""

from __future__ import annotations

from pegel.seams import OpenFile
from pegel.sources.content import Plain, Steps, survey
from pegel.sources.course import Course
from pegel.sources.identity import Checkpoint, crc_of
from pegel.sources.inflate import UnreadyError
from pegel.sources.recognise import Inspector
from pegel.sources.rotation import Entry

_LONGEST_LINE = 2**16


class Skipping:
    """Makes finished streams of the archives, and begins the live file behind its last complete line.

    Plain files are read once, because their checksum is all that will tell them from new content when they
    are packed or renamed; of packed ones the trailer says it.
    """

    def __init__(self, course: Course, inspector: Inspector) -> None:
        self._course = course
        self._inspector = inspector

    def skip(self) -> Steps[None]:
        """Skip everything; afterwards there is at least one stream, which says that there was a first start."""
        if not self._course.streams:  # else it goes on after a file that could not be read
            begun = self._course.new_stream()
            begun.end = Checkpoint(0, 0)
            begun.close()
            self._course.admit(begun)
        for entry in self._course.directory.archives:
            if not self._course.is_nobodys(entry):
                continue
            try:
                yield from self._skip_archive(entry)
            except UnreadyError:
                continue  # it is being written or renamed; what it becomes is older than the live file
        live = self._course.live_entry()
        if live is not None and not live.packed:
            yield from self._skip_live(live)

    def _skip_archive(self, entry: Entry) -> Steps[None]:
        if entry.packed:
            last = self._inspector.trailer(entry)
            end = Checkpoint(last.size, last.crc) if last is not None else Checkpoint(0, 0)
        else:
            found = yield from self._inspector.whole(entry)
            end = Checkpoint(found.length, found.crc)
        stream = self._course.new_stream()
        stream.offset, stream.crc, stream.end, stream.done = end.offset, end.crc, end, True
        self._course.admit(stream)
        self._course.remember(entry, stream)

    def _skip_live(self, entry: Entry) -> Steps[None]:
        with self._inspector.opened(entry) as file:
            place = _last_line_end(file, entry.stat.size)
            found = yield from survey(Plain(file), [], until=place)
        stream = self._course.new_stream()
        stream.offset, stream.crc, stream.tail = found.length, found.crc, found.tail
        stream.head = Checkpoint(len(found.head), crc_of(found.head))
        self._course.admit(stream)
        self._course.front = stream
        reader = yield from self._inspector.reader(entry, stream, stream.offset, archive=False)
        self._course.use(reader)


def _last_line_end(file: OpenFile, size: int) -> int:
    start = max(0, size - _LONGEST_LINE)
    return start + file.pread(size - start, start).rfind(b"\n") + 1
