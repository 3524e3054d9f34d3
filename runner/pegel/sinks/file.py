"""The sink `file`: points in a file that others read, rotate and ship."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pegel.errors import Retryable
from pegel.sinks import Point, Sink
from pegel.sinks.forms import Form, encode

_BLOCK = 64 * 1024
_APPEND = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
_REPLACE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW


@dataclass(kw_only=True)
class File(Sink):
    """Write every point to a file, on disk before it is acknowledged.

    `ndjson` and `influx` are appended. After a crash the last lines may come again, equal byte by byte, and
    a line that was cut off is removed when the file is opened; a correction is a line of its own with a higher
    revision, and the highest counts. Rotate the file by renaming it; the next points go to a new one.
    `prometheus` is the newest snapshot, replaced as a whole by a rename: a reader never sees half of it.

    Options:
        path: The file; its directory has to exist.
        format: `ndjson` (one JSON object per line), `influx` (line protocol, times in seconds) or
            `prometheus` (text format 0.0.4, such as the node exporter's textfile collector reads).

    Example:
        [[sinks]]
        name = "archive"
        type = "file"
        path = "/var/lib/pegel/points.ndjson"
    """

    path: Path
    format: Form = "ndjson"
    _fd: int | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def view(self) -> bool:
        return self.format == "prometheus"

    def open(self) -> None:
        if not self.view:
            with _retryable(self.path):
                self._current()

    def encode(self, points: Sequence[Point]) -> bytes:
        return encode(self.format, points)

    def send(self, payload: bytes) -> None:
        try:
            with _retryable(self.path):
                if self.view:
                    _replace(self.path, payload)
                else:
                    _append(self._current(), payload)
        except Retryable:
            self.close()  # a descriptor that failed is not trusted again, and opening repairs a torn line
            raise

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _current(self) -> int:
        """The open file that `path` names now."""
        if self._fd is not None and not _names(self.path, self._fd):
            self.close()
        if self._fd is None:
            self._fd = _open(self.path)
        return self._fd


class _retryable:  # noqa: N801 (reads as a word of the language at its place of use)
    """Turns an error of the disk into a Retryable that names the file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, FileNotFoundError):
            raise Retryable(f"{self._path}: its directory does not exist; create it") from error
        if isinstance(error, BlockingIOError):
            raise Retryable(f"{self._path}: another process writes to it") from error
        if isinstance(error, OSError):
            raise Retryable(f"{self._path}: {error.strerror or error}") from error


def _open(path: Path) -> int:
    fd = os.open(path, _APPEND, 0o640)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError("it is not a regular file")
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)  # two writers would repair each other's lines away
        _repair(fd)
        _sync_directory(path)
    except OSError:
        os.close(fd)
        raise
    return fd


def _names(path: Path, fd: int) -> bool:
    try:
        named = path.stat()
    except FileNotFoundError:
        return False
    return os.path.samestat(named, os.fstat(fd))


def _repair(fd: int) -> None:
    """Cut the file behind its last newline: what follows was never acknowledged and is sent again."""
    size = end = os.fstat(fd).st_size
    while end > 0:
        begin = max(0, end - _BLOCK)
        newline = os.pread(fd, end - begin, begin).rfind(b"\n")
        if newline >= 0:
            end = begin + newline + 1
            break
        end = begin
    if end < size:
        os.ftruncate(fd, end)


def _append(fd: int, payload: bytes) -> None:
    _write(fd, payload)
    os.fdatasync(fd)


def _replace(path: Path, payload: bytes) -> None:
    target = path.resolve()
    temporary = target.with_name(f".{target.name}.new")
    fd = os.open(temporary, _REPLACE, 0o644)
    try:
        _write(fd, payload)
        os.fsync(fd)
    finally:
        os.close(fd)
    temporary.rename(target)
    _sync_directory(target)


def _write(fd: int, payload: bytes) -> None:
    rest = memoryview(payload)
    while rest:
        rest = rest[os.write(fd, rest) :]


def _sync_directory(path: Path) -> None:
    fd = os.open(path.resolve().parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
