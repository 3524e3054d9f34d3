"""Deleting objects that the runner has released: each as it was counted, for ever until it is gone."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Iterable

from pegel.seams import Clock
from pegel.sources import Position
from pegel.sources.bucket import Changed, Missing, Store, StoreError
from pegel.sources.bucket.ledger import Ledger
from pegel.sources.bucket.pump import Pump

_AT_A_TIME = 4
_REMEMBERED = 10_000
"""Objects that are settled and may be told of again, because the commit that says so is on its way."""

_FIRST_DELAY, _LONGEST_DELAY = 1.0, 300.0
"""Seconds until a deletion is tried again: the double each time."""

log = logging.getLogger("pegel.sources.s3")


class Remover:
    """Deletes released objects.

    Attributes:
        trouble: Why the last attempt failed; empty once one succeeds.
    """

    def __init__(self, pump: Pump, store: Store, ledger: Ledger, clock: Clock, counts: Counter[str]) -> None:
        self._pump = pump
        self._store = store
        self._ledger = ledger
        self._clock = clock
        self._counts = counts
        self._known: set[str] = set()
        self._settled: deque[str] = deque()
        self._waiting: deque[Position] = deque()
        self._tasks: dict[asyncio.Task[None], Position] = {}
        self._not_before = 0.0
        self._delay = _FIRST_DELAY
        self.trouble = ""

    def add(self, released: Iterable[Position]) -> None:
        """Objects to delete; those that were told before are not added again."""
        for position in released:
            if position.stream not in self._known:
                self._known.add(position.stream)
                self._waiting.append(position)

    @property
    def busy(self) -> bool:
        """Whether anything is on its way."""
        return bool(self._tasks)

    @property
    def left(self) -> bool:
        """Whether something is to be deleted, and may be tried now."""
        return bool(self._waiting) and self._clock.monotonic() >= self._not_before

    def tick(self) -> None:
        """See what came of attempts, and begin others."""
        for task in [task for task in self._tasks if task.done()]:
            self._settle(self._tasks.pop(task), task.exception())
        most = 1 if self.trouble else _AT_A_TIME
        while self.left and len(self._tasks) < most:
            position = self._waiting.popleft()
            key, etag = self._ledger.key(position.stream), str(position.cursor["etag"])
            self._tasks[self._pump.start(self._store.delete(key, etag))] = position

    def _settle(self, position: Position, error: BaseException | None) -> None:
        if isinstance(error, Changed):
            self._ledger.kept(position)
            self._counts["replaced_objects_kept"] += 1
        elif error is None or isinstance(error, Missing):
            self._ledger.removed(position)
            self._counts["deleted_objects"] += 1
        else:
            self._put_off(position, error)
            return
        self._remember(position.stream)
        if self.trouble:
            log.warning("objects can be deleted again")
        self.trouble, self._delay = "", _FIRST_DELAY

    def _remember(self, stream: str) -> None:
        """An object is settled; of those that were settled long ago nobody tells any more."""
        self._settled.append(stream)
        if len(self._settled) > _REMEMBERED:
            self._known.discard(self._settled.popleft())

    def _put_off(self, position: Position, error: BaseException) -> None:
        if not isinstance(error, StoreError):
            raise error
        self._waiting.append(position)
        self._counts["delete_failures"] += 1
        if not self.trouble:
            log.warning("objects cannot be deleted, and this is tried for ever: %s", error)
        self.trouble = str(error)
        self._not_before = self._clock.monotonic() + self._delay
        self._delay = min(2 * self._delay, _LONGEST_DELAY)


class DryRemover(Remover):
    """Says what would be deleted."""

    def tick(self) -> None:
        while self._waiting:
            log.info("dry run: %s would be deleted", self._waiting.popleft().stream)
            self._counts["objects_to_delete"] += 1
