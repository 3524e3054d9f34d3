"""MaxMind DB files with numbers of autonomous systems, whoever made them."""

from __future__ import annotations

import io
import logging
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import maxminddb

from pegel.enrichers.addresses import written
from pegel.enrichers.networks import Network, network

_LOOKED_AT = 10_000
"""Records among which one must have a number: a database of another kind has none."""

_SPELLINGS = (
    ("autonomous_system_number", "autonomous_system_organization", "country_code"),
    ("asn", "as_name", "country_code"),
)
"""What the makers call number, name and country: MaxMind, DB-IP and ip-location-db; IPinfo."""

_NUMBER = re.compile(r"(?:AS)?([0-9]{1,10})")

_log = logging.getLogger(__name__)


class Mmdb:
    """A database in memory. It is never closed: a thread may still be reading when a newer one takes its place."""

    def __init__(self, path: Path, pieces: Iterable[bytes]) -> None:
        """Take a copy of a database.

        Args:
            path: For the log.
            pieces: Its bytes.

        Raises:
            ValueError: It is none, or not of autonomous systems; a sentence that goes behind the name of the file.
        """
        self._path = path
        try:
            self._reader = _opened(pieces)
            self._metadata = self._reader.metadata()
            self._check()
        except (maxminddb.InvalidDatabaseError, TypeError, UnicodeDecodeError):
            raise ValueError("is cut off or damaged, or no MaxMind DB; download it again") from None
        self.built = float(self._metadata.build_epoch)
        self._known: dict[tuple[Any, ...], Network | None] = {}
        self._damage_said = False

    def _check(self) -> None:
        """Find out how its records are spelt, from its first networks."""
        for record in _first_records(self._reader, self._metadata.ip_version):
            for spelling in _SPELLINGS if isinstance(record, dict) else ():
                if _number(record.get(spelling[0])):
                    self._spelling = spelling
                    return
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
        return self._network(record) if isinstance(record, dict) else None

    def _network(self, record: Mapping[str, Any]) -> Network | None:
        """What a record says; a network is described once."""
        number, name, country = self._spelling
        said = record.get(number), record.get(name), record.get(country)
        try:
            return self._known[said]
        except KeyError:
            self._known[said] = found = _described(*said)
            return found
        except TypeError:  # a list or a table where a text should be
            return _described(*said)

    def _tell_of_damage(self) -> None:
        if not self._damage_said:
            self._damage_said = True
            _log.error("%s is damaged inside: some addresses are not found; download it again.", self._path)


def _first_records(reader: maxminddb.Reader, version: int) -> Iterator[Any]:
    """The records of the first networks, by asking for the address behind the one before.

    The reader's own iterator follows a damaged tree in circles until the process dies; its look-up does not.
    """
    for width, first in ((4, 0), (16, 0x20 << 120))[: 2 if version == 6 else 1]:
        address = first
        for _ in range(_LOOKED_AT):
            record, length = reader.get_with_prefix_len(written(address.to_bytes(width, "big")))
            yield record
            rest = max(8 * width - length, 0)
            address = ((address >> rest) + 1) << rest
            if address >> 8 * width:
                break


def _described(number: object, name: object, country: object) -> Network | None:
    found = _number(number)
    texts = [text if isinstance(text, str) else "" for text in (name, country)]
    return network(found, *texts) if found else None


def _number(written: object) -> int:
    """The number of a system, 0 if it is none."""
    if isinstance(written, str):
        match = _NUMBER.fullmatch(written)
        written = int(match[1]) if match else 0
    return written if isinstance(written, int) and 0 < written < 2**32 else 0


def _opened(pieces: Iterable[bytes]) -> maxminddb.Reader:
    """A reader on a copy that nobody else can write.

    The fast reader maps a file, and a mapped file that is written over kills the process. A file in memory that has
    no name gives both: the speed, and bytes that stay.
    """
    if not hasattr(os, "memfd_create"):
        return maxminddb.open_database(io.BytesIO(b"".join(pieces)), maxminddb.MODE_FD)
    with os.fdopen(os.memfd_create("asn"), "wb") as copy:
        copy.writelines(pieces)
        copy.flush()
        return maxminddb.open_database(f"/proc/self/fd/{copy.fileno()}", maxminddb.MODE_AUTO)
