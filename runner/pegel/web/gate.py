"""Who may ask: the checks before any answer."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from pegel.listening import Address, Asked, Endpoint

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def gate(endpoint: Endpoint) -> Callable[[Request], Response]:
    """A handler for one endpoint: strangers are refused, everybody else gets its answer."""
    hosts = _hosts(endpoint)

    def handle(request: Request) -> Response:
        if _host(request.headers.get("host", "")) not in hosts:
            # a web page elsewhere that has its own name point here must not read what is here (DNS rebinding)
            return _refusal(421, "this is not the host that you ask for; the runner's `hosts` has the names it goes by")
        if endpoint.token is not None and not _bears(request, endpoint.token.reveal()):
            return _refusal(401, "a token is needed: Authorization: Bearer ...", {"www-authenticate": "Bearer"})
        client = request.client.host if request.client else ""
        answer = endpoint.answer(Asked(request.method, dict(request.headers.items()), client))
        return Response(answer.body, answer.status, {**_SAFE, **answer.headers})

    return handle


_SAFE = {"x-content-type-options": "nosniff", "cache-control": "no-store"}


def _refusal(status: int, sentence: str, headers: dict[str, Any] | None = None) -> Response:
    return PlainTextResponse(f"{sentence}\n", status, {**_SAFE, **(headers or {})})


def _hosts(endpoint: Endpoint) -> frozenset[str]:
    address: Address = endpoint.address
    own = _LOOPBACK if address.loopback or address.host in ("0.0.0.0", "::") else ()  # noqa: S104 - told apart, not used
    return frozenset(name.lower() for name in (address.host, *own, *endpoint.hosts))


def _host(header: str) -> str:
    """The name in a `Host` header, without its port."""
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]/]+))(?::[0-9]+)?", header)
    return (match[1] or match[2]).lower() if match else ""


def _bears(request: Request, token: str) -> bool:
    scheme, _, brought = request.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(brought.strip().encode(), token.encode())
