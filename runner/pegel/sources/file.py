"""Log files and their archives."""

from __future__ import annotations

import fnmatch
import glob
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Literal

from pegel.errors import SourceError
from pegel.seams import Files
from pegel.sources import LogFile, Piece, Position, Source, SourceStatus, World
from pegel.sources.course import Course, Settings
from pegel.sources.identity import Stream
from pegel.sources.inflate import Limits
from pegel.sources.log import Log
from pegel.sources.rotation import is_packed_name, is_rotated_name, is_under, look
from pegel.units import Duration, Size


@dataclass(kw_only=True)
class File(Source):
    """Read log files through every kind of rotation, each record exactly once.

    A live file and its archives are one log: renamed, copied and truncated, packed by gzip at once or later,
    several times while nobody looked. A file is recognised by what is in it; names and inodes only make that
    cheap. An archive that is still being written is waited for, one that stays broken is put aside and counted.
    A file that the user of the runner may not read is never passed over: the source fails and says so, and reads
    on from there, in order, once it may.

    Where two files hold the same few bytes and nothing tells a copy from a new file, reading that file is held
    for `archive_wait`, counted as `identity_ambiguous`, and then it is taken for a copy; `rotation` ends the doubt.
    Lines that are written between the copy and the truncation of `copytruncate` are lost by the rotator, not here.

    Options:
        path: One path, or a pattern such as `/var/log/shop/*.log`; every file that it names is a log of its own.
        archives: Patterns of the archives of one path; found by their names if not given: `PATH.1`, `PATH.2.gz`,
            `PATH-20260303`, `PATH.20260303120501234.gz`, …
        rotation: `rename`, `copytruncate`, or `auto` to find out.
        roots: Directories that no link may lead out of; if not given, those of `path` and `archives`.
        flush_timeout: Silence after which a record that could go on is taken for whole.
        rotate_wait: How long a renamed file must be quiet before it is finished.
        archive_wait: How long a broken archive must have been unchanged before it is put aside.
        archive_max_age: Archives older than this are skipped; 0s reads all.
        poll_interval: Time between two looks at the directory; the open file itself is asked at every poll.
        piece_size: Bytes read at a time.
        max_unpacked: Bytes that one archive may have when unpacked.
        max_ratio: Unpacked bytes per packed byte, beyond 1 MiB.
        max_members: Gzip members in one archive.

    Example:
        [[sources]]
        name = "shop"
        type = "file"
        path = "/var/log/nginx/shop.log"
        archive_max_age = "30d"
        format = { type = "lines", template = "{time} {message}" }
        time = { column = "time", format = "iso8601" }
    """

    guarantee = "replayable"
    losses = frozenset({"lost_streams", "bytes_lost_estimate"})

    path: str
    archives: Sequence[str] = ()
    rotation: Literal["auto", "rename", "copytruncate"] = "auto"
    roots: Sequence[str] = ()
    flush_timeout: Duration = Duration(5.0)
    rotate_wait: Duration = Duration(5.0)
    archive_wait: Duration = Duration(300.0)
    archive_max_age: Duration = Duration(0.0)
    poll_interval: Duration = Duration(1.0)
    piece_size: Size = Size(8 * 2**20)
    max_unpacked: Size = Size(16 * 2**30)
    max_ratio: int = 200
    max_members: int = 1_000_000

    _logs: dict[str, Log] = field(default_factory=dict, init=False, repr=False)
    _status: SourceStatus = field(default=SourceStatus("waiting"), init=False, repr=False)

    def __post_init__(self) -> None:
        if self.piece_size < 1:
            raise ValueError("`piece_size` must be at least 1B")
        if not self.path:
            raise ValueError("`path` is empty")

    def open(self, world: World, positions: Sequence[Position]) -> None:
        self._world = world
        self._counts: Counter[str] = Counter()
        self._last_number = max((position.order for position in positions), default=0)
        self._stored: dict[str, list[Position]] = {}
        for position in sorted(positions, key=lambda one: one.order):
            self._stored.setdefault(str(position.cursor["path"]), []).append(position)
        self._skip_existing = world.start == "end" and not positions
        self._looked_at = float("-inf")
        self._logs = {}
        self._turn = 0
        self._trouble = ""

    def reads(self, partition: str) -> bool:
        return self._belongs(partition)

    def doubts(self, files: Files) -> Sequence[str]:
        """Say what a person would want to know before the first run: nothing there, no right to read it."""
        try:
            names = files.glob(self.path) if glob.has_magic(self.path) else [self.path]
            if not names:
                return (f"no file matches {self.path} yet",)
            for name in names:
                files.open(name).close()
        except FileNotFoundError:
            return (f"there is no file {self.path} yet",)
        except OSError as error:
            return (f"{self.path} cannot be read now: {error.strerror or error}",)
        return ()

    def found(self, files: Files) -> Sequence[LogFile]:
        result: list[LogFile] = []
        for path in self._live_paths(files):
            home = files.resolve(path)
            patterns = [pattern.replace("{path}", glob.escape(path)) for pattern in self.archives]
            seen = look(files, path, patterns, (home,) if home != path else ())
            result += [LogFile(one.name, one.stat, one.packed, live=False) for one in seen.archives]
            if seen.live is not None:
                result.append(LogFile(path, seen.live, is_packed_name(path), live=True))
        return result

    def poll(self) -> Piece | None:
        now = self._world.clock.monotonic()
        if now - self._looked_at >= self.poll_interval:
            self._looked_at = now
            self._discover()
            for log in self._logs.values():
                log.look()
        piece = self._next_piece()
        self._status = self._current_status()
        if piece is None and self._status.state == "failing" and self._is_stuck():
            raise SourceError(self._status.reason)
        return piece

    def consume(self, piece: Piece, count: int, mark: str) -> Sequence[Position]:
        return self._logs[piece.partition].consume(count, mark)

    def exhausted(self) -> bool:
        looked = self._looked_at > float("-inf")
        return looked and not self._trouble and all(log.exhausted() for log in self._logs.values())

    def status(self) -> SourceStatus:
        return self._status

    def close(self) -> None:
        for log in self._logs.values():
            log.close()
        self._logs = {}

    def _next_piece(self) -> Piece | None:
        """Logs take turns, so that a busy one does not starve the others."""
        logs = list(self._logs.values())
        for step in range(len(logs)):
            index = (self._turn + step) % len(logs)
            piece = logs[index].poll()
            if piece is not None:
                self._turn = index + 1
                return piece
        return None

    def _discover(self) -> None:
        """Find the live paths; a log stays known when its live file is gone for a while."""
        self._trouble = ""
        try:
            found = self._live_paths(self._world.files)
        except OSError as error:
            self._trouble = f"{self.path} cannot be looked at: {error.strerror or error}"
            return
        for path in (*(stored for stored in self._stored if self._belongs(stored)), *found):
            if path not in self._logs:
                self._add(path)
        self._skip_existing = False

    def _live_paths(self, files: Files) -> list[str]:
        """What `path` names, without archives of other paths and without second names of the same file."""
        if not glob.has_magic(self.path):
            return [self.path] if self._is_allowed(files, self.path) else []
        names = [name for name in files.glob(self.path) if self._is_allowed(files, name)]
        live = [name for name in names if not any(other != name and is_rotated_name(other, name) for other in names)]
        seen: dict[object, str] = {}
        for name in sorted(live, key=lambda one: (one not in self._logs, one)):
            try:
                stat = files.stat(name)
            except FileNotFoundError:
                continue  # a link to nothing, or just renamed
            except OSError:
                seen[name] = name  # its log will say what is wrong
                continue
            if stat.regular:
                seen.setdefault((stat.dev, stat.ino), name)
        return sorted(seen.values())

    def _is_allowed(self, files: Files, name: str) -> bool:
        """Whether a name leads to a place under the configured roots; a path that is spelt out may lead anywhere."""
        if not self.roots and not glob.has_magic(self.path):
            return True
        return is_under(files, name, self.roots or (_literal_folder(self.path),))

    def _belongs(self, path: str) -> bool:
        """Whether a stored log is still one of ours: its path is configured, or was and nobody took its place."""
        return path == self.path or (glob.has_magic(self.path) and fnmatch.fnmatchcase(path, self.path))

    def _add(self, path: str) -> None:
        stored = self._stored.pop(path, None) or self._moved(path)
        streams = [Stream.restored(position) for position in stored]
        marks = [str(one.cursor.get("mark", "")) for one in stored if not one.cursor.get("late")]
        mark = marks[-1] if marks else ""
        course = Course(path, self._settings(path), self._world, streams, mark, self._number, self._counts)
        log = Log(course, skip=self._skip_existing)
        self._logs[path] = log

    def _moved(self, path: str) -> list[Position]:
        """The positions of a log whose path was changed in the configuration: that of the same inode or name."""
        strangers = [stored for stored in self._stored if not self._belongs(stored)]
        for stranger in strangers:
            if PurePath(stranger).name == PurePath(path).name or len(strangers) == 1:
                return self._stored.pop(stranger)
        return []

    def _settings(self, path: str) -> Settings:
        return Settings(
            archives=[pattern.replace("{path}", glob.escape(path)) for pattern in self.archives],
            rotation=self.rotation,
            flush_timeout=self.flush_timeout,
            rotate_wait=self.rotate_wait,
            archive_wait=self.archive_wait,
            archive_max_age=self.archive_max_age,
            piece_size=self.piece_size,
            roots=self.roots or (str(PurePath(path).parent), *(_literal_folder(one) for one in self.archives)),
            limits=Limits(self.max_unpacked, self.max_ratio, self.max_members),
        )

    def _number(self) -> int:
        self._last_number += 1
        return self._last_number

    def _is_stuck(self) -> bool:
        """Whether all that can be read was read, and the rest cannot."""
        return all(log.is_stuck() or log.exhausted() for log in self._logs.values())

    def _current_status(self) -> SourceStatus:
        logs = self._logs.values()
        lag = sum(log.lag for log in logs)
        troubles = [self._trouble, *(log.course.failure for log in logs)]
        reasons = [log.course.reason for log in logs if log.course.reason]
        state: Literal["reading", "idle", "waiting", "failing"] = "idle" if self.exhausted() else "reading"
        reason = next((trouble for trouble in troubles if trouble), "")
        if reason:
            state = "failing"
        elif reasons:
            state, reason = "waiting", reasons[0]
        elif not any(log.live for log in logs):
            state, reason = "waiting", f"{self.path} does not exist"
        return SourceStatus(state, reason, lag, frozenset(self._logs), dict(self._counts))


def _literal_folder(pattern: str) -> str:
    """The directory in front of the first wildcard."""
    folder = PurePath(pattern).parent
    while glob.has_magic(str(folder)):
        folder = folder.parent
    return str(folder)
