"""Trying what a configuration depends on, everything at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import wait as wait_for

from pegel.config.endpoints import Endpoint
from pegel.errors import PegelError

PATIENCE = 10.0
"""Seconds that an endpoint may take."""


def probe_all(endpoints: Sequence[Endpoint], patience: float = PATIENCE) -> list[tuple[Endpoint, list[str]]]:
    """Try every endpoint in parallel; returns what is wrong with each, as sentences.

    One that does not come back in time is left behind: its thread ends with the process.
    """
    attempts = [(endpoint, _begun(endpoint.probe)) for endpoint in endpoints]
    wait_for([future for _, future in attempts], timeout=patience)
    return [(endpoint, _sentences(future, patience)) for endpoint, future in attempts]


def _begun(probe: Callable[[], Sequence[str]]) -> Future[Sequence[str]]:
    """A probe on a thread that nobody has to wait for (the threads of an executor are joined at the exit)."""
    future: Future[Sequence[str]] = Future()

    def work() -> None:
        try:
            future.set_result(probe())
        except BaseException as error:  # noqa: BLE001 - it is raised again where the result is asked for
            future.set_exception(error)

    threading.Thread(target=work, name="probe", daemon=True).start()
    return future


def _sentences(future: Future[Sequence[str]], patience: float) -> list[str]:
    if not future.done():
        return [f"did not answer within {patience:g} s; is the address right, and is a firewall in between?"]
    try:
        return list(future.result())
    except (PegelError, OSError) as error:
        return [str(error)]
