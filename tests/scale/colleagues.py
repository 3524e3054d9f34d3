"""Workers without machines: a workshop that is asked directly, and a runner on a bucket that has some."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

from pegel.errors import SourceError
from pegel.pipeline import Runner
from pegel.plan import Plan, ScaleSettings
from pegel.scale.crew import Crew
from pegel.scale.errands import Answer, Errand, Lesson
from pegel.scale.workshop import Workshop
from pegel.sources.s3 import S3
from pipeline.objects import ObjectHouse
from sources.fake_bucket import FakeBucket

T = TypeVar("T")

SCALE = ScaleSettings(scheduler="tcp://127.0.0.1:8786")


@dataclass
class Colleagues:
    """Workers of a crew, asked directly; an errand is done when it is sent, or when a test says so.

    Attributes:
        workshops: The workers; errands go from one to the next.
        fault: Asked before each errand is done; what it returns is raised.
        slow: Errands wait until `deliver`.
        errands: All that were sent.
        lessons: All that were told.
    """

    workshops: list[Workshop]
    fault: Callable[[Errand], SourceError | None] = lambda _errand: None
    slow: bool = False
    hands: int = 2
    trouble: str = ""
    errands: list[Errand] = field(default_factory=list)
    lessons: list[Lesson] = field(default_factory=list)
    waiting: list[tuple[Coroutine[Any, Any, Any], Future[Any]]] = field(default_factory=list)
    closed: bool = False

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        future: Future[T] = Future()
        if self.slow:
            self.waiting.append((work, future))
        else:
            _finish(work, future)
        return future

    def deliver(self, number: int, error: SourceError | None = None) -> None:
        """Let one of the errands that wait be done, or fail; in any order."""
        work, future = self.waiting.pop(number)
        if error is None:
            _finish(work, future)
            return
        work.close()
        if not future.cancelled():
            future.set_exception(error)

    async def carry_out(self, errand: Errand, worker: str) -> Answer:
        self.errands.append(errand)
        error = self.fault(errand)
        if error is not None:
            raise error
        number = int(worker) if worker else len(self.errands) % len(self.workshops)
        return self.workshops[number].carry_out(errand, str(number))

    async def teach(self, lesson: Lesson, worker: str) -> None:
        self.lessons.append(lesson)
        self.workshops[int(worker)].learn(lesson)

    def dismiss(self) -> None:
        """They are not needed any more."""
        for workshop in self.workshops:
            workshop.close()

    def close(self) -> None:
        self.closed = True
        for work, future in self.waiting:
            work.close()
            future.cancel()
        self.waiting.clear()


def _finish(work: Coroutine[Any, Any, T], future: Future[T]) -> None:
    """Run what never waits for anything."""
    try:
        work.send(None)
    except StopIteration as end:
        if not future.cancelled():
            future.set_result(end.value)
    except SourceError as error:
        if not future.cancelled():
            future.set_exception(error)
    else:
        raise AssertionError("a colleague waits for something")


@dataclass
class ScaledHouse(ObjectHouse):
    """A runner whose objects are read by colleagues on the same bucket, who survive its restarts.

    Attributes:
        count: How many colleagues there are.
        together: Bytes that these fold together.
        shelf: What colleagues read; what the runner would read if nothing is said.
    """

    settings: ScaleSettings = SCALE
    count: int = 2
    together: int = 32 << 20
    shelf: FakeBucket | None = None

    @cached_property
    def colleagues(self) -> Colleagues:
        """They are hired when they are first needed, and have the configuration of that moment."""
        return Colleagues([self.hired(number) for number in range(self.count)])

    def hired(self, number: int) -> Workshop:
        """A new one, who knows no keys."""
        directory = self.directory / f"worker-{number}"
        directory.mkdir(parents=True, exist_ok=True)
        plan = self.plan()
        one = plan.sources[0].source
        assert isinstance(one, S3)
        one.connect = lambda _clock: self.shelf or self.bucket
        return Workshop(plan, self.clock, directory, self.together)

    def plan(self) -> Plan:
        return replace(super().plan(), scale=self.settings)

    def runner(self) -> Runner:
        plan = self.plan()
        hands = Crew(plan, self.colleagues, self.clock)
        runner = Runner(plan, clock=self.clock, connect=self.connect, hands=hands)
        runner.open()
        return runner
