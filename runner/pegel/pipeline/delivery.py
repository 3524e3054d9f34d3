"""One sink's road: points wait, are frozen into requests, are sent until they are acknowledged.

Everything that touches the state runs on the turn's thread, inside its transaction; `send` runs on the sink's
own thread and talks to the turn only through outcomes.
"""

from __future__ import annotations

import logging
import random
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from pegel.errors import Permanent, Retryable
from pegel.plan import SinkPlan, takes, wants_own
from pegel.seams import Clock
from pegel.sinks import Point
from pegel.sinks.points import merge, pack, unpack
from pegel.state import State
from pegel.state.outbox import Request

_IN_FLIGHT = 4
"""Requests of a sink that are frozen at a time; what comes later waits, and newer values replace older ones."""

_MOST_POINTS = 5_000
"""Points in a request, about."""

_FIRST_DELAY, _LONGEST_DELAY = 0.5, 60.0
"""Seconds between attempts: doubled each time, then shaken by up to a half."""


@dataclass(frozen=True)
class Outcome:
    """What came of sending a request: stored, refused for good, or tried in vain."""

    request: Request
    kind: str
    reason: str = ""


class Delivery:
    """The outbox of one sink, and the sending of what is in it."""

    def __init__(self, plan: SinkPlan, state: State, clock: Clock) -> None:
        self.plan = plan
        self.sink = plan.sink
        self.name = plan.name
        self.log = logging.getLogger(f"pegel.sinks.{plan.name}")
        self._state = state
        self._clock = clock
        self._frozen: list[int] = []
        self.remember()
        self._last_handed = 0
        self._last_early = float("-inf")
        self._open = False
        self.handed: deque[Request] = deque()
        self.wake = threading.Event()
        self.failures = 0
        self.trouble = ""
        self.not_before = 0.0
        self._failing_since = 0.0
        self.sent_points = 0

    def remember(self) -> None:
        """Know what is frozen according to the state: at the start, and after a commit that was undone."""
        self._frozen = [request.id for request in self._state.outbox.requests(self.name, _IN_FLIGHT)]

    def early_due(self) -> bool:
        """Whether it is time for values of open windows."""
        if not self.sink.overwrites or len(self._frozen) >= _IN_FLIGHT:
            return False
        return self._clock.monotonic() - self._last_early >= self.plan.early_interval

    def hurry(self) -> None:
        """Send values of open windows with the next commit, whenever the last ones went."""
        self._last_early = float("-inf")

    def early_taken(self) -> None:
        """Values of open windows were put."""
        self._last_early = self._clock.monotonic()

    # -- inside the turn's transaction ----------------------------------------------------------------

    def put(self, points: Iterable[Point]) -> None:
        """Let points wait; those of the same series and window replace older ones that have not left."""
        self._put([point for point in points if takes(self.plan, point.metric)])

    def put_own(self, points: Sequence[Point]) -> None:
        """Let points about the runner itself wait, if this sink asks for them."""
        if wants_own(self.plan):
            self._put(points)

    def _put(self, points: Iterable[Point]) -> None:
        now = round(self._clock.wall() * 1e6)
        wanted = sorted(points, key=_window)
        for (metric, pane), group in groupby(wanted, key=_window):
            window = list(group)
            waiting = self._state.outbox.waiting(self.name, metric, pane)
            if waiting is not None:
                window = merge(unpack(waiting), window)
            self._state.outbox.put(self.name, metric, pane, pack(window), len(window), now)

    def freeze(self) -> None:
        """Turn what waits into requests, as many as may be in flight."""
        now = round(self._clock.wall() * 1e6)
        while len(self._frozen) < _IN_FLIGHT:
            windows = self._state.outbox.oldest_waiting(self.name, _MOST_POINTS)
            if not windows:
                return
            points = [point for window in windows for point in unpack(window.points)]
            self._frozen.append(self._state.outbox.freeze(self.name, windows, self.sink.encode(points), now))

    def settle(self, outcomes: Sequence[Outcome]) -> None:
        """Write down what came of requests."""
        now = round(self._clock.wall() * 1e6)
        for outcome in outcomes:
            request = outcome.request
            if outcome.kind == "failed":
                self._state.outbox.failed(request.id)
                continue
            if outcome.kind == "refused":
                self._bury(outcome, now)
            self._state.outbox.acknowledge(request.id)
            self._frozen = [one for one in self._frozen if one != request.id]

    def _bury(self, outcome: Outcome, now: int) -> None:
        request = outcome.request
        self._state.outbox.bury(request.id, outcome.reason, request.payload, request.count, now)
        self._state.count("dead_letters_total", request.count, sink=self.name)
        self.log.error("%d points for %s were refused and set aside: %s", request.count, self.name, outcome.reason)

    def must_hold(self) -> bool:
        """Whether reading has to wait until this sink has taken some of what waits for it."""
        return self.plan.when_full == "block" and self._is_full()

    def _is_full(self) -> bool:
        return self._state.outbox.backlog(self.name).bytes > self.plan.max_bytes

    def enforce_caps(self) -> None:
        """Drop what is too old, and what is too much where the config says so; counted, never silent."""
        now = round(self._clock.wall() * 1e6)
        outbox = self._state.outbox
        lost = outbox.drop(self.name, older_than=now - round(self.plan.max_age * 1e6))
        if self.plan.when_full == "drop_oldest" and self._is_full():
            lost += outbox.drop(self.name, most_bytes=self.plan.max_bytes)
        if lost:
            self._state.count("outbox_dropped_total", lost, sink=self.name)
            self.log.error("%d points for %s were dropped: its outbox is too old or too big", lost, self.name)
            self.remember()

    # -- after the commit -------------------------------------------------------------------------------

    def hand_over(self) -> None:
        """Give the sender what the last commit froze."""
        if self._frozen and self._frozen[-1] > self._last_handed:
            for request in self._state.outbox.requests(self.name, _IN_FLIGHT, after=self._last_handed):
                self.handed.append(request)
                self._last_handed = request.id
            self.wake.set()

    @property
    def busy(self) -> bool:
        """Whether a request waits for its acknowledgement."""
        return bool(self._frozen)

    # -- on the sender's thread ---------------------------------------------------------------------------

    def send_one(self) -> Outcome | None:
        """Try the oldest request; None if there is none or it is not yet time to try again."""
        if not self.handed or self._clock.monotonic() < self.not_before:
            return None
        request = self.handed[0]
        try:
            if not self._open:
                self.sink.open()
                self._open = True
            self.sink.send(request.payload)
        except Retryable as error:
            self._postpone(error)
            return Outcome(request, "failed", str(error))
        except Permanent as error:
            self.handed.popleft()
            return Outcome(request, "refused", str(error))
        self.handed.popleft()
        if self.trouble:
            self.log.warning("%s works again after %d failed attempts", self.name, self.failures)
        self.failures, self.trouble, self.not_before = 0, "", 0.0
        self.sent_points += request.count
        return Outcome(request, "stored")

    def _postpone(self, error: Retryable) -> None:
        if not self.trouble:
            self.log.warning("%s did not take %d points and is tried again: %s", self.name, self.handed[0].count, error)
            self._failing_since = self._clock.monotonic()
        self.failures += 1
        self.trouble = str(error)
        delay = min(_FIRST_DELAY * 2 ** min(self.failures - 1, 10), _LONGEST_DELAY)
        delay = max(delay * random.uniform(0.5, 1.0), error.after or 0.0)  # noqa: S311 - spreads retries, no secret
        self.not_before = self._clock.monotonic() + delay

    def patience(self) -> float:
        """Seconds until there may be something to send again without being woken."""
        return max(0.05, self.not_before - self._clock.monotonic()) if self.trouble else 3600.0

    def trouble_since(self) -> float:
        """Seconds for which every attempt has failed."""
        return self._clock.monotonic() - self._failing_since if self.trouble else 0.0


def _window(point: Point) -> tuple[str, int]:
    return (point.metric, point.start_us)
