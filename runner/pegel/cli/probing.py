"""Asking what a configuration depends on, everything at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from functools import partial
from typing import TypeVar

from pegel.config.endpoints import Endpoint
from pegel.errors import PegelError

PATIENCE = 10.0
"""Seconds that an endpoint may take."""

T = TypeVar("T")


def probe_all(endpoints: Sequence[Endpoint], patience: float = PATIENCE) -> list[tuple[Endpoint, list[str]]]:
    """Try every endpoint in parallel; returns what is wrong with each, as sentences."""
    heard = ask_all([endpoint.probe for endpoint in endpoints], patience)
    return [
        (endpoint, [trouble] if answer is None else list(answer))
        for endpoint, (answer, trouble) in zip(endpoints, heard, strict=True)
    ]


def ask_all(questions: Sequence[Callable[[], T]], patience: float = PATIENCE) -> list[tuple[T | None, str]]:
    """Ask all of them in parallel; returns the answer of each, or None and why there is none.

    One that does not come back in time is left behind: its thread ends with the process.
    """
    attempts: list[Future[T]] = [_begun(question) for question in questions]
    wait_for(attempts, timeout=patience)
    return [*map(partial(_answer, patience), attempts)]


def _begun(question: Callable[[], T]) -> Future[T]:
    """A question on a thread that nobody has to wait for (the threads of an executor are joined at the exit)."""
    future: Future[T] = Future()

    def work() -> None:
        try:
            future.set_result(question())
        except BaseException as error:  # noqa: BLE001 - it is raised again where the result is asked for
            future.set_exception(error)

    threading.Thread(target=work, name="probe", daemon=True).start()
    return future


def _answer(patience: float, future: Future[T]) -> tuple[T | None, str]:
    if not future.done():
        return None, f"did not answer within {patience:g} s; is the address right, and is a firewall in between?"
    try:
        return future.result(), ""
    except (PegelError, OSError) as error:
        return None, str(error)
