"""MaxMind DB files with numbers of autonomous systems."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pegel.enrichers.mmdb import Mmdb, Record
from pegel.enrichers.networks import Network, network

_Spelling = tuple[str, str, str]

_SPELLINGS: Sequence[_Spelling] = (
    ("autonomous_system_number", "autonomous_system_organization", "country_code"),
    ("asn", "as_name", "country_code"),
)
"""What the makers call number, name and country: MaxMind, DB-IP and ip-location-db; IPinfo."""

_NUMBER = re.compile(r"(?:AS)?([0-9]{1,10})")


class AsnMmdb:
    """A database of autonomous systems."""

    def __init__(self, path: Path, pieces: Iterable[bytes]) -> None:
        """Take a copy of a database.

        Args:
            path: For the log.
            pieces: Its bytes.

        Raises:
            ValueError: It is none, or not of autonomous systems; a sentence that goes behind the name of the file.
        """
        self._mmdb = Mmdb(path, pieces)
        self._spelling = self._mmdb.recognised(_spelling, "an ASN database")
        self.built = self._mmdb.built
        self._known: dict[tuple[Any, ...], Network | None] = {}

    def find(self, addresses: Sequence[bytes]) -> list[Network | None]:
        """The network of each address."""
        return [self._network(self._mmdb.record(address)) for address in addresses]

    def _network(self, record: Record | None) -> Network | None:
        """What a record says; a network is described once."""
        if record is None:
            return None
        number, name, country = self._spelling
        said = record.get(number), record.get(name), record.get(country)
        try:
            return self._known[said]
        except KeyError:
            self._known[said] = found = _described(*said)
            return found
        except TypeError:  # a list or a table where a text should be
            return _described(*said)


def _spelling(record: Record) -> _Spelling | None:
    return next((spelling for spelling in _SPELLINGS if _number(record.get(spelling[0]))), None)


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
