"""Requests that are under way while a source does other things: an event loop that runs inside `poll`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

_Result = TypeVar("_Result")


class _Loop(asyncio.SelectorEventLoop):
    """An event loop whose time stands still while nobody runs it.

    A reader that waits for a worker runs no loop; what arrives meanwhile would otherwise be found together with
    a timeout that is over, and the timeout would win.
    """

    def __init__(self) -> None:
        self._stood = 0.0
        self._stopped_at = time.monotonic()
        super().__init__()

    def time(self) -> float:
        return time.monotonic() - self._stood

    def run_forever(self) -> None:
        self._stood += time.monotonic() - self._stopped_at
        try:
            super().run_forever()
        finally:
            self._stopped_at = time.monotonic()


class Pump:
    """Runs tasks for moments at a time, on the thread that calls."""

    def __init__(self) -> None:
        self._loop = _Loop()
        self._pausing = True

    def start(self, work: Coroutine[Any, Any, _Result]) -> asyncio.Task[_Result]:
        """Begin a task; it goes on in `run`."""
        task = self._loop.create_task(work)
        task.add_done_callback(self._pause)
        return task

    def _pause(self, task: asyncio.Task[Any]) -> None:
        if not task.cancelled():
            task.exception()  # looked at: whoever wants to know asks the task, and one that nobody needs is no news
        if self._pausing:
            self._loop.stop()

    def run(self, seconds: float) -> None:
        """Let the tasks go on until one ends, for so long at most; 0 for what can be done without waiting."""
        timer = self._loop.call_later(seconds, self._halt) if seconds > 0 else self._loop.call_soon(self._stop)
        self._loop.run_forever()
        timer.cancel()

    def _stop(self) -> None:
        """One more round for what the first one has made ready."""
        self._loop.call_soon(self._halt)

    def _halt(self) -> None:
        """A round that was interrupted by a signal must not end the farewell."""
        if self._pausing:
            self._loop.stop()

    def finish(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """Run one task to its end, and the others meanwhile."""
        self._pausing = False
        try:
            return self._loop.run_until_complete(work)
        finally:
            self._pausing = True

    def close(self, farewell: Coroutine[Any, Any, None] | None = None) -> None:
        """End every task and give the loop back."""
        self._pausing = False
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        if tasks:
            self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        if farewell is not None:
            self._loop.run_until_complete(farewell)
        self._pausing = True
        self.run(0.0)  # closed connections give their sockets back in the rounds that follow
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()
