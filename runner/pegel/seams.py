"""The seams to the outside world: the clock and the files.

Product code reaches time and log files only through these two, so that a test can put a
simulated world behind them (the database connection, the transport of a sink and the
object store are parameters of their own).
"""

from __future__ import annotations

import errno
import os
import stat
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    """Time: `wall` for people and event time, `monotonic` for every timer."""

    def wall(self) -> float:
        """Seconds since 1970, UTC; may jump."""

    def monotonic(self) -> float:
        """Seconds that never jump or go back."""

    def wait(self, wake: threading.Event, seconds: float) -> bool:
        """Wait until `wake` is set or the time is over; true if it was set."""


class SystemClock:
    """The clock of this machine."""

    def wall(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def wait(self, wake: threading.Event, seconds: float) -> bool:
        return wake.wait(seconds)


@dataclass(frozen=True)
class FileStat:
    """What a file is, from its open descriptor or its name.

    `birth_ns` is 0 where the file system does not tell it; times are in nanoseconds.
    """

    dev: int
    ino: int
    size: int
    mtime_ns: int
    birth_ns: int = 0
    regular: bool = True


class OpenFile(Protocol):
    """An open log file; it stays readable after it was renamed or deleted."""

    def stat(self) -> FileStat:
        """The state of the open file itself, never of its name."""

    def pread(self, size: int, offset: int) -> bytes:
        """Read up to `size` bytes at `offset`; fewer at the end of the file, none behind it."""

    def next_data(self, offset: int) -> int:
        """The first offset >= `offset` that is not in a hole (SEEK_DATA); the size if there is none."""

    def close(self) -> None:
        """Give the descriptor back."""


class Files(Protocol):
    """The part of a file system that sources read."""

    def open(self, path: str) -> OpenFile:
        """Open a regular file for reading.

        Raises:
            OSError: It is missing, not allowed, not a regular file, or the device fails.
        """

    def stat(self, path: str) -> FileStat:
        """The state of the file behind a name, links followed."""

    def glob(self, pattern: str) -> Sequence[str]:
        """The names that match, sorted; hidden files only where the pattern asks for them."""

    def resolve(self, path: str) -> str:
        """The absolute path with every link followed."""


class SystemFile:
    """A file of this machine, opened without following a final link and without blocking."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
        if not stat.S_ISREG(os.fstat(self._fd).st_mode):
            os.close(self._fd)
            raise OSError(f"{path} is not a regular file")

    def stat(self) -> FileStat:
        return _file_stat(os.fstat(self._fd))

    def pread(self, size: int, offset: int) -> bytes:
        return os.pread(self._fd, size, offset)

    def next_data(self, offset: int) -> int:
        size = os.fstat(self._fd).st_size
        if offset >= size:
            return size
        try:
            return os.lseek(self._fd, offset, os.SEEK_DATA)
        except OSError as error:
            # Only a hole is left; any other error comes from a file system that knows no holes.
            return size if error.errno == errno.ENXIO else offset

    def close(self) -> None:
        os.close(self._fd)


class SystemFiles:
    """The file system of this machine."""

    def open(self, path: str) -> OpenFile:
        return SystemFile(self.resolve(path))

    def stat(self, path: str) -> FileStat:
        return _file_stat(Path(path).stat())

    def glob(self, pattern: str) -> Sequence[str]:
        import glob

        return sorted(glob.glob(pattern))  # noqa: PTH207 - a pattern of text, as the operator wrote it

    def resolve(self, path: str) -> str:
        return str(Path(path).resolve())


def _file_stat(result: os.stat_result) -> FileStat:
    birth = getattr(result, "st_birthtime_ns", 0)
    return FileStat(
        result.st_dev, result.st_ino, result.st_size, result.st_mtime_ns, birth, stat.S_ISREG(result.st_mode)
    )
