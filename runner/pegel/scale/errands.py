"""What is asked of a worker, and what it answers: plain data, sent through the scheduler.

An errand names objects and nothing that is secret: a worker reads them with its own configuration. Keys of distinct
members are never in one; they are told apart from it (`Lesson`), to the worker that lacks them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pegel.sources import Parcel, Share

Place = tuple[str, int]
"""A metric and the start of an epoch in us."""


@dataclass(frozen=True)
class Errand:
    """Objects to read and to fold together.

    Attributes:
        source: Name of their source.
        likeness: What that source makes of bytes where it was sent from; a worker that makes anything else declines.
        ring: Whose keys of distinct members are to be used.
        now: Wall clock in us where it was sent from: what is far beyond it is no record.
        parcels: The objects.
    """

    source: str
    likeness: Mapping[str, str]
    ring: str
    now: int
    parcels: Sequence[Parcel]


@dataclass(frozen=True)
class Done:
    """All that could be read was folded."""

    share: Share


@dataclass(frozen=True)
class Untaught:
    """Keys are missing; nothing was folded.

    Attributes:
        places: For which metrics and epochs.
        worker: Who has to be told.
    """

    places: Sequence[Place]
    worker: str


@dataclass(frozen=True)
class Declined:
    """The worker would make something else of the objects; why, as a sentence."""

    reason: str


Answer = Done | Untaught | Declined


@dataclass(frozen=True)
class Lesson:
    """Keys for a worker. They are held in memory alone, and do not show themselves.

    Attributes:
        ring: Whose they are.
    """

    ring: str
    keys: Mapping[Place, bytes] = field(repr=False)
