"""Databases of autonomous systems in files, told apart by their content."""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, cast

from pegel.enrichers import iptoasn
from pegel.enrichers.networks import Database
from pegel.enrichers.newest import open_regular, why

MAX_FILE = 256 * 2**20
"""Largest file."""

MAX_UNPACKED = 512 * 2**20
"""Largest database, unpacked."""

_HEAD = 64 * 2**10
"""Bytes from the beginning in which every MaxMind DB has a zero byte, and no text one."""

_LINE = 4096
_PIECE = 2**20
_AGAIN = "download it again"


def read(path: Path, most: int = MAX_UNPACKED) -> Database:
    """Read a database: MaxMind DB or iptoasn table, as it is or packed by gzip.

    Args:
        path: The file.
        most: Bytes that it may have, unpacked.

    Raises:
        ValueError: It cannot be read or used; the message is a sentence that goes behind the name of the file.
    """
    with open_regular(path, MAX_FILE) as file:
        built = os.fstat(file.fileno()).st_mtime
        try:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            plain = gzip.GzipFile(fileobj=file) if packed else file
            with io.BufferedReader(cast("io.RawIOBase", plain), _HEAD) as stream:
                return _database(path, _Bounded(stream, most), built)
        except EOFError:
            raise ValueError(f"is cut off; {_AGAIN}") from None
        except (gzip.BadGzipFile, zlib.error):
            raise ValueError(f"is damaged; {_AGAIN}") from None
        except OSError as error:
            raise ValueError(f"cannot be read: {why(error)}") from None


class _Bounded:
    """A stream that is refused beyond a size: a megabyte can hold a gigabyte."""

    def __init__(self, stream: io.BufferedReader[Any], most: int) -> None:
        self._stream = stream
        self._most = most
        self._left = most

    def head(self) -> bytes:
        return self._stream.peek(_HEAD)

    def pieces(self) -> Iterator[bytes]:
        return self._counted(iter(partial(self._stream.read, _PIECE), b""))

    def lines(self) -> Iterator[bytes]:
        """Lines; one that is absurdly long comes in pieces, of which none is a line of a table."""
        return self._counted(iter(partial(self._stream.readline, _LINE), b""))

    def _counted(self, parts: Iterator[bytes]) -> Iterator[bytes]:
        for part in parts:
            self._left -= len(part)
            if self._left < 0:
                raise ValueError(f"is larger than {self._most // 2**20} MiB, unpacked")
            yield part


def _database(path: Path, stream: _Bounded, built: float) -> Database:
    head = stream.head()
    if not head:
        raise ValueError(f"is empty; {_AGAIN}")
    if head.lstrip()[:1] in (b"<", b"{"):
        raise ValueError(f"is a web page or an error message, and no database; {_AGAIN}")
    if head[257:262] == b"ustar" or head[:4] == b"PK\x03\x04":
        raise ValueError("is an archive; unpack it and name the database that is in it")
    if b"\0" in head:
        from pegel.enrichers.mmdb import Mmdb  # its library takes 0.1 s to import, and a table does not need it

        return Mmdb(path, stream.pieces())
    return iptoasn.read(path, stream.lines(), built)
