"""`python -m engines.doomed CONFIG AFTER NAME`: the service of a configuration, in a process that kills itself.

It goes on until a point (of that name; of any if it is empty) is passed for the AFTER-th time, and there it gets a
real SIGKILL: no `finally`, no flush, no closing of anything.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Awaitable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from engines.lives import Watched
from pegel.config import load
from pegel.pipeline import Runner
from pegel.pipeline.service import Service
from pegel.plan import SourcePlan
from pegel.seams import Clock
from pegel.sources.bucket import Page, Store
from pegel.sources.s3 import S3
from simulation.crashes import CrashPoints, Database

POINTS = (
    *("before list", "list done and not known", "before read", "read done and not known"),
    *("before delete", "delete done and not known"),
    *("before commit", "after commit", "in commit after streams", "in commit after panes_1", "in commit after touched"),
    *("in commit after outbox", "in commit after requests", "in commit after sampled", "in commit after claimed"),
    *("before send", "stored but not acknowledged"),
)

T = TypeVar("T")


class Fatal(CrashPoints):
    """Points at one of which this process ends."""

    def __init__(self) -> None:
        super().__init__()
        self._one_at_a_time = threading.Lock()

    def reach(self, name: str) -> None:
        with self._one_at_a_time:
            if self._left and self._name in (name, ""):
                self._left -= 1
                if not self._left:
                    os.kill(os.getpid(), signal.SIGKILL)


class PointedStore:
    """A bucket with a point before and after each request."""

    def __init__(self, store: Store, points: CrashPoints) -> None:
        self._store = store
        self._points = points

    async def list(self, prefix: str, after: str, token: str) -> Page:
        return await self._between("list", self._store.list(prefix, after, token))

    async def read(self, key: str, etag: str, start: int, end: int) -> bytes:
        return await self._between("read", self._store.read(key, etag, start, end))

    async def delete(self, key: str, etag: str) -> None:
        await self._between("delete", self._store.delete(key, etag))

    async def close(self) -> None:
        await self._store.close()

    async def _between(self, name: str, work: Awaitable[T]) -> T:
        self._points.reach(f"before {name}")
        result = await work
        self._points.reach(f"{name} done and not known")
        return result


def live(config: Path, after: int, name: str) -> None:
    """Run until death."""
    points = Fatal()
    points.arm(after, name)
    plan = load(config)
    for source in plan.sources:
        _point(source, points)
    sinks = [replace(sink, sink=Watched(sink.sink, points)) for sink in plan.sinks]
    runner = Runner(replace(plan, sinks=sinks), connect=Database(points).connect)
    runner.open()
    try:
        Service(runner, threading.Event()).run()
    finally:
        runner.close()


def _point(plan: SourcePlan, points: CrashPoints) -> None:
    source = plan.source
    assert isinstance(source, S3)

    def connect(clock: Clock) -> Store:
        return PointedStore(source.client(clock, source.timeout), points)

    source.connect = connect


if __name__ == "__main__":
    live(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
