"""Which object is read first: the oldest, and within a partition the one with the lowest number."""

from __future__ import annotations

from collections.abc import Iterable

from pegel.sources.bucket.ledger import Entry


def oldest_first(entries: Iterable[Entry]) -> list[Entry]:
    """Objects in the order of reading.

    Objects of a partition stay in the order of their numbers, whatever a server says of their times; partitions
    are merged by the time at which an object, and all before it, had been written.
    """
    within = sorted(entries, key=_within_partition)
    reached: dict[str, int] = {}
    ranks: dict[str, tuple[int, int, int, str]] = {}
    for entry in within:
        place = entry.place
        reached[place.partition] = max(reached.get(place.partition, 0), entry.written)
        ranks[entry.key] = (place.period or 0, reached[place.partition], place.sequence, place.partition)
    return sorted(within, key=lambda one: (ranks[one.key], _age(one)))


def _age(entry: Entry) -> tuple[int, str]:
    return entry.written, entry.key


def _within_partition(entry: Entry) -> tuple[str, int, int, tuple[int, str]]:
    return entry.place.partition, entry.place.period or 0, entry.place.sequence, _age(entry)
