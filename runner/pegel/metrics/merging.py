"""Merging partials in memory: what the state does with SQL, for `preview`, for many machines and for tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from pegel.metrics.partials import Labels, Members, Pane, Partials, Row, Scalar
from pegel.metrics.program import Column


def merge_scalars(columns: Sequence[Column], old: Sequence[Scalar], new: Sequence[Scalar]) -> tuple[Scalar, ...]:
    """Merge two rows of scalar partials."""
    merged: list[Scalar] = []
    for column in columns:
        span = slice(len(merged), len(merged) + len(column.names))
        merged += column.how.merge(tuple(old[span]), tuple(new[span]))
    return tuple(merged)


def merge_partials(columns: Sequence[Column], parts: Iterable[Partials]) -> Partials:
    """Merge any number of partials of one metric; each (pane, labels) is one row afterwards."""
    gathered = gather(columns, parts)
    sets: dict[tuple[int, int, int, Labels], list[Members]] = {}
    buckets: Counter[tuple[int, int, Labels, int]] = Counter()
    for number, pane, epoch, labels, members in gathered.sets:
        sets.setdefault((number, pane, epoch, labels), []).append(members)
    for *bucket, count in gathered.buckets:
        buckets[tuple(bucket)] += count  # type: ignore[index]
    gathered.sets = [(*key, _union(found)) for key, found in sets.items()]
    gathered.buckets = [(*bucket, count) for bucket, count in buckets.items()]
    return gathered


def gather(columns: Sequence[Column], parts: Iterable[Partials]) -> Partials:
    """Partials of several folds as one: rows are merged, sets and buckets come one after another.

    For a state that merges those itself.
    """
    panes: dict[int, dict[Labels, Row]] = {}
    result, unusable = Partials(), Counter[str]()
    for part in parts:
        for row in part.rows:
            pane, labels = row[0], row[1]
            rows = panes.get(pane)
            if rows is None:
                rows = panes[pane] = {}
            known = rows.setdefault(labels, row)
            if known is not row:
                rows[labels] = _merged(columns, known, row)
        result.sets += part.sets
        result.buckets += part.buckets
        unusable.update(part.unusable)
    result.rows = [row for rows in panes.values() for row in rows.values()]
    result.unusable = dict(unusable)
    return result


def _merged(columns: Sequence[Column], one: Row, other: Row) -> Row:
    pane, labels, records, earliest, scalars = one
    if columns:
        scalars = merge_scalars(columns, scalars, other[4])
    return pane, labels, records + other[2], min(earliest, other[3]), scalars


def combine(columns: Sequence[Column], panes: Sequence[Pane], empty: Pane) -> Pane:
    """One pane for several of the same series; `distinct` cannot be added up and is that of `empty`."""
    records, scalars = empty.records, empty.scalars
    buckets: list[Counter[int]] = [Counter() for _ in empty.buckets]
    arrivals = list(empty.arrivals)
    for pane in panes:
        records += pane.records
        scalars = merge_scalars(columns, scalars, pane.scalars)
        for total, counts in zip(buckets, pane.buckets, strict=True):
            total.update(counts)
        arrivals = [a + b for a, b in zip(arrivals, pane.arrivals, strict=True)]
    return Pane(records, scalars, empty.distinct, tuple(dict(total) for total in buckets), tuple(arrivals))


def _union(found: list[Members]) -> Members:
    return found[0] if len(found) == 1 else np.unique(np.concatenate(found))
