"""The process of a worker: it joins the scheduler, and comes back when that was away."""

from __future__ import annotations

import asyncio
import logging
import socket
from pathlib import Path
from typing import Any

from distributed import Worker, get_worker
from distributed.diagnostics.plugin import WorkerPlugin

from pegel.plan import ScaleSettings
from pegel.scale.errands import Answer, Errand, Lesson
from pegel.scale.joining import HAND, knock, security
from pegel.scale.workshop import Workshop

log = logging.getLogger("pegel.worker")

_FIRST_DELAY, _LONGEST_DELAY = 1.0, 30.0
"""Seconds until a scheduler that could not be reached is tried again."""

_LOOK = 0.5
"""Seconds between two looks whether all is well."""

_FAREWELL = 10.0
"""Seconds in which a worker that was told to stop ends what it is at; others do it again otherwise."""

_NAME = "pegel"


class _Bench(WorkerPlugin):
    """Gives what runs in a Dask worker its workshop."""

    name = _NAME

    def __init__(self, workshop: Workshop) -> None:
        self.workshop = workshop


def carry_out(errand: Errand) -> Answer:
    """Do an errand; called on a thread of a worker."""
    worker = get_worker()
    return _workshop(worker).carry_out(errand, worker.address)


def learn(lesson: Lesson, dask_worker: Worker) -> None:
    """Know keys from now on; called in a worker."""
    _workshop(dask_worker).learn(lesson)


def _workshop(worker: Worker) -> Workshop:
    bench = worker.plugins[_NAME]
    assert isinstance(bench, _Bench)
    return bench.workshop


async def serve(
    settings: ScaleSettings, workshop: Workshop, *, threads: int, directory: Path, stop: asyncio.Event
) -> None:
    """Work until told to stop.

    Args:
        settings: Where the scheduler is, and who we are.
        workshop: Does the work.
        threads: Errands at a time.
        directory: Where Dask may keep its own files; no content is among them.
        stop: Ends it.
    """
    delay, told = _FIRST_DELAY, ""
    while not stop.is_set():
        trouble = await knock(settings, "worker")
        if not trouble:
            delay, told = _FIRST_DELAY, ""
            await _work(settings, workshop, threads, directory, stop)
            trouble = f"the scheduler {settings.scheduler} is gone"
        if not stop.is_set():
            if trouble != told:
                log.warning("%s; tried again", trouble)
            told = trouble
            await _pause(stop, delay)
            delay = min(delay * 2, _LONGEST_DELAY)


async def _work(
    settings: ScaleSettings, workshop: Workshop, threads: int, directory: Path, stop: asyncio.Event
) -> None:
    """Be a worker of a scheduler until it is gone."""
    options: dict[str, Any] = {
        "security": security(settings),
        "nthreads": threads,
        "name": f"{socket.gethostname()}-{id(workshop):x}",
        "local_directory": str(directory),
        "memory_limit": 0,  # nothing is spilled to a disk
        "resources": {HAND: threads},
        "plugins": (_Bench(workshop),),
        "death_timeout": _LONGEST_DELAY,
    }
    if settings.ca_file is None:
        options["host"] = "127.0.0.1"
    worker = Worker(settings.scheduler, **options)
    try:
        await worker
        log.info("at %s with %d threads, as %s", settings.scheduler, threads, worker.address)
        while worker.status.name == "running" and not stop.is_set():
            await _pause(stop, _LOOK)
    except (OSError, TimeoutError) as error:
        log.debug("the worker has ended: %s", error)
    finally:
        await worker.close(timeout=_FAREWELL, reason="told to stop")


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
