"""Databases of autonomous systems in files, told apart by their content."""

from __future__ import annotations

from pathlib import Path

from pegel.enrichers import iptoasn
from pegel.enrichers.networks import Database
from pegel.enrichers.unpacking import MAX_UNPACKED, unpacked


def read(path: Path, most: int = MAX_UNPACKED) -> Database:
    """Read a database: MaxMind DB or iptoasn table, as it is or packed by gzip.

    Args:
        path: The file.
        most: Bytes that it may have, unpacked.

    Raises:
        ValueError: It cannot be read or used; the message is a sentence that goes behind the name of the file.
    """
    with unpacked(path, most) as stream:
        if stream.is_mmdb:
            from pegel.enrichers.asn_mmdb import AsnMmdb  # its library takes 0.1 s to import; a table does not need it

            return AsnMmdb(path, stream.pieces())
        return iptoasn.read(path, stream.lines(), stream.written)
