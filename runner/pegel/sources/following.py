"""Opening what follows when the front is finished: the oldest archive that nobody read, else the live file."""

from __future__ import annotations

from pegel.sources.content import Steps
from pegel.sources.course import Course
from pegel.sources.identity import Checkpoint, Stream
from pegel.sources.inflate import DamagedError, UnreadyError
from pegel.sources.owners import Owned, Owners
from pegel.sources.reader import Reader
from pegel.sources.recognise import Fit, Inspector
from pegel.sources.rotation import Entry


class Following:
    """Begins the next stream, and waits for archives that are not complete rather than read past them."""

    def __init__(self, course: Course, inspector: Inspector, owners: Owners) -> None:
        self._course = course
        self._inspector = inspector
        self._owners = owners

    def begin(self) -> Steps[None]:
        """Open the next stream; without one, nothing follows now or something is held."""
        for entry in self._course.unread():
            if not self._course.is_nobodys(entry):
                continue  # a second name of the one before
            if not (yield from self._passes(entry)):
                return
        if self._course.is_in_the_making():
            self._course.hold(f"an archive of {self._course.path} is not complete yet")
            return
        yield from self._begin_live()

    def _passes(self, entry: Entry) -> Steps[bool]:
        """Begin an archive, or hold it; true if it is nothing to read and the next one follows."""
        course = self._course
        if course.is_too_old(entry):
            course.skip_old(entry)
            return True
        try:
            owned = yield from self._owners.find(entry)
            if owned is not Owned.NOBODY:
                return owned is Owned.KNOWN
            copied = yield from self._copied_from_live(entry)
            if copied is Fit.WHOLE:
                return True
            if copied is Fit.PART and course.is_moving(entry):
                course.hold(f"{entry.name} may be a copy that is being made")
                return False
            reader = yield from self._inspector.reader(entry, course.new_stream(), 0)
        except (UnreadyError, DamagedError, OSError) as error:
            if not course.keeps_waiting(entry, error):
                return True
            course.hold(f"{entry.name} cannot be read yet: {error}")
            return False
        self._use(reader)
        return False

    def _use(self, reader: Reader) -> None:
        try:
            self._course.confirm()
        except UnreadyError:
            reader.close()
            raise
        self._course.admit(reader.stream)
        self._course.use(reader)

    def _copied_from_live(self, entry: Entry) -> Steps[Fit]:
        """Whether the youngest archive is a copy of the live file, which will be truncated in a moment."""
        live = self._course.live_entry()
        if self._course.settings.rotation == "rename" or live is None or live.packed:
            return Fit.NONE
        if entry != self._course.unread()[-1]:
            return Fit.NONE
        with self._inspector.opened(live) as file:
            return (yield from self._inspector.copy_of(entry, file, live.stat.size))

    def _begin_live(self) -> Steps[None]:
        course = self._course
        entry = course.live_entry()
        if entry is None or not entry.stat.size or not course.is_nobodys(entry):
            return
        replaced = yield from self._replaced(entry)
        try:
            if replaced is not None:
                place = course.chain.read_to(replaced).offset
                reader = yield from self._inspector.reader(entry, replaced, place, archive=False)
            else:
                if entry.packed:
                    yield from self._inspector.whole(entry)
                reader = yield from self._inspector.reader(entry, course.new_stream(), 0, archive=False)
        except (UnreadyError, DamagedError) as error:
            if entry.packed and course.keeps_waiting(entry, error):
                course.hold(f"{course.path} cannot be read yet: {error}")
            return
        self._use(reader)
        if replaced is not None:
            replaced.end, replaced.done = None, False

    def _replaced(self, entry: Entry) -> Steps[Stream | None]:
        """The last stream, if its file is gone and the live one begins with all of it (an editor, rsync)."""
        main = [stream for stream in self._course.finished() if not stream.late]
        last = max(main, key=lambda stream: stream.order, default=None)
        if last is None or last.end is None or not last.end.offset or last.id in self._course.present():
            return None
        if entry.packed or last.fate or entry.stat.size < last.end.offset or last.is_file(entry.stat):
            return None
        fit = yield from self._inspector.fit(entry, last, last.end, Checkpoint(0, 0))
        return last if fit is Fit.WHOLE else None
