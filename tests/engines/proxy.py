"""An HTTP proxy in this process, over real sockets, that does to each request what a test has scripted.

    with Proxy(server.address) as proxy:
        proxy.script(lost_reply, answering(503))    # the next two requests
        proxy.otherwise = passing                   # all that follow

What waits, waits for a test to say so, never for a time.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType


@dataclass(frozen=True)
class Request:
    """A request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """An answer, as it goes to the client."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def text(self) -> bytes:
        """All of its bytes."""
        lines = [f"HTTP/1.1 {self.status} {'No Content' if self.status == 204 else 'Answer'}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if self.status != 204:
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join([*lines, "", ""]).encode() + self.body


class Exchange:
    """A request that waits for what is to be done with it."""

    def __init__(self, proxy: Proxy, client: socket.socket, request: Request) -> None:
        self.proxy = proxy
        self.request = request
        self.over = False
        self._client = client

    def forward(self) -> Reply:
        """Let the server have it; returns what the server says."""
        return self.proxy.forward(self.request)

    def answer(self, text: bytes) -> None:
        """Send bytes to the client, which may be gone."""
        with suppress(OSError):
            self._client.sendall(text)

    def hang_up(self) -> None:
        """End the connection as usual."""
        self.over = True

    def reset(self) -> None:
        """End the connection with a reset."""
        self.over = True
        self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


Fault = Callable[[Exchange], None]


def passing(exchange: Exchange) -> None:
    """No fault."""
    exchange.answer(exchange.forward().text())


def lost_reply(exchange: Exchange) -> None:
    """The server stores it, the client sees its connection reset."""
    exchange.forward()
    exchange.reset()


def reset(exchange: Exchange) -> None:
    """The connection is reset, the server never hears of the request."""
    exchange.reset()


def held(exchange: Exchange) -> None:
    """The client sees a reset; the server gets the request when the test calls `Proxy.release`."""
    exchange.proxy.held.append(exchange.request)
    exchange.reset()


def cut_reply(exchange: Exchange) -> None:
    """The server stores it, the client gets half of the first line of the answer."""
    exchange.answer(exchange.forward().text()[: len("HTTP/1.1 2")])
    exchange.hang_up()


def late_reply(exchange: Exchange) -> None:
    """The server stores it; the answer waits for the test to call `Proxy.release`, when the client may be gone."""
    reply = exchange.forward()
    exchange.proxy.released.wait()
    exchange.answer(reply.text())


def answering(status: int, body: bytes = b"", **headers: str) -> Fault:
    """An answer that does not come from the server, which hears nothing; `_` in a header's name is a hyphen."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    def answer(exchange: Exchange) -> None:
        exchange.answer(Reply(status, body, named).text())

    return answer


DISK_FULL_BODY = (
    b'{"code":"internal error","message":"unexpected error writing points to database: '
    b'engine: write /var/lib/influxdb2/engine/wal/0/_00001.wal: no space left on device"}'
)

disk_full = answering(500, DISK_FULL_BODY, Content_Type="application/json; charset=utf-8")
unavailable = answering(503, b"", Retry_After="7")
web_page = answering(200, b"<!doctype html><title>Welcome</title>", Content_Type="text/html")
unauthorized = answering(401, b'{"code":"unauthorized","message":"unauthorized access"}')


class Proxy:
    """Listens on a port of the loopback until the block ends.

    Attributes:
        otherwise: What happens to requests that no script is left for.
        seen: Every request, in order.
        held: Requests that the server has yet to get.
        released: Set by `release`: late replies may go.
    """

    def __init__(self, upstream: tuple[str, int]) -> None:
        self.otherwise: Fault = passing
        self.seen: list[Request] = []
        self.held: list[Request] = []
        self.released = threading.Event()
        self._upstream = upstream
        self._script: deque[Fault] = deque()
        self._clients: set[socket.socket] = set()
        self._server: ThreadingHTTPServer | None = None
        self._port = 0

    def __enter__(self) -> Proxy:
        self.up()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.released.set()
        self.down()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def lead_to(self, upstream: tuple[str, int]) -> None:
        """Send what comes to another server from now on."""
        self._upstream = upstream

    def script(self, *faults: Fault) -> None:
        """Say what happens to the next requests, one by one."""
        self._script.extend(faults)

    def up(self) -> None:
        """Listen; after `down` on the same port."""
        self._server = _Listener(self, self._port)
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def down(self) -> None:
        """Refuse connections and end those that are open."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
        for client in list(self._clients):
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    def release(self, most: int | None = None) -> None:
        """Let the server have what was held, oldest first, and late replies go."""
        self.released.set()
        released = self.held[:most]
        del self.held[: len(released)]
        for request in released:
            self.forward(request)

    def forward(self, request: Request) -> Reply:
        """Send a request to the server."""
        connection = HTTPConnection(*self._upstream, timeout=60)
        try:
            connection.request(request.method, request.path, request.body, dict(request.headers))
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        left_out = ("content-length", "transfer-encoding", "connection")
        headers = {name: value for name, value in answer.getheaders() if name.lower() not in left_out}
        return Reply(answer.status, body, headers)

    def deal_with(self, exchange: Exchange) -> None:
        """Do to a request what the script says."""
        self.seen.append(exchange.request)
        fault = self._script.popleft() if self._script else self.otherwise
        fault(exchange)

    def joined(self, client: socket.socket) -> None:
        """A connection began."""
        self._clients.add(client)

    def left(self, client: socket.socket) -> None:
        """A connection ended."""
        self._clients.discard(client)


class _Listener(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, proxy: Proxy, port: int) -> None:
        self.proxy = proxy
        super().__init__(("127.0.0.1", port), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that is gone is what the tests are about."""

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        """Close without the handshake, so that a reset is one."""
        self.close_request(request)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listener

    def setup(self) -> None:
        super().setup()
        self.server.proxy.joined(self.connection)

    def finish(self) -> None:
        self.server.proxy.left(self.connection)
        super().finish()

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        exchange = Exchange(self.server.proxy, self.connection, Request(self.command, self.path, self.headers, body))  # type: ignore[arg-type]
        self.server.proxy.deal_with(exchange)
        self.close_connection = self.close_connection or exchange.over

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _serve  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the standard library
        """Say nothing."""
