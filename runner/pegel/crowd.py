"""Members of the sets of many series as one sorted array: what is done with them costs no step per series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.int64]
Series = NDArray[np.int32]
Mask = NDArray[np.bool_]

_APART = np.int64(-7046029254386353131)
"""2^64 divided by the golden ratio: shifts the hashes of each series to places of its own."""

_BYTES = 12
"""Of a member and its series."""


@dataclass(frozen=True)
class Crowd:
    """Members of the sets of several series.

    A member of a series is its hash, shifted by the series: one number, as unlikely to meet another as two hashes.

    Attributes:
        members: Sorted and distinct.
        series: Of each member.
    """

    members: Hashes
    series: Series

    @classmethod
    def of(cls, sets: Mapping[int, Sequence[Hashes]]) -> Crowd:
        """The members of sets, by series; each set is in parts that may have members in common."""
        parts = [part for found in sets.values() for part in found]
        if not parts:
            return NOBODY
        sizes = [sum(map(len, found)) for found in sets.values()]
        series = np.repeat(np.fromiter(sets, np.int32, len(sets)), sizes)
        return _sorted(np.concatenate(parts) + series * _APART, series)

    @classmethod
    def union(cls, crowds: Sequence[Crowd]) -> Crowd:
        """All members of some crowds."""
        if len(crowds) == 1:
            return crowds[0]
        members = np.concatenate([NOBODY.members, *(crowd.members for crowd in crowds)])
        return _sorted(members, np.concatenate([NOBODY.series, *(crowd.series for crowd in crowds)]))

    @property
    def size(self) -> int:
        """How many members there are."""
        return self.members.size

    def only(self, wanted: Mask) -> Crowd:
        """Some of them."""
        return self if wanted.all() else Crowd(self.members[wanted], self.series[wanted])

    def find(self, other: Crowd) -> tuple[NDArray[np.intp], Mask]:
        """Where the members of another crowd are or would be among these, and which of them are."""
        places = np.searchsorted(self.members, other.members)
        if not self.size:
            return places, np.zeros(other.size, bool)
        inside = np.minimum(places, self.size - 1)
        return places, self.members[inside] == other.members

    def without(self, other: Crowd) -> Crowd:
        """Those that are not in another one."""
        _, known = other.find(self)
        return self.only(~known)

    def per_series(self) -> dict[int, int]:
        """How many members each series has."""
        series, counts = np.unique(self.series, return_counts=True)
        return dict(zip(series.tolist(), counts.tolist(), strict=True))

    def pack(self) -> bytes:
        """As bytes."""
        return self.members.astype("<i8", copy=False).tobytes() + self.series.astype("<i4", copy=False).tobytes()

    @classmethod
    def unpack(cls, blob: bytes) -> Crowd:
        """What `pack` made bytes of."""
        size = len(blob) // _BYTES
        return cls(np.frombuffer(blob, "<i8", size), np.frombuffer(blob, "<i4", size, 8 * size))


def _sorted(members: Hashes, series: Series) -> Crowd:
    order = np.argsort(members)
    members, series = members[order], series[order]
    first = np.ones(members.size, bool)
    np.not_equal(members[1:], members[:-1], out=first[1:])
    return Crowd(members, series).only(first)


NOBODY = Crowd(np.empty(0, np.int64), np.empty(0, np.int32))
