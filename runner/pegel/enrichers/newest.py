"""The newest readable version of a file that somebody replaces now and then."""

from __future__ import annotations

import logging
import os
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Generic, TypeVar

T = TypeVar("T")

_PAUSE = 1.0
"""Seconds between two looks at a file."""

_log = logging.getLogger(__name__)


def open_regular(path: Path, max_bytes: int) -> BinaryIO:
    """Open a file for reading; one that is no regular file must not make anybody wait.

    Raises:
        ValueError: It cannot be read or is too large; the message is a sentence that goes behind its name.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
    try:
        number = os.open(path.resolve(), flags)
    except (OSError, RuntimeError) as error:  # RuntimeError: links that lead to each other
        raise ValueError(f"cannot be read: {why(error)}") from None
    found = os.fstat(number)
    fault = "" if stat.S_ISREG(found.st_mode) else "is no regular file"
    if found.st_size > max_bytes:
        fault = f"is larger than {max_bytes // 2**20} MiB"
    if fault:
        os.close(number)
        raise ValueError(fault)
    return os.fdopen(number, "rb")


def why(error: Exception) -> str:
    """The reason of an error of the system, for the end of a sentence."""
    return (getattr(error, "strerror", None) or str(error)).lower()


class Newest(Generic[T]):
    """What the newest version of a file said that could be read.

    A file that was replaced is read again, looked at once a second at most; one that is written to in its place
    is left alone until it stands still from one look to the next. A version that cannot be read leaves the one
    before in use, and the log says so once. Any thread may ask: while one reads, the others go on with what there was.
    """

    def __init__(self, path: Path, read: Callable[[Path], T], clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing is read before somebody asks.

        Args:
            path: The file.
            read: Makes something of it; its ValueErrors are sentences that go behind the name of the file.
            clock: Seconds that never go back.
        """
        self.path = path
        self._read = read
        self._clock = clock
        self._lock = threading.Lock()
        self._look_at = float("-inf")
        self._seen: tuple[int, ...] | None = None
        self._last: tuple[int, ...] | None = None
        self._value: T | None = None

    def get(self) -> T | None:
        """What the file says; None as long as it never could be read."""
        if self._lock.acquire(blocking=self._value is None):
            try:
                self._look_if_due()
            finally:
                self._lock.release()
        return self._value

    def trouble(self) -> str:
        """Why the file never could be read, a sentence that goes behind its name; empty if it could."""
        with self._lock:
            if self._value is None:
                state = _state(self.path)
                try:
                    self._value = self._read(self.path)
                except ValueError as error:
                    return str(error)
                self._seen = state
            return ""

    def _look_if_due(self) -> None:
        now = self._clock()
        if now >= self._look_at:
            self._look_at = now + _PAUSE
            self._look()

    def _look(self) -> None:
        state = _state(self.path)
        if self._value is not None and (state == self._seen or self._is_written(state)):
            return
        known, self._seen = self._seen, state
        try:
            self._value = self._read(self.path)
        except ValueError as error:
            if state != known:
                kept = "" if self._value is None else "; what was read before stays in use"
                _log.error("%s %s%s.", self.path, error, kept)

    def _is_written(self, state: tuple[int, ...]) -> bool:
        """Whether the file that was read is another than at the last look, and still the same file."""
        before, self._last = self._last, state
        return bool(state) and state != before and self._seen is not None and state[-1:] == self._seen[-1:]


def _state(path: Path) -> tuple[int, ...]:
    """What is another when a file was replaced; the inode last."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_size, found.st_ino
