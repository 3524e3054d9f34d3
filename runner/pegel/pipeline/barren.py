"""Streams of which nothing was a record: a page, a picture, a line without an end, the log of something else.

Their rejects are counted like any, but a thousand rejects of one object say less than the object's name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from pegel.pipeline.stage import Counted
from pegel.plan import SourcePlan
from pegel.sources import Position


@dataclass
class Barren:
    """What was read of streams that have brought nothing but rejects so far, by source and stream."""

    _rejects: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)

    def settle(self, plan: SourcePlan, one: Counted) -> Sequence[Position]:
        """The positions to store with a chunk: of a stream that ended without a record the source decides.

        Of one whose beginning was read by a process that died nobody knows whether there were records.
        """
        chunk, key = one.chunk, (plan.name, one.chunk.stream)
        if chunk.stream and chunk.offset == 0:
            self._rejects[key] = Counter()
        if one.records:
            self._rejects.pop(key, None)
        elif key in self._rejects:
            self._rejects[key].update(one.rejects)
        return [self._settled(plan, position) for position in chunk.positions]

    def _settled(self, plan: SourcePlan, position: Position) -> Position:
        """A position as it is to be stored; the last one of a stream may come with a chunk of another."""
        rejects = self._rejects.pop((plan.name, position.stream), None) if position.done else None
        return plan.source.put_off(position, _sentence(rejects)) if rejects else position


def _sentence(rejects: Counter[str]) -> str:
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in rejects.most_common(3))
    return f"nothing in it is a record (rejects: {reasons})"
