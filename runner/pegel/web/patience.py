"""How long a connection may hold its place, and how many there are."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Patience:
    """Limits for whoever connects; times are in seconds.

    Attributes:
        asking: From the first byte of a request to the end of its headers; for a new connection from its beginning.
        answering: From there until the answer is handed over, the rest of the request included.
        silent: Between two requests: a scraper comes every minute.
        connections: At an address; who asks when there are more is told to try again, and beyond twice as many nobody
            is heard: each takes a file of this process.
    """

    asking: float = 10.0
    answering: float = 30.0
    silent: float = 75.0
    connections: int = 64
