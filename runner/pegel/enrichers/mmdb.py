"""MaxMind DB files with numbers of autonomous systems, whoever made them."""

from __future__ import annotations

import io
import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import maxminddb

from pegel.enrichers.addresses import written
from pegel.enrichers.networks import Network, network

MAX_BYTES = 256 * 2**20
"""Largest database, unpacked: it is in memory as a whole."""

_PIECE = 2**20
_LOOKED_AT = 10_000
"""Records among which one must have a number: a database of another kind has none."""

_NUMBERS = ("autonomous_system_number", "asn")
_NAMES = ("autonomous_system_organization", "as_name", "name")
_COUNTRY = "country_code"
"""What the makers call it: MaxMind, DB-IP and ip-location-db the first, IPinfo the others."""

_NUMBER = re.compile(r"(?:AS)?([0-9]{1,10})")

_log = logging.getLogger(__name__)


class Mmdb:
    """A database in memory. It is never closed: a thread may still be reading when a newer one takes its place."""

    def __init__(self, path: Path, stream: BinaryIO) -> None:
        """Take a copy of a database.

        Raises:
            ValueError: It is none, or not of autonomous systems; a sentence that goes behind the name of the file.
        """
        self._path = path
        try:
            self._reader = _opened(stream)
            self._metadata = self._reader.metadata()
            self._check()
        except (maxminddb.InvalidDatabaseError, TypeError, UnicodeDecodeError):
            raise ValueError("is cut off or damaged, or no MaxMind DB; download it again") from None
        self.built = float(self._metadata.build_epoch)
        self._known: dict[tuple[int, str, str], Network] = {}
        self._damage_said = False

    def _check(self) -> None:
        records = islice(iter(self._reader), _LOOKED_AT)
        if not any(isinstance(record, Mapping) and _number(record) for _, record in records):
            kind = self._metadata.database_type
            raise ValueError(f'is a "{kind}" database; this enricher needs an ASN database')

    def find(self, addresses: Sequence[bytes]) -> list[Network | None]:
        """The network of each address. Damage that is met says so once and finds nothing."""
        return [self._find(address) for address in addresses]

    def _find(self, address: bytes) -> Network | None:
        if len(address) == 16 and self._metadata.ip_version == 4:
            return None
        try:
            record = self._reader.get(written(address))
        except (maxminddb.InvalidDatabaseError, ValueError):
            self._tell_of_damage()
            return None
        return self._network(record) if isinstance(record, Mapping) else None

    def _network(self, record: Mapping[str, Any]) -> Network | None:
        """What a record says; the texts of a network are made once."""
        number, name, country = _number(record), _first(record, _NAMES), record.get(_COUNTRY)
        if not number:
            return None
        parts = number, name if isinstance(name, str) else "", country if isinstance(country, str) else ""
        if parts not in self._known:
            self._known[parts] = network(*parts)
        return self._known[parts]

    def _tell_of_damage(self) -> None:
        if not self._damage_said:
            self._damage_said = True
            _log.error("%s is damaged inside: some addresses are not found; download it again.", self._path)


def _number(record: Mapping[str, Any]) -> int:
    """The number of the system in a record, 0 if there is none."""
    found = _first(record, _NUMBERS)
    if isinstance(found, str):
        match = _NUMBER.fullmatch(found)
        found = int(match[1]) if match else 0
    return found if isinstance(found, int) and 0 < found < 2**32 else 0


def _first(record: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((record[name] for name in names if name in record), None)


def _opened(stream: BinaryIO) -> maxminddb.Reader:
    """A reader on a copy that nobody else can write.

    The fast reader maps a file, and a mapped file that is written over kills the process. A file in memory that has
    no name gives both: the speed, and bytes that stay.
    """
    if not hasattr(os, "memfd_create"):
        return maxminddb.open_database(io.BytesIO(b"".join(_pieces(stream))), maxminddb.MODE_FD)
    with os.fdopen(os.memfd_create("asn"), "wb") as copy:
        copy.writelines(_pieces(stream))
        copy.flush()
        return maxminddb.open_database(f"/proc/self/fd/{copy.fileno()}", maxminddb.MODE_AUTO)


def _pieces(stream: BinaryIO) -> Iterator[bytes]:
    left = MAX_BYTES
    while piece := stream.read(_PIECE):
        left -= len(piece)
        if left < 0:
            raise ValueError(f"is larger than {MAX_BYTES // 2**20} MiB, unpacked")
        yield piece
