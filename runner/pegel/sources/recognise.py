"""Looking into files to find out whose content they hold.

Nothing here decides: it reads, in bounded steps, and answers what fits what. A packed file is read to its
verified end before anything else is said about it, and what was found is remembered until the file changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import Enum

from pegel.seams import OpenFile
from pegel.sources.content import Content, Kept, Packed, Plain, Steps, Survey, skip, survey
from pegel.sources.course import Course
from pegel.sources.identity import EDGE, Checkpoint, FileKey, Stream
from pegel.sources.inflate import DamagedError, Trailer, UnreadyError, trailer
from pegel.sources.reader import Reader
from pegel.sources.rotation import Entry, is_under

_KEEP = 20 * 2**20
"""Bytes of an unpacked archive that stay in memory for its reading; an object of the CDN is 18 MB."""


class Fit(Enum):
    """How a file's content relates to a stream that was read up to a certain place."""

    NONE = "none"
    WHOLE = "whole"
    """All that was read, and maybe more behind it."""
    PART = "part"
    """A beginning of what was read, and nothing else."""


@dataclass(frozen=True)
class Verdict:
    """Whose content an archive holds.

    Attributes:
        stream: The stream; None for content that is nobody's.
        more: It holds more of the stream than was read before.
        empty: It holds nothing.
        exact: It holds the whole stream and nothing else.
    """

    stream: Stream | None = None
    more: bool = False
    empty: bool = False
    exact: bool = False


class Inspector:
    """Opens and compares files.

    Args:
        course: The log whose files they are.
    """

    def __init__(self, course: Course) -> None:
        self._course = course
        self._files = course.world.files
        self._limits = course.settings.limits
        self._whole: dict[FileKey, Survey] = {}
        self._damaged: dict[FileKey, Exception] = {}

    def forget(self, present: Iterable[FileKey]) -> None:
        """Drop what is known of files that are gone or have changed."""
        keep = set(present)
        self._whole = {key: found for key, found in self._whole.items() if key in keep}
        self._damaged = {key: error for key, error in self._damaged.items() if key in keep}

    def open(self, entry: Entry) -> OpenFile:
        """Open the file that the entry speaks of.

        Raises:
            UnreadyError: Another file has that name by now, or it is being written.
            DamagedError: Its name is a link that leads out of the roots.
            OSError: It cannot be opened; the course knows which file somebody has to mend.
        """
        if not self._is_allowed(entry.name):
            raise DamagedError(f"{entry.name} leads to another directory; add it to `roots` if that is meant")
        try:
            file = self._files.open(entry.name)
        except FileNotFoundError:
            raise  # renamed: the next look sees where it is
        except OSError as error:
            self._course.refuse(entry, error)
            raise
        self._course.permit(entry)
        key, stat = FileKey.of(entry.stat), file.stat()
        # A plain file may have grown: that is what logs do, and a prefix is all that is compared.
        if not key.same_file(stat) or (entry.packed and FileKey.of(stat) != key):
            file.close()
            raise UnreadyError(f"{entry.name} changed while it was looked at")
        return file

    def _is_allowed(self, name: str) -> bool:
        """Whether a name leads to where we may read; where the front was, we were allowed."""
        course = self._course
        if name == course.home or (course.front is not None and name in course.front.files):
            return True
        return is_under(self._files, name, [*course.settings.roots, course.folder])

    @contextmanager
    def opened(self, entry: Entry) -> Iterator[OpenFile]:
        """The open file of an entry, closed at the end of the block."""
        file = self.open(entry)
        try:
            yield file
        finally:
            file.close()

    def trailer(self, entry: Entry) -> Trailer | None:
        """What a packed file says of itself without being unpacked."""
        with self.opened(entry) as file:
            return trailer(entry.stat.size, file.pread)

    def whole(self, entry: Entry, probes: Iterable[int] = ()) -> Steps[Survey]:
        """Read a file to its end.

        Raises:
            UnreadyError: Its end is missing.
            DamagedError: It can never be read.
        """
        key, wanted = FileKey.of(entry.stat), set(probes)
        known = self._whole.get(key)
        if known is not None and all(probe in known.at or not 0 < probe <= known.length for probe in wanted):
            return known
        if key in self._damaged:
            raise self._damaged[key]
        try:
            with self.opened(entry) as file:
                content: Content = Packed(file, self._limits) if entry.packed else Plain(file)
                found = yield from survey(content, wanted, keep=_KEEP if entry.packed else 0)
                if FileKey.of(file.stat()) != key:
                    raise UnreadyError(f"{entry.name} changed while it was read")
        except (UnreadyError, DamagedError) as error:
            self._damaged[key] = error
            raise
        self._remember(key, found)
        return found

    def content_of(self, entry: Entry) -> Checkpoint | None:
        """Length and CRC of a file that was read to its end, if it was."""
        found = self._whole.get(FileKey.of(entry.stat))
        return Checkpoint(found.length, found.crc) if found is not None else None

    def _remember(self, key: FileKey, found: Survey) -> None:
        for other in self._whole.values():
            other.pieces = None  # one small archive in memory at a time
        self._whole[key] = found

    def fit(self, entry: Entry, stream: Stream, read: Checkpoint, before: Checkpoint) -> Steps[Fit]:
        """Compare an archive with a stream.

        Args:
            entry: The archive.
            stream: The stream.
            read: How far the stream was read.
            before: The longest known prefix of the stream that is not longer than the file, where the file
                is plain and shorter than what was read.
        """
        if entry.packed:
            return (yield from self._fit_packed(entry, stream, read))
        if entry.stat.size < read.offset:
            found = yield from self.whole(entry, [before.offset, stream.head.offset])
            return Fit.PART if self._is_part(found, stream, before) else Fit.NONE
        with self.opened(entry) as file:
            if not (stream.head_fits(file.pread) and stream.tail_fits(file.pread)):
                return Fit.NONE
            found = yield from survey(Plain(file), [read.offset], until=read.offset)
            return Fit.WHOLE if found.fits(read) else Fit.NONE

    def _fit_packed(self, entry: Entry, stream: Stream, read: Checkpoint) -> Steps[Fit]:
        if self.trailer(entry) == Trailer(read.crc, read.offset % 2**32):
            return Fit.WHOLE
        points = [read, *stream.checkpoints]
        found = yield from self.whole(entry, [*(point.offset for point in points), stream.head.offset])
        if found.length >= read.offset:
            return Fit.WHOLE if found.fits(read) else Fit.NONE
        return Fit.PART if self._is_part(found, stream, stream.best_checkpoint(found.length)) else Fit.NONE

    @staticmethod
    def _is_part(found: Survey, stream: Stream, before: Checkpoint) -> bool:
        head = stream.head if stream.head.offset <= found.length else Checkpoint(0, 0)
        return max(before.offset, head.offset) > 0 and found.fits(before) and found.fits(head)

    def classify(
        self, entry: Entry, finished: Sequence[Stream], present: frozenset[str], before: Stream | None
    ) -> Steps[Verdict]:
        """Find the finished stream whose content an archive holds.

        Args:
            entry: The archive.
            finished: Streams whose end is certain.
            present: Ids of those that are still there in a file of their own.
            before: The stream that this very file held when the directory was last looked at.
        """
        ended = [stream for stream in finished if stream.contents]
        if not entry.packed:
            return (yield from self._classify_plain(entry, ended, before))
        by_trailer = self._by_trailer(entry, ended)
        if by_trailer is not None:
            return Verdict(by_trailer, exact=True)
        probes = {point.offset for s in ended for point in (*s.contents, s.head, *s.checkpoints)}
        found = yield from self.whole(entry, probes)
        for stream in ended:
            if Checkpoint(found.length, found.crc) in stream.contents:
                return Verdict(stream, exact=True)
        for stream in ended:
            related = self._relation(found, entry, stream, present)
            if related is not None:
                return related
        return Verdict(empty=found.length == 0)

    def finished_owner(self, entry: Entry, finished: Sequence[Stream]) -> Steps[Stream | None]:
        """The finished stream that an archive holds exactly, as far as that is seen without unpacking."""
        ended = [stream for stream in finished if stream.contents]
        if entry.packed:
            return self._by_trailer(entry, ended)
        verdict = yield from self._classify_plain(entry, ended, None)
        return verdict.stream if verdict.exact else None

    def _by_trailer(self, entry: Entry, ended: Sequence[Stream]) -> Stream | None:
        last = self.trailer(entry)
        for stream in ended:
            if any(last == Trailer(one.crc, one.offset % 2**32) for one in stream.contents):
                return stream
        return None

    def _classify_plain(self, entry: Entry, ended: Sequence[Stream], before: Stream | None) -> Steps[Verdict]:
        size = entry.stat.size
        if size == 0:
            return Verdict(empty=True)
        like = [
            (one, stream)
            for stream in ended
            for one in stream.contents
            if one.offset == size or self._has_grown(entry, stream, one, before)
        ]
        if not like:
            return Verdict()
        points = [one.offset for one, _ in like]
        with self.opened(entry) as file:
            found = yield from survey(Plain(file), points, until=max(points))
        for one, stream in like:
            if found.fits(one):
                more = one.offset < size
                return Verdict(stream, more=more, exact=not more)
        return Verdict()

    @staticmethod
    def _has_grown(entry: Entry, stream: Stream, one: Checkpoint, before: Stream | None) -> bool:
        """An inode and few equal bytes prove nothing, unless we saw the file all the time."""
        sure = stream is before or one.offset >= EDGE
        return sure and one == stream.end and one.offset < entry.stat.size and stream.is_file(entry.stat)

    @staticmethod
    def _relation(found: Survey, entry: Entry, stream: Stream, present: frozenset[str]) -> Verdict | None:
        """A packed file of another length is the same stream only if its name or its absence elsewhere says so.

        The packer may have stopped before the writer did (then it has less than we read), or we may have
        stopped before the writer did (then it has more).
        """
        end, twin = stream.end, entry.plain_name in stream.files
        if end is None or stream.id in present:
            return None
        if found.length > end.offset:
            return Verdict(stream, more=True) if twin and end.offset >= EDGE and found.fits(end) else None
        before = stream.best_checkpoint(found.length)
        strong = before.offset >= EDGE or (twin and 2 * before.offset >= found.length)
        if not (strong and Inspector._is_part(found, stream, before)):
            return None
        stream.copied_as(Checkpoint(found.length, found.crc))
        return Verdict(stream)

    def copy_of(self, entry: Entry, original: OpenFile, length: int) -> Steps[Fit]:
        """Whether all of an archive is the beginning of another file, of which `length` bytes count.

        Less than a line is only a PART: the rest of a line that a rotation split begins like anything.
        """
        if not entry.packed and entry.stat.size > length:
            return Fit.NONE
        found = yield from self.whole(entry)
        if found.length > length or original.pread(len(found.head), 0) != found.head:
            return Fit.NONE
        first = yield from survey(Plain(original), [], until=found.length)
        if (first.length, first.crc) != (found.length, found.crc):
            return Fit.NONE
        return Fit.WHOLE if b"\n" in found.head or found.length > EDGE else Fit.PART

    def reader(self, entry: Entry, stream: Stream, place: int, *, archive: bool = True) -> Steps[Reader]:
        """Open a file at a place of its content.

        Raises:
            UnreadyError: The file is shorter, or another one by now.
            DamagedError: It cannot be unpacked so far.
        """
        with ExitStack() as opened:
            file = self.open(entry)
            opened.callback(file.close)
            if entry.packed:
                content, head, tail = yield from self._packed_at(file, entry, place)
            else:
                content, head, tail = self._plain_at(file, stream, place)
            if place == stream.offset:
                stream.tail = tail
            opened.pop_all()
        size = entry.stat.size
        return Reader(stream, content, entry.name, archive=archive, head=head, tail=tail, size=size)

    @staticmethod
    def _plain_at(file: OpenFile, stream: Stream, place: int) -> tuple[Content, bytes, bytes]:
        # It was compared a moment ago, by name; what is open now must still be that.
        if not (stream.head_fits(file.pread) and stream.tail_fits(file.pread)):
            raise UnreadyError("the file changed while it was opened")
        edge = min(EDGE, place)
        return Plain(file, place), file.pread(edge, 0), file.pread(edge, place - edge)

    def _packed_at(self, file: OpenFile, entry: Entry, place: int) -> Steps[tuple[Content, bytes, bytes]]:
        known = self._whole.get(FileKey.of(entry.stat))
        content: Content
        if known is not None and known.pieces is not None:
            content = Kept(file, known.pieces)
            known.pieces = None
        else:
            content = Packed(file, self._limits)
        tail = yield from skip(content, place)
        return content, b"", tail
