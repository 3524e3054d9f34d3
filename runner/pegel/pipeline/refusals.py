"""What a sink has refused for good, by class: counted, and told once rather than row by row.

The words of a server may differ from row to row, so they are in the letters only: as labels of a counter they
would be series for ever.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Mapping

from pegel.errors import Fault
from pegel.seams import Clock

_TELL_INTERVAL = 3600.0
"""Seconds until points of the same class are told again; those in between are in that line."""

_GATHER = 5.0
"""Seconds after which it is told although more is on its way."""


class Refusals:
    """The refusals of one sink that have not been told yet."""

    def __init__(self, sink: str, clock: Clock, log: logging.Logger) -> None:
        self._sink = sink
        self._clock = clock
        self._log = log
        self._untold: Counter[Fault] = Counter()
        self._words: dict[Fault, str] = {}
        self._since: dict[Fault, float] = {}
        self._told: dict[Fault, float] = {}

    def note(self, refused: Mapping[int, str], faults: Mapping[int, Fault]) -> Counter[Fault]:
        """Take the refused points of a request; returns how many there are of each class.

        Args:
            refused: Reasons by the index of the point.
            faults: Their classes; `other` where there is none.
        """
        counts: Counter[Fault] = Counter()
        for index, reason in refused.items():
            fault = faults.get(index, "other")
            counts[fault] += 1
            self._words.setdefault(fault, reason)
            self._since.setdefault(fault, self._clock.monotonic())
        self._untold += counts
        return counts

    def tell(self, *, more: bool) -> None:
        """Log what is due.

        Args:
            more: Requests are on their way, so more may be refused in a moment.
        """
        now = self._clock.monotonic()
        for fault, count in list(self._untold.items()):
            hushed = now - self._told.get(fault, float("-inf")) < _TELL_INTERVAL
            if hushed or (more and now - self._since[fault] < _GATHER):
                continue
            self._told[fault] = now
            self._log.error(
                "%d points for %s were refused and set aside (pegel sinks shows them): %s",
                count,
                self._sink,
                self._words[fault],
            )
            self._drop(fault)

    def forget(self) -> None:
        """A commit was undone: what it refused is settled again."""
        for fault in list(self._untold):
            self._drop(fault)

    def _drop(self, fault: Fault) -> None:
        del self._untold[fault], self._words[fault], self._since[fault]


def refused_so_far(counters: Mapping[tuple[str, str], int]) -> Counter[str]:
    """How many points each sink has refused for good according to the counters of a state."""
    found: Counter[str] = Counter()
    for (name, labels), count in counters.items():
        if name == "dead_letters_total":
            found[json.loads(labels)["sink"]] += count
    return found
