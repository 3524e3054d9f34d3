"""When the texts of an `info` metric are said: at first sight, when they change, and again once a day."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pegel.metrics.definition import Metric
from pegel.state.series import OTHER, SeriesTable

_DAY = 86400 * 10**6


class News:
    """Takes what is known already out of the values of windows.

    What was said last, and for which window, stands in the state and moves with its commits: after a crash the
    same window says the same again, and nothing is said twice or never.
    """

    def __init__(self, series: SeriesTable, number: int, metric: Metric) -> None:
        self._series = series
        self._number = number
        self._constant = sorted(metric.constant_labels.items())
        self._names = frozenset(name for name, value in metric.values.items() if value.kind == "info")

    def tell(self, series: int, pane: int, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """The values of a closed window, without texts that are no news; part of the running transaction."""
        if self._names.isdisjoint(values):
            return values
        texts = {name: value for name, value in values.items() if name in self._names}
        news = self._is_news(series, pane, json.dumps([self._constant, texts], sort_keys=True))
        return values if news else self.without(values)

    def without(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """The values of a window that is still open: what is news is known when it closes."""
        return {name: value for name, value in values.items() if name not in self._names}

    def _is_news(self, series: int, pane: int, text: str) -> bool:
        """Whether a series has something to say, which then counts as said.

        A late record of a window before the last one that spoke says nothing about now. Where many series were
        folded into `__other__`, the text of one would speak for all of them.
        """
        if OTHER in self._series.labels_of(self._number, series):
            return False
        before, at = self._series.emitted(series)
        if at is not None and (pane < at or (before == text and pane < at + _DAY)):
            return False
        self._series.set_emitted(series, text, pane)
        return True
