"""The threads of a running plan.

A thread per source reads and frames; a pool parses and folds; a thread per slow enricher looks up; a thread per
sink sends. The thread that calls `run` owns the state: it merges folds in the order in which they were read and
commits them.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

from pegel.enrichers import Enricher
from pegel.errors import StateError
from pegel.memory import give_back
from pegel.pipeline.delivery import Delivery
from pegel.pipeline.runner import Runner, worker_count
from pegel.pipeline.stage import Chunk, Folded
from pegel.pipeline.troubles import troubles
from pegel.state import snapshots
from pegel.state.bulletin import Bulletin

log = logging.getLogger("pegel.runner")

_TICK = 1.0
"""Seconds between two looks at what time alone may have changed."""

_TEND = 0.3
"""Seconds that a slow enricher may wait for something to do: a run that is over waits for that."""

_RETRY_STATE = 5.0
"""Seconds until a commit that failed is tried again."""

_GROUPS_PER_TURN = 4
"""Folds merged in one commit at most: what they hold in memory until then stays small."""

_LEAST_GROUPS = 2
"""Groups that may be in memory whatever the number of workers: one is read while one is folded."""


_FAREWELL = 5.0
"""Seconds in which all threads together have to end."""

_MUCH = 4 << 20
"""Bytes; a backlog is what has folds of this size."""


class Service:
    """Runs an open runner until `stop` is set, or until all there is was read and delivered."""

    def __init__(self, runner: Runner, stop: threading.Event) -> None:
        self._runner = runner
        self._stop = stop
        self._clock = runner.clock
        self._wake = threading.Event()
        self._workers = worker_count(runner.plan.runner.workers)
        self._folds: deque[Future[Folded]] = deque()
        self._slots = threading.Semaphore(max(self._workers, _LEAST_GROUPS))
        self._pool = ThreadPoolExecutor(self._workers, "fold")
        self._done = threading.Event()
        self._threads: list[threading.Thread] = []
        self._broken: BaseException | None = None
        self._last_commit = float("-inf")
        self._state_trouble = ""
        self._busy = False
        self._bulletin = Bulletin(runner.state.directory, self._clock)

    # -- the thread of the state --------------------------------------------------------------------

    def run(self, alive: Callable[[], None] = lambda: None) -> None:
        """Run until told to stop; then finish the turn and return.

        Args:
            alive: Called with every turn, and at least every few seconds while all is well.

        Raises:
            StateError: The state can no longer be trusted or belongs to another runner.
        """
        self._start()
        self._bulletin.begin("service")
        try:
            while not self._stop.is_set():
                alive()
                self._turn()
                self._rethrow()
            self._bulletin.end()
        finally:
            self._finish()

    def run_once(self, *, close_all: bool, patience: float) -> str:
        """Read and send all there is.

        Args:
            close_all: Close the newest windows too.
            patience: Seconds that a source or a sink may fail before it is given up.

        Returns:
            What could not be read or delivered, as a sentence; empty if nothing.
        """
        self._start()
        self._bulletin.begin("once")
        try:
            unread = self._read_all(patience)
            if not self._stop.is_set():
                self._runner.last_turn(close_all=close_all and not unread)
            unshown = [f"{one.name}: {one.trouble}" for one in self._runner.views if one.trouble]
            result = "; ".join(filter(None, [unread, *unshown, self._deliver(patience)]))
            self._tell()
            self._bulletin.end(result)
            return result
        finally:
            self._snapshot_if_due()
            self._finish()

    def _read_all(self, patience: float) -> str:
        """Read until all is read, or until what is left cannot be read; returns that as a sentence."""
        while not self._stop.is_set() and not self._runner.caught_up():
            self._turn()
            self._rethrow()
            if self._state_trouble and self._clock.monotonic() - self._last_commit > patience:
                raise StateError(self._state_trouble)
            stuck = [one for one in self._runner.readers if (one.failing_for() or -1.0) >= patience]
            if stuck and all(one.failing or one.caught_up for one in self._runner.readers):
                return "; ".join(f"{one.name}: {one.failing}" for one in stuck)
        return ""

    def _deliver(self, patience: float) -> str:
        while not self._stop.is_set() and not self._runner.delivered():
            self._runner.collect_outcomes()
            self._commit_if_needed()
            if self._state_trouble and self._clock.monotonic() - self._last_commit > patience:
                raise StateError(self._state_trouble)
            stuck = [one for one in self._runner.deliveries if one.busy and one.trouble_since() > patience]
            if stuck:
                return "; ".join(f"{one.name}: {one.trouble}" for one in stuck)
            self._clock.wait(self._wake, 0.05)
            self._wake.clear()
            self._rethrow()
        return ""

    def _turn(self) -> None:
        """Gather what is ready and commit it; returns after a tick if nothing happens."""
        self._clock.wait(self._wake, _TICK)
        self._wake.clear()
        self._gather()
        self._runner.collect_outcomes()
        self._commit_if_needed()
        self._tell()
        if self._busy and self._runner.caught_up():
            self._busy = False
            give_back()  # once, after a backlog: while it lasts, the next group wants the same pages

    def _gather(self) -> None:
        """Take folds in order, as many as are ready; wait for one only where that holds up no commit."""
        deadline = self._last_commit + self._runner.plan.runner.commit_interval
        if self._state_trouble:
            return  # what was taken before is tried again first
        for _ in range(_GROUPS_PER_TURN):
            if not self._folds:
                return
            if self._runner.holding and self._clock.monotonic() >= deadline and not self._next_is_ready():
                return
            folded = self._folds.popleft().result()
            self._busy = self._busy or folded.consumed >= _MUCH
            self._runner.take(folded)
            self._slots.release()

    def _next_is_ready(self) -> bool:
        return self._folds[0].done()

    def _commit_if_needed(self) -> None:
        try:
            if not (self._runner.commit_due() or self._runner.own_due()):
                self._runner.catch_up_views()
                return
            self._runner.commit()
        except StateError as error:
            if error.fatal:
                raise
            self._pause(error)
            return
        if self._state_trouble:
            log.warning("the state can be written again")
            self._state_trouble = ""
        self._last_commit = self._clock.monotonic()
        if self._folds:
            self._wake.set()

    def _pause(self, error: StateError) -> None:
        """A commit failed and nothing has moved: say so once, hold the sources back, try again."""
        if not self._state_trouble:
            log.error("%s; reading waits until it can be written", error)
        self._state_trouble = str(error)
        self._clock.wait(self._stop, _RETRY_STATE)
        self._wake.set()

    def _tell(self) -> None:
        """Let `pegel status` know what does not work."""
        wrong, fine = troubles(self._runner.readers, self._runner.deliveries, self._runner.views)
        if self._state_trouble:
            wrong["state", ""] = (self._state_trouble, False)
        else:
            fine.add(("state", ""))
        if self._runner.refused:
            wrong["config", ""] = (self._runner.refused, False)
        else:
            fine.add(("config", ""))
        self._bulletin.tell(wrong, fine)

    # -- other threads --------------------------------------------------------------------------------

    def _start(self) -> None:
        for number, enricher in enumerate(self._runner.slow_enrichers):
            enricher.tend(0.0)  # from now on it knows that somebody does, before the first record comes
            self._spawn(f"tend-{number}", partial(self._tend, enricher))
        for reader in self._runner.readers:
            self._spawn(f"read-{reader.name}", partial(reader.loop, self._give, self._done, self._held))
        for delivery in self._runner.deliveries:
            self._spawn(f"send-{delivery.name}", partial(self._send, delivery))
        for view in self._runner.views:
            self._spawn(f"show-{view.name}", partial(view.loop, self._done))
        self._spawn("care", self._care)

    def _spawn(self, name: str, work: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - a thread must not die alone: the service stops with its error
                self._broken = error
                self._wake.set()

        thread = threading.Thread(target=guarded, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _held(self) -> bool:
        """Whether reading has to wait for a sink whose outbox is full."""
        return self._runner.turn.blocked

    def _give(self, chunks: Sequence[Chunk]) -> None:
        """Let a worker fold chunks; waits until there is room for the next ones, so that nothing waits in memory."""
        while not self._done.is_set():
            if self._slots.acquire(timeout=0.2):
                self._folds.append(self._fold(chunks))
                break
        while not self._done.is_set():
            if self._slots.acquire(timeout=0.2):
                self._slots.release()
                return

    def _fold(self, chunks: Sequence[Chunk]) -> Future[Folded]:
        future = self._pool.submit(self._runner.fold, chunks)
        future.add_done_callback(lambda _: self._wake.set())
        return future

    def _send(self, delivery: Delivery) -> None:
        """Send what is handed over, one request at a time."""
        while not self._done.is_set():
            outcome = delivery.send_one()
            if outcome is None:
                self._clock.wait(delivery.wake, delivery.patience())
                delivery.wake.clear()
                continue
            self._runner.outcomes.put((delivery.name, outcome))
            self._wake.set()

    def _tend(self, enricher: Enricher) -> None:
        """Let an enricher do what is slow, beside the records."""
        while not self._done.is_set():
            enricher.tend(_TEND)

    def _care(self) -> None:
        """Copy the state now and then, beside the writer."""
        interval = self._runner.plan.runner.snapshot_interval
        self._runner.state.check_in_background()
        while not self._clock.wait(self._done, interval):
            self._take_snapshot()

    def _snapshot_if_due(self) -> None:
        """Runs that start, read and stop take their share of snapshots."""
        newest = snapshots.age(self._runner.state.path, self._clock.wall())
        if newest is None or newest >= self._runner.plan.runner.snapshot_interval:
            self._take_snapshot()

    def _take_snapshot(self) -> None:
        state = self._runner.state
        try:
            snapshots.take(state.path)
            if state.keys.expired:  # they are in the older generation, too
                state.keys.expired = False
                snapshots.take(state.path)
        except (OSError, sqlite3.Error) as error:
            log.warning("no snapshot of the state could be taken: %s", error)

    def _rethrow(self) -> None:
        if self._broken is not None:
            raise self._broken

    def _finish(self) -> None:
        """Stop every thread; what was read but not committed is read again next time."""
        self._done.set()
        for reader in self._runner.readers:
            reader.wake.set()
        for delivery in self._runner.deliveries:
            delivery.wake.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
        end = self._clock.monotonic() + _FAREWELL
        for thread in self._threads:  # who talks to a machine that is silent is left behind; it cannot commit
            thread.join(timeout=max(0.0, end - self._clock.monotonic()))
