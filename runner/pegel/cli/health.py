"""`/health` of a running runner: the verdict of `pegel status`, for those who ask over HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial

from pegel.cli.status_facts import gather
from pegel.errors import StateError
from pegel.listening import Answer, Asked, Endpoint
from pegel.pipeline.health import Complaint, complaints
from pegel.plan import Plan
from pegel.seams import Clock, SystemClock

PATH = "/health"

_KEPT = 5.0
"""Seconds for which a verdict stands: who asks more often costs nothing."""


def with_health(plan: Plan) -> list[Endpoint]:
    """The endpoints of a plan, with the verdict at every address, for those who may ask for what is there anyway."""
    visits = Visits()
    endpoints = [visits.noted(endpoint) for endpoint in plan.endpoints()]
    first = {endpoint.address: endpoint for endpoint in reversed(endpoints)}
    verdict = Verdict(lambda: _complaints(plan), visits=visits)
    free = [one for one in first.values() if PATH not in {e.path for e in endpoints if e.address == one.address}]
    return [*endpoints, *(replace(one, path=PATH, methods=("GET", "HEAD"), answer=verdict.answer) for one in free)]


class Visits:
    """When each path was fetched last: whether Prometheus comes is known here alone."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock: Clock = clock or SystemClock()
        self._last: dict[str, float | None] = {}

    def noted(self, endpoint: Endpoint) -> Endpoint:
        """The endpoint, with its visits written down."""
        place = f"{endpoint.address}{endpoint.path}"
        self._last[place] = None
        return replace(endpoint, answer=partial(self._answer, place, endpoint.answer))

    def last(self) -> Mapping[str, float | None]:
        """By address and path: seconds since 1970; None if nobody came since the start."""
        return dict(self._last)

    def _answer(self, place: str, answer: Callable[[Asked], Answer], asked: Asked) -> Answer:
        if asked.method == "GET":
            self._last[place] = self._clock.wall()
        return answer(asked)


class Verdict:
    """The newest verdict, and the answer that tells it: 200 if all is well, 503 with the reasons if not."""

    def __init__(
        self, look: Callable[[], Sequence[Complaint]], clock: Clock | None = None, visits: Visits | None = None
    ) -> None:
        self._look = look
        self._visits = visits or Visits()
        self._clock: Clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._answer: Answer | None = None
        self._until = float("-inf")

    def answer(self, asked: Asked) -> Answer:  # noqa: ARG002 - it is the same for everybody
        """The verdict, looked at again when it is older than some seconds."""
        with self._lock:
            if self._answer is None or self._clock.monotonic() >= self._until:
                self._answer = _told(self._look(), self._visits.last())
                self._until = self._clock.monotonic() + _KEPT
            return self._answer


def _complaints(plan: Plan) -> Sequence[Complaint]:
    try:
        return complaints(gather(plan))
    except StateError as error:
        return [Complaint("state", str(error), "see pegel state")]


def _told(wrong: Sequence[Complaint], fetched: Mapping[str, float | None]) -> Answer:
    facts = {"healthy": not wrong, "complaints": [asdict(one) for one in wrong], "fetched": fetched}
    body = json.dumps(facts, ensure_ascii=False, indent=2)
    return Answer(f"{body}\n".encode(), 503 if wrong else 200, {"content-type": "application/json"})
