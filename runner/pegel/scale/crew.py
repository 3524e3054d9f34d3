"""Who reads for the sources of a runner: errands are made, workers are told what they lack, answers become shares."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Literal, Protocol, TypeVar

from pegel.errors import SourceError
from pegel.pipeline.stage import Keys, SourceStage
from pegel.plan import Plan
from pegel.scale.errands import Answer, Declined, Done, Errand, Lesson, Untaught
from pegel.scale.likeness import likeness
from pegel.seams import Clock
from pegel.sources import Parcel, Share

_ROUNDS = 8
"""How often an errand is begun anew because a key is missing: workers come and go, keys of new days come up."""

_SULK = 30.0
"""Seconds for which nothing is sent after a worker has declined."""

_Result = TypeVar("_Result")


class Workers(Protocol):
    """The road to the workers (`pegel.scale.cluster.Cluster` fits)."""

    hands: int
    trouble: str

    def start(self, work: Coroutine[Any, Any, _Result]) -> Future[_Result]:
        """Begin to wait for something, beside the caller."""

    async def carry_out(self, errand: Errand, worker: str) -> Answer:
        """Let somebody do an errand; the one that is named, if it is still there."""

    async def teach(self, lesson: Lesson, worker: str) -> None:
        """Tell one of them keys."""

    def close(self) -> None:
        """Nothing is wanted any more."""


class Crew:
    """The workers of a runner; fits `pegel.pipeline.runner.Hands`."""

    def __init__(self, plan: Plan, workers: Workers, clock: Clock) -> None:
        self._plan = plan
        self._workers = workers
        self._clock = clock

    def engage(self, stage: SourceStage, keys: Keys, settled: Callable[[], bool]) -> Engaged:
        """Who reads the parcels of a source."""
        return Engaged(self._plan, self._workers, self._clock, stage, keys, settled)

    def close(self) -> None:
        """Nothing is wanted any more."""
        self._workers.close()


class Engaged:
    """The workers, as one source sees them; fits `pegel.sources.Afar`."""

    def __init__(
        self,
        plan: Plan,
        workers: Workers,
        clock: Clock,
        stage: SourceStage,
        keys: Keys,
        settled: Callable[[], bool],
    ) -> None:
        assert plan.scale is not None
        self._settings = plan.scale
        self._workers = workers
        self._clock = clock
        self._stage = stage
        self._keys = keys
        self._settled = settled
        self._likeness = likeness(stage.plan, stage.metrics.values(), plan)
        self._ring = uuid.uuid4().hex
        self._declined = ""
        self._declined_until = float("-inf")

    @property
    def mode(self) -> Literal["away", "here", "wait"]:
        """Definitions that have ended are known here alone, so until they are finished all is read here."""
        if not self._settled():
            return "here"
        if not self.trouble:
            return "away"
        return "here" if self._settings.without_workers == "read_here" else "wait"

    @property
    def trouble(self) -> str:
        """Why nobody reads for this source, as a sentence; empty where somebody does."""
        if self._clock.monotonic() < self._declined_until:
            return self._declined
        return self._workers.trouble

    @property
    def hands(self) -> int:
        """How many shares can be worked on at a time."""
        return self._workers.hands

    @property
    def most_bytes(self) -> int:
        """Bytes of parcels that may be away."""
        return self._settings.max_in_flight

    def send(self, parcels: Sequence[Parcel]) -> Future[Share]:
        """Let somebody read parcels; the future raises a SourceError where nobody could."""
        now = round(self._clock.wall() * 1e6)
        return self._workers.start(
            self._bring(Errand(self._stage.plan.name, self._likeness, self._ring, now, tuple(parcels)))
        )

    async def _bring(self, errand: Errand) -> Share:
        worker = ""
        for _ in range(_ROUNDS):
            answer = await self._workers.carry_out(errand, worker)
            if isinstance(answer, Done):
                return answer.share
            if isinstance(answer, Declined):
                self._declined = f"a worker has declined: {answer.reason}"
                self._declined_until = self._clock.monotonic() + _SULK
                raise SourceError(self._declined)
            worker = answer.worker
            await self._workers.teach(self._lesson(answer), worker)
        raise SourceError("workers forget the keys that they are told; are there enough of them, and do they stay?")

    def _lesson(self, lacks: Untaught) -> Lesson:
        """The keys that a worker lacks, made where they are new as when they are first used here."""
        numbers: Mapping[str, int] = {one.metric.name: number for number, one in self._stage.metrics.items()}
        keys = {(name, epoch): self._keys.get(numbers[name], epoch) for name, epoch in lacks.places if name in numbers}
        return Lesson(self._ring, keys)
