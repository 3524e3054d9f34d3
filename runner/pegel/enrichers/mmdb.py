"""MaxMind DB files, whoever made them and whatever is in them."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import maxminddb

from pegel.enrichers.addresses import written
from pegel.enrichers.unpacking import AGAIN

_LOOKED_AT = 10_000
"""Records from which the kind of a database is told."""

Record = Mapping[str, Any]
Kind = TypeVar("Kind")

_log = logging.getLogger(__name__)


class Mmdb:
    """A database in memory. It is never closed: a thread may still be reading when a newer one takes its place."""

    def __init__(self, path: Path, pieces: Iterable[bytes]) -> None:
        """Take a copy of a database.

        Args:
            path: For the log.
            pieces: Its bytes.

        Raises:
            ValueError: It is none; a sentence that goes behind the name of the file.
        """
        self._path = path
        try:
            self._reader = _opened(pieces)
            self._metadata = self._reader.metadata()
        except (maxminddb.InvalidDatabaseError, TypeError, UnicodeDecodeError):
            raise _damaged() from None
        self.built = float(self._metadata.build_epoch)
        self._damage_said = False

    def recognised(self, kind_of: Callable[[Record], Kind | None], wanted: str) -> Kind:
        """What kind of database it is, by the first of its records that has one.

        Args:
            kind_of: What a record says of the kind, None for nothing.
            wanted: What is needed, for the sentence.

        Raises:
            ValueError: It is another kind, or damaged; a sentence that goes behind the name of the file.
        """
        try:
            for record in self._first_records():
                kind = kind_of(record) if isinstance(record, dict) else None
                if kind is not None:
                    return kind
        except (maxminddb.InvalidDatabaseError, TypeError, UnicodeDecodeError):
            raise _damaged() from None
        raise ValueError(f'is a "{self._metadata.database_type}" database; this enricher needs {wanted}')

    def record(self, address: bytes) -> Record | None:
        """What is said of an address, None for nothing. Damage that is met says so once and finds nothing."""
        if len(address) == 16 and self._metadata.ip_version == 4:
            return None
        try:
            record = self._reader.get(written(address))
        except (maxminddb.InvalidDatabaseError, ValueError):
            self._tell_of_damage()
            return None
        return record if isinstance(record, dict) else None

    def _tell_of_damage(self) -> None:
        if not self._damage_said:
            self._damage_said = True
            _log.error("%s is damaged inside: some addresses are not found; %s.", self._path, AGAIN)

    def _first_records(self) -> Iterator[Any]:
        """The records of the first networks, by asking for the address behind the one before.

        The reader's own iterator follows a damaged tree in circles until the process dies; its look-up does not.
        """
        for width, first in ((4, 0), (16, 0x20 << 120))[: 2 if self._metadata.ip_version == 6 else 1]:
            address = first
            for _ in range(_LOOKED_AT):
                record, length = self._reader.get_with_prefix_len(written(address.to_bytes(width, "big")))
                yield record
                rest = max(8 * width - length, 0)
                address = ((address >> rest) + 1) << rest
                if address >> 8 * width:
                    break


def _damaged() -> ValueError:
    return ValueError(f"is cut off or damaged, or no MaxMind DB; {AGAIN}")


def _opened(pieces: Iterable[bytes]) -> maxminddb.Reader:
    """A reader on a copy that nobody else can write.

    The fast reader maps a file, and a mapped file that is written over kills the process. A file in memory that has
    no name gives both: the speed, and bytes that stay.
    """
    if not hasattr(os, "memfd_create"):
        return maxminddb.open_database(io.BytesIO(b"".join(pieces)), maxminddb.MODE_FD)
    with os.fdopen(os.memfd_create("mmdb"), "wb") as copy:
        copy.writelines(pieces)
        copy.flush()
        return maxminddb.open_database(f"/proc/self/fd/{copy.fileno()}", maxminddb.MODE_AUTO)
