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
        rejects = self._rejects.get(key)
        if rejects is None:
            return chunk.positions
        rejects.update(one.rejects)
        last = next(
            (position for position in chunk.positions if position.stream == chunk.stream and position.done), None
        )
        if one.records or last is not None:
            del self._rejects[key]
        if one.records or last is None or not rejects:
            return chunk.positions
        aside = plan.source.put_off(last, _sentence(rejects))
        return [aside if position is last else position for position in chunk.positions]


def _sentence(rejects: Counter[str]) -> str:
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in rejects.most_common(3))
    return f"nothing in it is a record (rejects: {reasons})"
