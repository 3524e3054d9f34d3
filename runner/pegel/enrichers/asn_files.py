"""Databases of autonomous systems in files, told apart by their content."""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

from pegel.enrichers import iptoasn
from pegel.enrichers.mmdb import Mmdb
from pegel.enrichers.networks import Database
from pegel.enrichers.newest import open_regular, why

MAX_FILE = 256 * 2**20
"""Largest file."""

MAX_TEXT = 512 * 2**20
"""Largest table, unpacked."""

_HEAD = 64 * 2**10
"""Bytes from the beginning in which every MaxMind DB has a zero byte, and no text one."""

_LINE = 4096
_AGAIN = "download it again"


def read(path: Path) -> Database:
    """Read a database: MaxMind DB or iptoasn table, as it is or packed by gzip.

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
                return _database(path, stream, built)
        except EOFError:
            raise ValueError(f"is cut off; {_AGAIN}") from None
        except (gzip.BadGzipFile, zlib.error):
            raise ValueError(f"is damaged; {_AGAIN}") from None
        except OSError as error:
            raise ValueError(f"cannot be read: {why(error)}") from None


def _database(path: Path, stream: io.BufferedReader[Any], built: float) -> Database:
    head = stream.peek(_HEAD)
    if not head:
        raise ValueError(f"is empty; {_AGAIN}")
    if head.lstrip()[:1] in (b"<", b"{"):
        raise ValueError(f"is a web page or an error message, and no database; {_AGAIN}")
    if head[257:262] == b"ustar" or head[:4] == b"PK\x03\x04":
        raise ValueError("is an archive; unpack it and name the database that is in it")
    if b"\0" in head:
        return Mmdb(path, cast("BinaryIO", stream))
    return iptoasn.read(path, _lines(stream), built)


def _lines(stream: io.BufferedReader[Any]) -> Iterator[bytes]:
    """Lines; one that is absurdly long comes in pieces, of which none is a line of a table."""
    left = MAX_TEXT
    for line in iter(partial(stream.readline, _LINE), b""):
        left -= len(line)
        if left < 0:
            raise ValueError(f"is larger than {MAX_TEXT // 2**20} MiB, unpacked")
        yield line
