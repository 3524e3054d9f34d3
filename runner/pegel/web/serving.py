"""Answering: uvicorn carries the bytes, Starlette finds the path, the gate decides who may ask."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from pegel.listening import Endpoint
from pegel.web.gate import gate

_CONNECTIONS = 64
"""Connections at an address; who comes when there are more is told to try again."""

_PATIENCE = 10.0
"""Seconds in which a connection has to have asked for something."""

_KEEP = 75
"""Seconds for which a connection may be silent between two requests: a scraper comes every minute."""

_HEADERS = 16 * 1024
"""Bytes of a request's headers."""

_FAREWELL = 3
"""Seconds for answers that are under way when the server stops."""


class Serving:
    """Answers on sockets that are bound; `run` returns after `stop`."""

    def __init__(self, places: Sequence[tuple[socket.socket, Sequence[Endpoint]]]) -> None:
        self._servers = [(uvicorn.Server(_settings(endpoints)), bound) for bound, endpoints in places]

    def run(self) -> None:
        """Answer until told to stop."""
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        await asyncio.gather(*(server.serve([bound]) for server, bound in self._servers))

    def stop(self) -> None:
        """Take no new connections; any thread may say so."""
        for server, _ in self._servers:
            server.should_exit = True


class _Impatient(H11Protocol):
    """A connection that asks for nothing is closed: it would hold a place for ever."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.loop.call_later(_PATIENCE, self._close_if_silent)

    def _close_if_silent(self) -> None:
        if self.cycle is None:
            self.transport.close()


def _settings(endpoints: Sequence[Endpoint]) -> uvicorn.Config:
    routes = [Route(one.path, gate(one), methods=list(one.methods)) for one in endpoints]
    return uvicorn.Config(
        Starlette(routes=routes),
        http=_Impatient,
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_CONNECTIONS,
        timeout_keep_alive=_KEEP,
        timeout_graceful_shutdown=_FAREWELL,
        h11_max_incomplete_event_size=_HEADERS,
    )
