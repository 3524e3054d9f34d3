"""Databases of places in files: MaxMind DB by several makers."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pegel.enrichers.addresses import packed
from pegel.enrichers.mmdb import Mmdb, Record
from pegel.enrichers.unpacking import AGAIN, MAX_UNPACKED, unpacked

_REMEMBERED = 65_536
"""Addresses whose place is not looked up again: a record holds every name in eight languages, and reading it takes
5 us. Who watches is in every batch."""

_LONGEST_NAME = 128


class Place(NamedTuple):
    """What is known of where an address is; empty where nothing is.

    Attributes:
        country: Two capital letters.
        region: State or province.
        city: Its name.
        latitude: In degrees.
        longitude: In degrees.
    """

    country: str = ""
    region: str = ""
    city: str = ""
    latitude: str = ""
    longitude: str = ""


NOWHERE = Place()

_Spelling = Callable[[Record, str], Place]


class Places:
    """A database of places in memory."""

    def __init__(self, path: Path, pieces: Iterable[bytes], language: str) -> None:
        """Take a copy of a database.

        Args:
            path: For the log.
            pieces: Its bytes.
            language: Of names, where the database has several.

        Raises:
            ValueError: It is none, or not of places; a sentence that goes behind the name of the file.
        """
        self._mmdb = Mmdb(path, pieces)
        self._spelling = self._mmdb.recognised(_spelling, "a City database (or one of countries)")
        self._language = language
        self.built = self._mmdb.built
        self.find = functools.lru_cache(_REMEMBERED)(self._find)
        """The place of an address as text; what is no address, or not known, is nowhere."""

    def _find(self, text: str) -> Place:
        address = packed(text)
        record = None if address is None else self._mmdb.record(address)
        return NOWHERE if record is None else self._spelling(record, self._language)


def read(path: Path, language: str = "en", most: int = MAX_UNPACKED) -> Places:
    """Read a database, as it is or packed by gzip.

    Args:
        path: The file.
        language: Of names, where the database has several.
        most: Bytes that it may have, unpacked.

    Raises:
        ValueError: It cannot be read or used; the message is a sentence that goes behind the name of the file.
    """
    with unpacked(path, most) as stream:
        if not stream.is_mmdb:
            raise ValueError(f"is no MaxMind DB; {AGAIN}")
        return Places(path, stream.pieces(), language)


# -- how the makers spell it ----------------------------------------------------------------------------


def _spelling(record: Record) -> _Spelling | None:
    if isinstance(record.get("country"), dict) or isinstance(record.get("location"), dict):
        return _nested
    return _flat if any(_country(record.get(key)) for key in ("country_code", "country")) else None


def _nested(record: Record, language: str) -> Place:
    """MaxMind and DB-IP: tables within tables, names by language."""
    regions = record.get("subdivisions")
    region = regions[0] if isinstance(regions, list) and regions else None
    location = _table(record.get("location"))
    return Place(
        country=_country(_table(record.get("country")).get("iso_code")),
        region=_name(region, language),
        city=_name(record.get("city"), language),
        latitude=_degrees(location.get("latitude"), 90),
        longitude=_degrees(location.get("longitude"), 180),
    )


def _flat(record: Record, language: str) -> Place:  # noqa: ARG001 (names in one language)
    """IPinfo and ip-location-db: one level."""
    return Place(
        country=_country(record.get("country_code")) or _country(record.get("country")),
        region=_text(_first(record, "region", "state1")),
        city=_text(record.get("city")),
        latitude=_degrees(_first(record, "latitude", "lat"), 90),
        longitude=_degrees(_first(record, "longitude", "lng"), 180),
    )


def _first(record: Record, *keys: str) -> object:
    return next((record[key] for key in keys if key in record), None)


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _name(value: object, language: str) -> str:
    names = _table(_table(value).get("names"))
    return _text(names.get(language)) or _text(names.get("en"))


def _text(value: object) -> str:
    """A name as a stranger wrote it: cleaned and short."""
    if not isinstance(value, str):
        return ""
    if not value.isprintable():
        value = "".join(char if char.isprintable() else " " for char in value)
    return " ".join(value.split())[:_LONGEST_NAME].rstrip()


def _country(value: object) -> str:
    fits = isinstance(value, str) and len(value) == 2 and value.isascii() and value.isalpha() and value.isupper()
    return str(value) if fits else ""


def _degrees(value: object, most: int) -> str:
    """A coordinate in degrees, empty where it is none."""
    try:
        degrees = float(value) if isinstance(value, int | float | str) else most + 1.0
    except ValueError:
        return ""
    return repr(degrees) if abs(degrees) <= most else ""
