"""How far a source is in event time: the least of its partitions that are not idle.

Writers come and go, so that a partition which has been idle for long is forgotten. It holds nothing up, and if it comes
back it is a new one: nothing moves on before its first records are read, and a watermark never goes back.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pegel.plan import SourcePlan
from pegel.state.positions import Partition

_REMEMBERED = 24 * 3600 * 10**6
"""Microseconds for which an idle partition is kept at least."""


@dataclass
class SourceNews:
    """What the turn has to know of a source beyond its folds.

    Attributes:
        caught_up: All that exists was read, and nothing of it is on its way.
        failing: Seconds for which it could not be read, so that what it has to say is unknown; None if it can.
        partitions: Those that it knows of, read or not.
        unread: Of an ordered source: those of which something is not committed.
    """

    caught_up: bool = False
    failing: float | None = None
    partitions: frozenset[str] = frozenset()
    unread: frozenset[str] = frozenset()


@dataclass
class Partitions:
    """The partitions of one source.

    Attributes:
        plan: The source.
        known: Those of which something was read.
    """

    plan: SourcePlan
    known: dict[str, Partition]
    _asked: tuple[SourceNews, int] | None = field(default=None, init=False)
    _mark: int | None = field(default=None, init=False)

    def advance(self, name: str, newest: int | None, active: int) -> int:
        """Records of a partition were read, or none; returns when it was active last."""
        self._asked = None
        one = self.known.setdefault(name, Partition(None, active))
        one.active = max(one.active, active) if self.plan.source.ordered else active
        if newest is not None:
            one.newest = newest if one.newest is None else max(one.newest, newest)
        return one.active

    def watermark(self, news: SourceNews, now: int) -> int | None:
        """How far the source is, in us.

        None if all partitions are idle, or one is known of which nothing was read yet.
        """
        if self._asked is None or self._asked[0] is not news or self._asked[1] != now:
            self._asked, self._mark = (news, now), self._least(news, now)
        return self._mark

    def _least(self, news: SourceNews, now: int) -> int | None:
        if not news.caught_up and news.partitions - self.known.keys():
            return None
        disorder = round(self.plan.disorder * 1e6)
        idle = self._idle(news, now)
        marks = [
            one.newest - disorder for name, one in self.known.items() if one.newest is not None and name not in idle
        ]
        return min(marks, default=None)

    def given_up(self, news: SourceNews, now: int) -> bool:
        """Whether a failing source has been waited for long enough."""
        if not self.known:
            return news.failing is not None and news.failing > self.plan.max_hold
        return len(self._idle(news, now)) == len(self.known)

    def _idle(self, news: SourceNews, now: int) -> frozenset[str]:
        """The partitions that are so quiet that they no longer hold windows open."""
        if self.plan.source.ordered:
            return self._idle_in_order(news, now)
        if news.failing is not None:
            return self._quiet_for(self.plan.max_hold, now)
        return self._quiet_for(self.plan.idle_after, now) if news.caught_up else frozenset()

    def _idle_in_order(self, news: SourceNews, now: int) -> frozenset[str]:
        """The same where pieces come in the order in which they were written, which may be long ago."""
        if news.failing is not None:
            return frozenset(self.known) if news.failing > self.plan.max_hold else frozenset()
        return self._quiet_for(self.plan.idle_after, now if news.caught_up else self._reached) - news.unread

    def _quiet_for(self, seconds: float, now: int) -> frozenset[str]:
        limit = now - seconds * 1e6
        return frozenset([name for name, one in self.known.items() if one.active < limit])

    @property
    def _reached(self) -> int:
        """When anything was active last."""
        return max((one.active for one in self.known.values()), default=0)

    def forget(self, news: SourceNews, lateness: int) -> list[str]:
        """Give up the partitions that wrote nothing for long; returns their names.

        The one that was active last and the one that is farthest stay: they say how far the source is.

        Args:
            news: Of the source.
            lateness: Microseconds for which closed windows take late records.
        """
        if not self.plan.source.ordered or news.failing is not None or not self.known:
            return []
        patience = max(_REMEMBERED, lateness, round(self.plan.idle_after * 1e6))
        quiet = self._quiet_for(patience / 1e6, self._reached) - news.unread
        farthest = max((one.newest for one in self.known.values() if one.newest is not None), default=None)
        gone = [name for name in quiet if self.known[name].newest != farthest]
        for name in gone:
            del self.known[name]
        self._asked = None
        return gone
