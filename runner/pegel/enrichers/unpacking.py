"""Database files as people have them: plain or packed by gzip, cut off, too large, or something else altogether."""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

from pegel.enrichers.newest import open_regular, why

AGAIN = "download it again"

MAX_FILE = 256 * 2**20
"""Largest file."""

MAX_UNPACKED = 512 * 2**20
"""Largest database, unpacked."""

_HEAD = 64 * 2**10
"""Bytes from the beginning in which every MaxMind DB has a zero byte, and no text one."""

_LINE = 4096
_PIECE = 2**20


class Unpacked:
    """The bytes of a database; they are refused beyond a size: a megabyte can hold a gigabyte."""

    def __init__(self, stream: io.BufferedReader[Any], most: int, written: float) -> None:
        self._stream = stream
        self._most = most
        self._left = most
        self.written = written
        """When the file was written, in seconds since 1970."""

    @property
    def is_mmdb(self) -> bool:
        """Whether this looks like a MaxMind DB, which is no text."""
        return b"\0" in self._stream.peek(_HEAD)

    def pieces(self) -> Iterator[bytes]:
        """All bytes, in pieces."""
        return self._counted(iter(partial(self._stream.read, _PIECE), b""))

    def lines(self) -> Iterator[bytes]:
        """Lines; one that is absurdly long comes in pieces, of which none is a line of a table."""
        return self._counted(iter(partial(self._stream.readline, _LINE), b""))

    def check(self) -> None:
        """Refuse what people have in the place of a database.

        Raises:
            ValueError: It is such a thing; the message is a sentence that goes behind the name of the file.
        """
        head = self._stream.peek(_HEAD)
        if not head:
            raise ValueError(f"is empty; {AGAIN}")
        if head.lstrip()[:1] in (b"<", b"{"):
            raise ValueError(f"is a web page or an error message, and no database; {AGAIN}")
        if head[257:262] == b"ustar" or head[:4] == b"PK\x03\x04":
            raise ValueError("is an archive; unpack it and name the database that is in it")

    def _counted(self, parts: Iterator[bytes]) -> Iterator[bytes]:
        for part in parts:
            self._left -= len(part)
            if self._left < 0:
                raise ValueError(f"is larger than {self._most // 2**20} MiB, unpacked")
            yield part


@contextmanager
def unpacked(path: Path, most: int = MAX_UNPACKED) -> Iterator[Unpacked]:
    """Open a database, packed by gzip or not, whatever its name says.

    Args:
        path: The file.
        most: Bytes that it may have, unpacked.

    Raises:
        ValueError: It cannot be read or used, also while it is being read; the message is a sentence that goes
            behind the name of the file.
    """
    with open_regular(path, MAX_FILE) as file:
        try:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            plain = gzip.GzipFile(fileobj=file) if packed else file
            with io.BufferedReader(cast("io.RawIOBase", plain), _HEAD) as stream:
                found = Unpacked(stream, most, os.fstat(file.fileno()).st_mtime)
                found.check()
                yield found
        except EOFError:
            raise ValueError(f"is cut off; {AGAIN}") from None
        except (gzip.BadGzipFile, zlib.error):
            raise ValueError(f"is damaged; {AGAIN}") from None
        except OSError as error:
            raise ValueError(f"cannot be read: {why(error)}") from None
