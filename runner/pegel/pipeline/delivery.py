"""One sink's road: points wait, are frozen into requests, are sent until they are acknowledged.

Everything that touches the state runs on the turn's thread, inside its transaction; `send` runs on the sink's
own thread and talks to the turn only through outcomes.
"""

from __future__ import annotations

import logging
import math
import random
import threading
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pegel.errors import Fault, Permanent, Retryable, StateError
from pegel.pipeline import waiting
from pegel.pipeline.fences import Fences
from pegel.pipeline.letters import DeadLetters
from pegel.pipeline.refusals import Refusals
from pegel.plan import SinkPlan, takes, wants_own
from pegel.seams import Clock
from pegel.sinks import Point
from pegel.sinks.points import unpack
from pegel.state import State
from pegel.state.outbox import Request

MOST_POINTS = 5_000
"""Points in a request, about."""

_FIRST_DELAY, _LONGEST_DELAY = 0.5, 60.0
"""Seconds between attempts: doubled each time, then shaken by up to a half."""

_LOOK_INTERVAL = 1.0
"""Seconds between two looks for points that somebody else let wait: `pegel sinks retry`."""

_MENDING_INTERVAL = 2.0
"""Seconds between two looks whether the cause of a failure was mended."""


@dataclass(frozen=True)
class Outcome:
    """What came of sending a request.

    Attributes:
        kind: `stored`, `refused` for good (some of it or all), or `failed`.
        reason: Why not.
        refused: Reasons by the index of the point; empty for all of them.
        faults: The classes of the reasons, by the same index.
        unsure: It failed, and may be stored nevertheless, at once or later.
    """

    request: Request
    kind: str
    reason: str = ""
    refused: Mapping[int, str] = field(default_factory=dict)
    faults: Mapping[int, Fault] = field(default_factory=dict)
    unsure: bool = False


@dataclass(frozen=True)
class Own:
    """Points about the runner itself, and the same with totals for sinks of samples."""

    points: Sequence[Point] = ()
    totals: Sequence[Point] = ()


class Delivery:
    """The outbox of one sink, and the sending of what is in it."""

    in_flight = 4
    """Requests that are frozen at a time; what comes later waits, and newer values replace older ones."""

    def __init__(self, plan: SinkPlan, state: State, clock: Clock, name: str = "") -> None:
        """`name` is that of its outbox where the sink has several."""
        self.plan = plan
        self.sink = plan.sink
        self.name = name or plan.name
        self.log = logging.getLogger(f"pegel.sinks.{self.name}")
        self._state = state
        self._clock = clock
        self._frozen: list[int] = []
        self._inherited: list[int] = []
        self._fences = Fences(self.name, plan.sink.late, state, clock)
        self._letters = DeadLetters(self.name, state.letters)
        self._refusals = Refusals(self.name, clock, self.log)
        self._looked = float("-inf")
        self._last_handed = 0
        self._last_early = float("-inf")
        self.remember()
        self._open = False
        self.handed: deque[Request] = deque()
        self.wake = threading.Event()
        self.failures = 0
        self.trouble = ""
        self.not_before = 0.0
        self._failing_since = 0.0
        self.sent_points = 0
        self._doubtful = 0

    def remember(self) -> None:
        """Know what the state says: at the start, and after a commit that was undone."""
        requests = self._state.outbox.requests(self.name, self.in_flight)
        self._frozen = [request.id for request in requests]
        self._inherited = [request.id for request in requests if request.ambiguous]
        self._fences.remember()
        self._letters.remember()
        self._refusals.forget()

    def due(self) -> bool:
        """Whether a turn has something to do here without any news: a fence, a retry, a request not handed over."""
        if self._fences.due() or self._unhanded():
            return True
        now = self._clock.monotonic()
        if len(self._frozen) >= self.in_flight or now - self._looked < _LOOK_INTERVAL:
            return False
        self._looked = now
        with self._state.reading():
            return self._state.outbox.waits(self.name)

    def early_due(self) -> bool:
        """Whether it is time for values of open windows."""
        if not self.sink.overwrites or len(self._frozen) >= self.in_flight or math.isinf(self.plan.early_interval):
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

    def put_closed(self, points: Sequence[Point], totals: Sequence[Point]) -> None:  # noqa: ARG002 - see SampledDelivery
        """Let the points of windows wait that closed or were corrected; `totals` are for sinks of samples."""
        self.put(points)

    def put_own(self, own: Own) -> None:
        """Let points about the runner itself wait, if this sink asks for them."""
        if wants_own(self.plan):
            self._put(own.points)

    def _put(self, points: Iterable[Point]) -> None:
        waiting.put(self._state.outbox, self.name, points, self._time())

    def freeze(self) -> None:
        """Turn what waits into requests, as many as may be in flight."""
        waiting.put(self._state.outbox, self.name, self._fences.lift(), self._time(), older=True)
        while len(self._frozen) < self.in_flight:
            windows = self._state.outbox.oldest_waiting(self.name, MOST_POINTS)
            if not windows:
                return
            points = [point for window in windows for point in unpack(window.points)]
            self._frozen.append(self._state.outbox.freeze(self.name, windows, self.sink.encode(points), self._time()))
            self._fences.note(windows)

    def settle(self, outcomes: Sequence[Outcome]) -> None:
        """Write down what came of requests, in the order in which it happened."""
        for inherited in self._inherited:
            self._fences.raise_for(inherited)  # the runner that died may have sent it a moment ago
        self._inherited = []
        for outcome in outcomes:
            request = outcome.request.id
            if outcome.kind == "failed":
                self._state.outbox.failed(request)
                if outcome.unsure:
                    self._fences.raise_for(request)
                continue
            self._settle_letters(outcome)
            self._state.outbox.acknowledge(request)
            self._frozen = [one for one in self._frozen if one != request]
        self._refusals.tell(more=self.busy or self._state.outbox.waits(self.name))

    def _settle_letters(self, outcome: Outcome) -> None:
        """Set aside what was refused; what is stored overtakes letters of the same rows."""
        if outcome.kind == "stored" and self._letters.none:
            return
        refused = outcome.refused
        if outcome.kind == "refused" and not refused:
            refused = dict.fromkeys(range(outcome.request.count), outcome.reason)
        self._letters.settle(self._state.outbox.claimed(outcome.request.id), refused, self._time())
        for fault, count in self._refusals.note(refused, outcome.faults).items():
            self._state.count("dead_letters_total", count, sink=self.name, reason=fault)

    def _time(self) -> int:
        return round(self._clock.wall() * 1e6)

    def must_hold(self) -> bool:
        """Whether reading has to wait until this sink has taken some of what waits for it."""
        return self.plan.when_full == "block" and self._is_full()

    def _is_full(self) -> bool:
        return self._state.outbox.backlog(self.name).bytes > self.plan.max_bytes

    def enforce_caps(self) -> None:
        """Drop what is too old, and what is too much where the config says so; counted, never silent."""
        lost = self.drop()
        if lost:
            self._state.count("outbox_dropped_total", lost, sink=self.name)
            self.log.error("%d points for %s were dropped: its outbox is too old or too big", lost, self.name)
        excess = 0 if self._letters.none else self._state.letters.size(self.name) - self.plan.max_bytes
        if excess > 0:
            lost = self._state.letters.drop(self.name, excess)
            self._state.count("dead_letters_dropped_total", lost, sink=self.name)
            self.log.error("the %d oldest dead letters of %s were dropped: they took too much space", lost, self.name)

    def drop(self) -> int:
        """Give up what is too old or too much; returns how many points are lost with it."""
        outbox = self._state.outbox
        lost = outbox.drop(self.name, older_than=self._time() - round(self.plan.max_age * 1e6))
        if self.plan.when_full == "drop_oldest" and self._is_full():
            lost += outbox.drop(self.name, most_bytes=self.plan.max_bytes)
        return lost

    # -- after the commit -------------------------------------------------------------------------------

    def hand_over(self) -> None:
        """Give the sender what the last commit froze.

        Where the state cannot be read that is left to the next turn, which says so: it begins by reading, too.
        """
        if not self._unhanded():
            return
        try:
            with self._state.reading():
                requests = self._state.outbox.requests(self.name, self.in_flight, after=self._last_handed)
        except StateError as error:
            if error.fatal:
                raise
            return
        for request in requests:
            self.handed.append(request)
            self._last_handed = request.id
        self.wake.set()

    def _unhanded(self) -> bool:
        return bool(self._frozen) and self._frozen[-1] > self._last_handed

    @property
    def busy(self) -> bool:
        """Whether a request waits for its acknowledgement."""
        return bool(self._frozen)

    # -- on the sender's thread ---------------------------------------------------------------------------

    def send_one(self) -> Outcome | None:
        """Try the oldest request; None if there is none or it is not yet time to try again."""
        if not self.handed or (self._clock.monotonic() < self.not_before and not self._mended()):
            return None
        request = self.handed[0]
        try:
            if not self._open:
                self.sink.open()
                self._open = True
            again = request.ambiguous or request.id == self._doubtful
            (self.sink.send_again if again else self.sink.send)(request.payload)
        except Retryable as error:
            self._postpone(error)
            self._doubtful = request.id if error.unsure else self._doubtful
            return Outcome(request, "failed", str(error), unsure=error.unsure)
        except Permanent as error:
            self._succeeded(request.count - (len(error.rows) or request.count))
            return Outcome(request, "refused", str(error), error.rows, error.faults)
        self._succeeded(request.count)
        return Outcome(request, "stored")

    def _succeeded(self, count: int) -> None:
        self.handed.popleft()
        if self.trouble:
            self.log.warning("%s works again after %d failed attempts", self.name, self.failures)
        self.failures, self.trouble, self.not_before = 0, "", 0.0
        self.sent_points += count

    def _mended(self) -> bool:
        return bool(self.trouble) and self.sink.mended()

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
        if not self.trouble:
            return 3600.0
        return min(max(0.05, self.not_before - self._clock.monotonic()), _MENDING_INTERVAL)

    def trouble_since(self) -> float:
        """Seconds for which every attempt has failed."""
        return self._clock.monotonic() - self._failing_since if self.trouble else 0.0
