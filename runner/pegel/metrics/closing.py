"""From merged partials to windows, in memory: what the state does step by step, for `preview` and for tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from pegel.metrics.compiled import CompiledMetric
from pegel.metrics.partials import Labels, Members, Pane, Partials
from pegel.metrics.windows import Windows


@dataclass(frozen=True)
class Window:
    """One series in one window, or in one step of a rolling window.

    Attributes:
        start: Start of the pane that the point stands for, in us.
        end: Its end.
        pane: What `finish` takes.
    """

    start: int
    end: int
    labels: Labels
    pane: Pane


def close(compiled: CompiledMetric, partials: Partials) -> list[Window]:
    """Close every window of merged partials, by time and labels.

    A rolling window is given for each step from its first record until it has none, the last one empty; windows
    that begin before the first record are given too, since nobody knows that records are missing.
    """
    windows = Windows(compiled.metric.every, compiled.metric.over, compiled.metric.timezone)
    closing = _Closing(compiled, partials, windows)
    by_labels: dict[Labels, list[int]] = {}
    for pane, labels in closing.panes:
        by_labels.setdefault(labels, []).append(pane)
    found = [
        Window(step, windows.pane_end(step), labels, closing.window(step, labels))
        for labels, panes in by_labels.items()
        for step in _steps(windows, sorted(panes))
    ]
    return sorted(found, key=lambda window: (window.start, window.labels))


def _steps(windows: Windows, panes: list[int]) -> Iterator[int]:
    """The steps whose window has a record, and the first one after them that has none."""
    trailing = windows.steps if windows.over is not None else 0
    following: int | None = None
    for pane, later in zip(panes, [*panes[1:], None], strict=True):
        following, left = pane, trailing
        while left >= 0 and (later is None or following < later):
            yield following
            following, left = windows.next(following), left - 1


class _Closing:
    """Merged partials by pane and labels."""

    def __init__(self, compiled: CompiledMetric, partials: Partials, windows: Windows) -> None:
        self._compiled = compiled
        self._windows = windows
        self._sets: Mapping[tuple[int, int, int, Labels], Members] = {
            (part, pane, epoch, labels): members for part, pane, epoch, labels, members in partials.sets
        }
        counts: dict[tuple[int, Labels], tuple[dict[int, int], ...]] = {}
        for part, pane, labels, bucket, count in partials.buckets:
            held = counts.setdefault((pane, labels), tuple({} for _ in compiled.buckets))
            held[part][bucket] = held[part].get(bucket, 0) + count
        self.panes: dict[tuple[int, Labels], Pane] = {}
        for pane, labels, records, _, scalars in partials.rows:
            buckets = counts.get((pane, labels), compiled.empty().buckets)
            self.panes[pane, labels] = compiled.empty()._replace(records=records, scalars=scalars, buckets=buckets)

    def window(self, step: int, labels: Labels) -> Pane:
        """The panes of the window that ends with a step, as one."""
        steps = self._spanned(step)
        held = [self.panes[pane, labels] for pane in steps if (pane, labels) in self.panes]
        epoch = self._windows.epoch(steps[0])
        distinct, arrivals = [], {}
        for part in range(len(self._compiled.sets)):
            before = self._union(part, steps[:-1], epoch, labels)
            own = self._union(part, steps[-1:], epoch, labels)
            arrivals[part] = int(np.setdiff1d(own, before).size)
            distinct.append(before.size + arrivals[part])
        arrived = tuple(arrivals[part] for part in self._compiled.arrivals)
        return self._compiled.combine(held)._replace(distinct=tuple(distinct), arrivals=arrived)

    def _spanned(self, step: int) -> list[int]:
        panes = [self._windows.back(step, self._windows.steps - 1)]
        while panes[-1] < step:
            panes.append(self._windows.next(panes[-1]))
        return panes

    def _union(self, part: int, panes: list[int], epoch: int, labels: Labels) -> Members:
        found = [self._sets[key] for pane in panes if (key := (part, pane, epoch, labels)) in self._sets]
        return np.unique(np.concatenate(found)) if found else np.empty(0, np.int64)
