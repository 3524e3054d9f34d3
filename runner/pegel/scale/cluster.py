"""The road to the workers: a Dask client that comes back by itself, on a thread of its own."""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
import uuid
from collections.abc import Coroutine
from concurrent.futures import CancelledError, Future
from typing import Any, TypeVar

from distributed import Client
from distributed.scheduler import KilledWorker

from pegel.errors import SourceError
from pegel.plan import ScaleSettings
from pegel.scale.errands import Answer, Errand, Lesson
from pegel.scale.joining import HAND, knock, security
from pegel.scale.serving import carry_out, learn

log = logging.getLogger("pegel.scale")

_LOOK = 1.0
"""Seconds between two looks at who is there."""

_FIRST_DELAY, _LONGEST_DELAY = 1.0, 30.0
"""Seconds until a scheduler that could not be reached is tried again."""

_FAREWELL = 5.0
"""Seconds in which the connection has to end."""

_Result = TypeVar("_Result")


class Cluster:
    """Workers behind a scheduler.

    Attributes:
        hands: Threads of our workers that are there.
        trouble: Why nobody can be asked, as a sentence; empty where somebody can.
    """

    def __init__(self, settings: ScaleSettings) -> None:
        """Nothing is connected before `open`."""
        self._settings = settings
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="scale", daemon=True)
        self._stop = asyncio.Event()
        self._client: Client | None = None
        self._numbers = itertools.count()
        self.hands = 0
        self.trouble = ""  # nobody knows yet; as long as there are no hands nothing is sent

    def open(self) -> None:
        """Begin to connect; returns at once."""
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._stay_connected())
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            self._loop.close()

    def start(self, work: Coroutine[Any, Any, _Result]) -> Future[_Result]:
        """Begin to wait for something, beside the caller."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def close(self) -> None:
        """Give up what was asked for, and the connection."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(_FAREWELL)

    # -- on the thread ------------------------------------------------------------------------------------

    async def _stay_connected(self) -> None:
        delay = _FIRST_DELAY
        while not self._stop.is_set():
            trouble = await knock(self._settings, "client")
            if not trouble:
                delay = _FIRST_DELAY
                trouble = await self._connected()
            self._note(0, trouble)
            if not self._stop.is_set():
                await self._pause(delay)
                delay = min(delay * 2, _LONGEST_DELAY)
        await self._end_all()

    async def _connected(self) -> str:
        """Stay with a scheduler until it is gone; returns why it is."""
        address = self._settings.scheduler
        client = Client(
            address, asynchronous=True, security=security(self._settings), timeout=_LOOK, set_as_default=False
        )
        try:
            async with client:
                self._client = client
                while client.status == "running" and not self._stop.is_set():
                    found = await _our_threads(client)
                    self._note(found, "" if found else f"no worker is at {address}; start some (pegel worker)")
                    await self._pause(_LOOK)
        except (OSError, TimeoutError) as error:
            log.debug("the client has ended: %s", error)
        finally:
            self._client = None
        return f"the scheduler {address} is gone"

    def _note(self, hands: int, trouble: str) -> None:
        if trouble and trouble != self.trouble:
            log.warning("%s", trouble)
        elif self.trouble and not trouble:
            log.warning("workers are there, with %d threads", hands)
        self.hands, self.trouble = hands, trouble

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stop.wait(), seconds)
        except TimeoutError:
            return

    async def _end_all(self) -> None:
        """Nobody waits any more for what was asked."""
        mine = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not mine]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def carry_out(self, errand: Errand, worker: str = "") -> Answer:
        """Let a worker do an errand, the older ones first.

        Args:
            errand: What is wanted.
            worker: Who is to do it, if that one is still there.

        Raises:
            SourceError: Nobody could.
        """
        if self._client is None:
            raise SourceError(self.trouble or "no scheduler is reached yet")
        number = next(self._numbers)
        where = {"workers": [worker], "allow_other_workers": True} if worker else {}
        key = f"pegel-{uuid.uuid4().hex}"
        options = {"key": key, "pure": False, "priority": -number, "resources": {HAND: 1}, **where}
        try:
            answer: Answer = await self._client.submit(carry_out, errand, **options)
        except KilledWorker as error:
            first = errand.parcels[0].key if errand.parcels else "nothing"
            died = error.allowed_failures + 1
            raise SourceError(f"{died} workers have died while they read objects from {first} on") from error
        except CancelledError as error:
            raise SourceError("the scheduler has gone while a worker was at it") from error
        except Exception as error:  # whatever a worker raises: it is said, and tried again
            raise SourceError(f"a worker has failed with {type(error).__name__}: {error}") from error
        return answer

    async def teach(self, lesson: Lesson, worker: str) -> None:
        """Tell one worker keys: they are passed on at once, and part of no task that anybody keeps.

        Raises:
            SourceError: It is not there any more.
        """
        if self._client is None:
            raise SourceError(self.trouble)
        try:
            await self._client.run(learn, lesson, workers=[worker])
        except (OSError, ValueError, KeyError, CancelledError) as error:
            raise SourceError(f"the worker {worker} has gone") from error


async def _our_threads(client: Client) -> int:
    """How many threads our workers have."""
    scheduler: Any = client.scheduler
    identity = await scheduler.identity(n_workers=-1)
    return sum(int(one.get("resources", {}).get(HAND, 0)) for one in identity["workers"].values())
