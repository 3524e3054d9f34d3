"""Ranges of addresses and the network that each belongs to."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

_LONGEST_NAME = 128

_DTYPES = {4: np.dtype(">u4"), 16: np.dtype("S16")}
"""How addresses of so many bytes are compared: as numbers, or byte by byte."""


class Network(NamedTuple):
    """What is known of an autonomous system.

    Attributes:
        asn: Its number, in digits.
        name: As its database has it; None if it has none.
        country: Two capital letters; None if they are not known.
    """

    asn: str
    name: str | None = None
    country: str | None = None


class Database(Protocol):
    """Something that knows networks."""

    @property
    def built(self) -> float:
        """When it was made, in seconds since 1970."""

    def find(self, addresses: Sequence[bytes]) -> list[Network | None]:
        """The network of each address; None where it is not known. Raises nothing for any address."""


def network(number: int, name: str, country: str) -> Network:
    """A network as a stranger describes it: the name cleaned and short, the country only if it looks like one."""
    return Network(str(number), _cleaned(name), country if len(country) == 2 and country.isupper() else None)


def _cleaned(name: str) -> str | None:
    if not name.isprintable():
        name = "".join(char if char.isprintable() else " " for char in name)
    return " ".join(name.split())[:_LONGEST_NAME].rstrip() or None


@dataclass(frozen=True)
class Ranges:
    """Ranges of addresses of one length that do not overlap, in order.

    Attributes:
        starts: First addresses.
        ends: Last addresses.
        owners: To whom each belongs.
    """

    starts: NDArray[Any]
    ends: NDArray[Any]
    owners: NDArray[np.uint32]


def ranges(width: int, starts: bytes | bytearray, ends: bytes | bytearray, owners: Sequence[int]) -> Ranges:
    """Put ranges in order; where they overlap the smallest counts, and of equal ones the first.

    Args:
        width: Bytes of an address.
        starts: First addresses, one after another.
        ends: Last addresses likewise.
        owners: To whom each belongs.
    """
    first, last = (np.frombuffer(bytes(side), _DTYPES[width]) for side in (starts, ends))
    order = np.argsort(first, kind="stable")
    found = Ranges(_native(first[order]), _native(last[order]), np.array(owners, np.uint32)[order])
    if len(order) > 1 and bool((found.starts[1:] <= found.ends[:-1]).any()):
        return _without_overlap(width, found, order.tolist())
    return found


def _native(addresses: NDArray[Any]) -> NDArray[Any]:
    return addresses.astype(addresses.dtype.newbyteorder("="))


def _without_overlap(width: int, found: Ranges, given: Sequence[int]) -> Ranges:
    """Cut ranges at every place where one begins or ends; of each piece the smallest range above it is the owner.

    `given` has their numbers in the order in which they were given.
    """
    starts, ends = _numbers(width, found.starts), _numbers(width, found.ends)
    open_now: list[tuple[int, int, int, int]] = []  # size, number, place, end
    pieces: list[tuple[int, int, int]] = []
    place = 0
    for left, right in pairwise(sorted({*starts, *(end + 1 for end in ends)})):
        while place < len(starts) and starts[place] == left:
            heapq.heappush(open_now, (ends[place] - left, given[place], place, ends[place]))
            place += 1
        while open_now and open_now[0][3] < left:
            heapq.heappop(open_now)
        if open_now:
            pieces.append((left, right - 1, int(found.owners[open_now[0][2]])))
    sides = [b"".join(piece[side].to_bytes(width, "big") for piece in pieces) for side in (0, 1)]
    return ranges(width, sides[0], sides[1], [owner for _, _, owner in pieces])


def _numbers(width: int, addresses: NDArray[Any]) -> list[int]:
    data = addresses.astype(_DTYPES[width]).tobytes()
    return [int.from_bytes(data[place : place + width], "big") for place in range(0, len(data), width)]


@dataclass(frozen=True)
class RangeTable:
    """A database in memory: ranges by the length of their addresses, and their owners.

    Attributes:
        owners: What the ranges refer to.
        ranges: By the bytes of an address.
        built: When it was made, in seconds since 1970.
    """

    owners: Sequence[Network]
    ranges: Mapping[int, Ranges]
    built: float

    def find(self, addresses: Sequence[bytes]) -> list[Network | None]:
        """The network of each address, by one binary search for all addresses of a length."""
        found: list[Network | None] = [None] * len(addresses)
        for width, table in self.ranges.items():
            places = [place for place, address in enumerate(addresses) if len(address) == width]
            if places and len(table.starts):
                sought = _native(np.frombuffer(b"".join(addresses[place] for place in places), _DTYPES[width]))
                at = np.searchsorted(table.starts, sought, side="right") - 1
                inside = (at >= 0) & (sought <= table.ends[at])
                owners = table.owners[at[inside]].tolist()
                for place, owner in zip(np.array(places)[inside].tolist(), owners, strict=True):
                    found[place] = self.owners[owner]
        return found
