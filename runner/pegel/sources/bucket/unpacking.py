"""The content of one object, out of its parts: as it is, or unpacked if it is gzip, whatever its name says.

A small object is unpacked whole before any of it is offered, so that nothing of a broken one counts; of a big one
the bytes are offered as they come.
"""

from __future__ import annotations

from collections import deque

from pegel.sources.bucket.fetching import Download
from pegel.sources.inflate import MAGIC, DamagedError, Inflater, Limits

WHOLE = 32 << 20
"""Bytes; an object with more content is offered before its end is known."""

_SMALL = 64 * 1024
"""Bytes that are worth copying, so that no piece has only them."""

_PAGES = (b"<!doctype html", b"<html")
"""How a page begins that a server or a proxy put where an object should be."""


class _Awaited(Exception):
    """The next bytes are not here yet."""


class Content:
    """Reads a download from front to back."""

    def __init__(self, download: Download, limits: Limits, piece: int) -> None:
        """Nothing is read yet.

        Args:
            download: Where the bytes come from.
            limits: What unpacking may cost.
            piece: Bytes of a piece.
        """
        self.download = download
        self._limits = limits
        self._piece = piece
        self._inflater: Inflater | None = None
        self._begun = False
        self._place = 0
        self._ready: deque[bytes] = deque()
        self._size = 0
        self._skip = download.entry.offset
        self._sure = False
        self.ended = False

    def read(self) -> bytes | None:
        """The next bytes, none at the end, None while they are on their way.

        Raises:
            StoreError: They cannot be had now.
            DamagedError, UnreadyError: They can never be right.
        """
        while not self.ended and not (self._sure and self._ready) and self._size < WHOLE:
            data = self._next()
            if data is None:
                break
            self._take(data)
        self._sure = self._sure or self.ended or self._size >= WHOLE
        if not self._sure:
            return None
        if not self._ready:
            return b"" if self.ended else None
        data = self._ready.popleft()
        self._size -= len(data)
        return data

    @property
    def last(self) -> bool:
        """Whether everything was read."""
        return self.ended and not self._ready

    def _take(self, data: bytes) -> None:
        """Put bytes behind those that are ready, without those that an earlier life has consumed."""
        if not data:
            self.ended = True
            return
        skipped = min(self._skip, len(data))
        self._skip -= skipped
        rest = data[skipped:] if skipped else data
        self._size += len(rest)
        if rest and self._ready and len(rest) < _SMALL and len(self._ready[-1]) + len(rest) <= self._piece:
            rest = self._ready.pop() + rest
        if rest:
            self._ready.append(rest)

    def _next(self) -> bytes | None:
        """Some more content."""
        if not self._begun and not self._begin():
            return None
        try:
            data = self._inflater.read(self._piece) if self._inflater else self._plain()
        except _Awaited:
            return None
        self.download.drop(self._place // self.download.part)
        return data

    def _begin(self) -> bool:
        """Look at the first bytes; false while they are on their way."""
        first = self.download.data(0) if self.download.size else b""
        if first is None:
            return False
        self._begun = True
        if first.startswith(MAGIC):
            self._inflater = Inflater(self._packed, self._limits)
        elif self.download.entry.key.endswith(".gz") and self.download.size:
            page = first[:64].lstrip().lower().startswith(_PAGES)
            raise DamagedError("it is a web page" if page else "its name ends in .gz, and it is not gzip")
        return True

    def _plain(self) -> bytes:
        if self._place == self.download.size:
            return b""
        number = self._place // self.download.part
        data = self._part(number)[self._place - number * self.download.part :][: self._piece]
        self._place += len(data)
        return data

    def _packed(self, size: int, offset: int) -> bytes:
        """Bytes of the object as it is; none at its end."""
        if offset >= self.download.size:
            return b""
        number = offset // self.download.part
        begin = offset - number * self.download.part
        data = self._part(number)[begin : begin + size]
        self._place = offset
        return data

    def _part(self, number: int) -> bytes:
        data = self.download.data(number)
        if data is None:
            raise _Awaited
        return data
