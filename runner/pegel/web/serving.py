"""Answering: uvicorn carries the bytes, Starlette finds the path, the gate decides who may ask."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from functools import partial
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from pegel.listening import Endpoint
from pegel.web.gate import gate
from pegel.web.patience import Patience

_HEADERS = 16 * 1024
"""Bytes of a request's headers."""

_FAREWELL = 3
"""Seconds for answers that are under way when the server stops."""


class Serving:
    """Answers on sockets that are bound; `run` returns after `stop`."""

    def __init__(self, places: Sequence[tuple[socket.socket, Sequence[Endpoint]]], patience: Patience) -> None:
        self._servers = [(uvicorn.Server(_settings(endpoints, patience)), bound) for bound, endpoints in places]

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
    """A connection that does not get on is ended, whatever is still to be sent: it would hold its place for ever."""

    def __init__(self, patience: Patience, **uvicorns: Any) -> None:
        super().__init__(**uvicorns)
        self._patience = patience
        self._silent = False
        self._end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > 2 * self._patience.connections:
            transport.abort()
        else:
            self._within(self._patience.asking)

    def data_received(self, data: bytes) -> None:
        if self._silent:
            self._silent = False
            self._within(self._patience.asking)
        super().data_received(data)

    def handle_events(self) -> None:
        before = self.cycle
        super().handle_events()
        if self.cycle is not before:
            self._silent = False
            self._within(self._patience.answering)

    def on_response_complete(self) -> None:
        self._silent = True
        # uvicorn takes its leave first; what the other end never reads is left behind a little later
        self._within(self._patience.silent + 1.0)
        super().on_response_complete()  # may begin the next request

    def connection_lost(self, exc: Exception | None) -> None:
        if self._end is not None:
            self._end.cancel()
        super().connection_lost(exc)

    def _within(self, seconds: float) -> None:
        if self._end is not None:
            self._end.cancel()
        self._end = self.loop.call_later(seconds, self.transport.abort)


def _settings(endpoints: Sequence[Endpoint], patience: Patience) -> uvicorn.Config:
    routes = [Route(one.path, gate(one), methods=list(one.methods)) for one in endpoints]
    return uvicorn.Config(
        Starlette(routes=routes),
        http=partial(_Impatient, patience),  # type: ignore[arg-type] # it is only called
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        log_level="error",  # what strangers send is not the operator's business
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=patience.connections,
        timeout_keep_alive=patience.silent,  # type: ignore[arg-type] # seconds for a timer
        timeout_graceful_shutdown=_FAREWELL,
        h11_max_incomplete_event_size=_HEADERS,
    )
