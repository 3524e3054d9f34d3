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

from collections.abc import Iterator, Sequence

from pegel.formats import End
from pegel.seams import FileStat
from pegel.sources import Piece, Position
from pegel.sources.chain import Chain
from pegel.sources.content import Steps
from pegel.sources.course import Course, refusal, with_zeros
from pegel.sources.finding import Finding
from pegel.sources.following import Following
from pegel.sources.identity import FileKey, Stream
from pegel.sources.inflate import DamagedError, UnreadyError
from pegel.sources.owners import Owners
from pegel.sources.reader import Reader, ReplacedError
from pegel.sources.recognise import Inspector
from pegel.sources.rotation import is_packed_name
from pegel.sources.skipping import Skipping
from pegel.sources.strays import Strays

_STEPS = 32
"""Chunks of work in one poll."""


class Log:
    """Reads one log.

    Args:
        course: What is known of it.
        skip: Begin behind all that is there now.
    """

    def __init__(self, course: Course, *, skip: bool) -> None:
        self.course = course
        self.lag = 0
        self._world = course.world
        self._inspector = Inspector(course)
        owners = Owners(course, self._inspector)
        self._finding = Finding(course, self._inspector, owners)
        self._following = Following(course, self._inspector, owners)
        self._strays = Strays(course, self._inspector, owners)
        self._skip = skip
        self._work: Iterator[None] | None = None
        self._work_due = True
        self._just_looked = False
        self._again = False
        self._aside = Chain(course.path)
        self._offered = course.chain
        self._fresh_at = course.now
        self._flushed = True

    # --- what the source asks

    def look(self) -> None:
        """See what the directory holds; the next polls work out what it means."""
        course = self.course
        course.trouble = ""
        self._check_descriptor()
        try:
            course.see(course.look())
        except OSError as error:
            course.trouble = refusal(course.path, error, "looked at")
            return
        self._notice_rotation()
        self._inspector.forget(FileKey.of(entry.stat) for entry in course.directory.archives)
        self._work_due = self._just_looked = True
        self.lag = course.lag()

    def poll(self) -> Piece | None:
        """The next piece, None when there is nothing to read now."""
        course = self.course
        try:
            self._work_on()
            piece = self._read() or self._read_late()
        except OSError as error:
            course.trouble = refusal(course.path, error)
            return None
        finally:
            self._just_looked = False
        return piece or self._flush() or self._saved()

    def consume(self, count: int, mark: str) -> Sequence[Position]:
        """The first bytes of the last piece are used up."""
        course = self.course
        for stream in self._offered.consume(count, mark):
            course.dirty[stream.id] = stream
        moved = sorted(course.dirty.values(), key=lambda stream: stream.order)
        course.dirty = {}
        return [stream.position(course.path, "" if stream.late else course.chain.mark) for stream in moved]

    def exhausted(self) -> bool:
        """Whether all that is there was offered."""
        course = self.course
        if course.failure:
            return False
        working = self._work is not None or self._work_due or self._again or self._skip
        unread = course.reader is not None and not course.reader.at_end
        unflushed = len(course.chain) > 0 and not self._flushed
        held = bool(course.reason) or bool(course.late) or self._follows() or self._strays.are_left()
        return not (working or unread or unflushed or held)

    def is_stuck(self) -> bool:
        """Whether nothing more can be done before somebody mends what fails."""
        return bool(self.course.failure) and self._work is None

    def close(self) -> None:
        """Give every descriptor back."""
        course = self.course
        self._work = None
        for reader in [*course.late, *([course.reader] if course.reader else [])]:
            reader.close()
        course.late, course.reader = [], None

    @property
    def live(self) -> FileStat | None:
        """The file behind the live path."""
        return self.course.directory.live

    # --- working out what the directory means

    def _check_descriptor(self) -> None:
        """Let go of a descriptor that fails, such as a stale one: the file may be opened again."""
        reader = self.course.reader
        if reader is None:
            return
        try:
            reader.stat()
        except OSError:
            self._detach(reader)

    def _notice_rotation(self) -> None:
        reader = self.course.reader
        if reader is not None and not reader.rotated and not self.course.is_live(reader):
            reader.rotated = True
            reader.moved_at = self.course.now  # the writer may not know yet
            self.course.counts["rotations"] += 1

    def _work_on(self) -> None:
        if self._work is None and (self._work_due or self._must_move()):
            if not self._just_looked and (self.course.reader is None or self._must_move()):
                self.look()  # a rotation is decided by what is there now, not a moment ago
            self._work_due = self._again = False
            self.course.reason = ""
            self._work = self._steps()
        if self._work is None:
            return
        try:
            for _ in range(_STEPS):
                next(self._work)
        except StopIteration:
            self._work = None
        except (UnreadyError, FileNotFoundError):
            # Something was renamed while it was looked at; the next look sees where it is.
            self._work, self._again = None, True
        except OSError:
            self._work = None
            raise
        else:
            self._world.wake.set()

    def _steps(self) -> Steps[None]:
        course = self.course
        course.basis = course.directory
        if self._skip:
            yield from Skipping(course, self._inspector).skip()
            self._skip, course.save = False, True
        if self._must_move():
            self._finish_front()
        if course.front is not None and course.reader is None:
            yield from self._finding.find(course.front)
        if course.front is None:
            yield from self._following.begin()
        if course.reader is not None:
            yield from self._strays.sort()

    def _must_move(self) -> bool:
        """Whether the front was read to its certain end."""
        reader, course = self.course.reader, self.course
        if reader is None or not reader.at_end:
            return False
        if course.is_live(reader):
            return not reader.is_plain
        if not self._follows() and course.settings.listed is None:
            return False
        return reader.is_quiet(course.now, self._world.clock.wall(), course.settings.rotate_wait)

    def _follows(self) -> bool:
        """Whether the front was rotated and something follows it."""
        reader, live = self.course.reader, self.course.directory.live
        if reader is None or self.course.is_live(reader):
            return False
        return (live is not None and live.size > 0) or bool(self.course.unread())

    def _finish_front(self) -> None:
        stream, reader = self.course.front, self.course.reader
        assert stream is not None
        assert reader is not None
        self.course.known[FileKey.of(reader.stat())] = stream
        self.course.keep_place(reader)
        self.course.end(stream, with_zeros(self.course.chain.read_to(stream), reader.end))
        reader.close()
        self.course.reader = None
        self.course.save = self.course.save or self.course.settings.listed is not None

    # --- reading

    def _read(self) -> Piece | None:
        course, reader = self.course, self.course.reader
        if reader is None:
            return None
        try:
            found = reader.read(course.settings.piece_size, course.now)
        except ReplacedError:
            course.counts["truncations"] += 1
            self._detach(reader)
            return None
        except (UnreadyError, DamagedError):
            self._detach(reader)
            return None
        except OSError:
            self._detach(reader)  # the same content may be readable in another file
            raise
        if found is None:
            return None
        course.keep_place(reader)
        course.chain.add(reader.stream, *found)
        self._fresh_at, self._flushed = course.now, False
        return self._offer(course.chain, reader.stream, End.MORE)

    def _detach(self, reader: Reader) -> None:
        """The front's file is not the front any more; what was read of it stays."""
        reader.close()
        self.course.reader = None
        self._work_due = True
        self._world.wake.set()

    def _read_late(self) -> Piece | None:
        course = self.course
        if not course.late:
            return None
        reader = course.late[0]
        try:
            found = reader.read(course.settings.piece_size, course.now)
        except (ReplacedError, UnreadyError, DamagedError):
            return self._finish_late(reader)
        if found is not None:
            self._aside.add(reader.stream, *found)
            return self._offer(self._aside, reader.stream, End.MORE)
        if reader.is_quiet(course.now, self._world.clock.wall(), course.settings.rotate_wait):
            return self._finish_late(reader)
        return None

    def _finish_late(self, reader: Reader) -> Piece | None:
        """Nothing ever follows a late archive, so its last line is whole."""
        stream, course = reader.stream, self.course
        stream.end = with_zeros(self._aside.read_to(stream), reader.end)
        course.known[FileKey.of(reader.stat())] = stream
        course.keep_place(reader)
        course.dirty[stream.id] = stream
        reader.close()
        del course.late[0]
        if self._aside.holds(stream):
            return self._offer(self._aside, stream, End.FINAL)
        stream.close()
        return None

    def _flush(self) -> Piece | None:
        """Bytes that wait are offered once more when nothing came for a while."""
        course = self.course
        if self._flushed or not len(course.chain) or self._work is not None:
            return None
        listed = course.settings.listed is not None
        if listed and course.front is not None:
            return None  # its end is certain in a moment; offered twice, the second time would say nothing new
        final = course.front is None and (is_packed_name(course.path) or listed)
        if not final and course.now - self._fresh_at < course.settings.flush_timeout:
            return None
        self._flushed = True
        return self._offer(course.chain, course.newest(), End.FINAL if final else End.FLUSH)

    def _saved(self) -> Piece | None:
        """A piece without bytes carries positions that must be stored before there are any."""
        if not self.course.save:
            return None
        self.course.save = False
        return self._offer(self.course.chain, self.course.newest(), End.MORE)

    def _offer(self, chain: Chain, stream: Stream | None, end: End) -> Piece:
        assert stream is not None
        self._offered = chain
        return chain.piece(stream, end)
