"""What a fold makes: mergeable partial results of one metric, per window pane and label set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Scalar = int | float | str | None
Labels = tuple[str, ...]
"""Label values, in the order of the metric's `labels`."""

Row = tuple[int, Labels, int, int, tuple[Scalar, ...]]
"""Of a pane and label set: pane start in us, labels, records, earliest time in us, scalars."""

Members = NDArray[np.int64]
"""Sorted, distinct keyed hashes."""

Keys = Callable[[int], bytes]
"""The secret key of an epoch (its start in microseconds) of one metric."""


@dataclass(frozen=True)
class ScalarPart:
    """A partial that is one column of a pane's row in the state.

    Attributes:
        name: Column name, stable for a definition.
        type: SQLite type of the column.
        merge: SQL for the merged column; `{old}` and `{new}` stand for prefixes ("t." and "excluded."), since
            parts that belong together (first/last with their times, moments) look at each other.
    """

    name: str
    type: Literal["INTEGER", "REAL", "TEXT"]
    merge: str


class Pane(NamedTuple):
    """One merged row: everything known of one series in one window, input of `finish`.

    Attributes:
        records: How many records it stands for.
        scalars: One per `ScalarPart`.
        distinct: One count per set part.
        buckets: One {bucket: count} per bucket part.
        arrivals: One count per arrivals part.
    """

    records: int
    scalars: tuple[Scalar, ...] = ()
    distinct: tuple[int, ...] = ()
    buckets: tuple[dict[int, int], ...] = ()
    arrivals: tuple[int, ...] = ()


@dataclass
class Partials:
    """What a fold of one block gave for one metric.

    Attributes:
        rows: One per pane and label set.
        sets: (set part, pane, epoch, labels, members); a rolling metric has the same pane in two epochs where
            windows of both may need it.
        buckets: (bucket part, pane, labels, bucket, count).
        unusable: Records whose values could not be stored, by reason (`overflow`, `not_finite`).
    """

    rows: list[Row] = field(default_factory=list)
    sets: list[tuple[int, int, int, Labels, Members]] = field(default_factory=list)
    buckets: list[tuple[int, int, Labels, int, int]] = field(default_factory=list)
    unusable: dict[str, int] = field(default_factory=dict)
