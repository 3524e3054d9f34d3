"""A stand-in for the write API of InfluxDB 2 on a real loopback server, with the rules that were measured on one.

It keeps fields by type, refuses what is older than a bucket keeps, stores the rest of a partial write, and does
what a test scripts instead: cut answers, redirects, web pages, silence.
"""

from __future__ import annotations

import gzip
import json
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sinks.line_protocol import Line, read

TOKEN = "write-only-token"

Series = tuple[str, tuple[tuple[str, str], ...]]
Fault = Callable[["Handler"], None]
"""Answers a request in the place of the server, or does something and lets it answer (`handler.serve()`)."""


@dataclass
class Request:
    target: str
    headers: dict[str, str]
    body: bytes
    raw: bytes


@dataclass
class FakeInflux:
    """Use it in `with`; `url` is where it listens.

    Attributes:
        tokens: Their rights: "write" or none.
        oldest: By bucket: seconds since 1970 before which nothing is kept.
        max_bytes: Bodies that are bigger get a 413.
        faults: Taken one per request, first to last; then the server behaves.
        stored: What a query would find.
        requests: All that arrived.
        connections: How many were opened.
    """

    tokens: dict[str, set[str]] = field(default_factory=lambda: {TOKEN: {"write"}})
    oldest: dict[str, float] = field(default_factory=lambda: {"telemetry": 0.0})
    max_bytes: int = 1 << 30
    faults: list[Fault] = field(default_factory=list)
    stored: dict[tuple[Series, int], dict[str, Any]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    base: str = ""
    released: threading.Event = field(default_factory=threading.Event)
    types: dict[tuple[str, str], type] = field(default_factory=dict)

    def __enter__(self) -> FakeInflux:
        fake = self

        class Bound(Handler):
            influx = fake

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Bound)
        self._server.daemon_threads = False
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        return f"http://{self.host}{self.base}"

    def answer(self, request: Request) -> tuple[int, dict[str, Any] | None]:
        """Status and JSON document, in the order in which the real server looks."""
        url = urlsplit(request.target)
        if url.path != f"{self.base}/api/v2/write":
            return 404, {"code": "not found", "message": "path not found"}
        rights = self.tokens.get(request.headers.get("authorization", "").removeprefix("Token "))
        if rights is None:
            return 401, {"code": "unauthorized", "message": "unauthorized access"}
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        if asked["org"] != "example":
            return 404, {"code": "not found", "message": f'organization name "{asked["org"]}" not found'}
        if asked["bucket"] not in self.oldest:
            return 404, {"code": "not found", "message": f'bucket "{asked["bucket"]}" not found'}
        if "write" not in rights:
            return 403, {"code": "forbidden", "message": "insufficient permissions for write"}
        if len(request.body) > self.max_bytes:
            return 413, {"code": "request too large", "message": "too large"}
        return self._write(request.body, self.oldest[asked["bucket"]])

    def _write(self, body: bytes, oldest: float) -> tuple[int, dict[str, Any] | None]:
        lines, faulty = [], []
        for text in body.decode().split("\n"):
            if text and not text.startswith("#"):
                try:
                    lines += read(text)
                except (AssertionError, IndexError, ValueError):
                    faulty.append(text)
        if faulty:
            message = "\n".join(f"unable to parse '{text}': missing fields" for text in faulty)
            return 400, {"code": "invalid", "message": message}
        conflicts = [line for line in lines if self._conflict(line)]
        late = [line for line in lines if line not in conflicts and line.time < oldest]
        for line in lines:
            if line not in conflicts and line not in late:
                self._store(line)
        return _partial(conflicts, late) if conflicts or late else (204, None)

    def _conflict(self, line: Line) -> bool:
        """Whether a field has another type already; a new one gets the type of its first value."""
        return any(
            self.types.setdefault((line.measurement, name), type(value)) is not type(value)
            for name, value in line.fields.items()
        )

    def _store(self, line: Line) -> None:
        key = ((line.measurement, tuple(sorted(line.tags.items()))), line.time)
        self.stored.setdefault(key, {}).update(line.fields)


def _partial(conflicts: list[Line], late: list[Line]) -> tuple[int, dict[str, Any]]:
    """The real one counts only what it speaks of: conflicts hide points that are too old."""
    if conflicts:
        said = (
            f'field type conflict: input field "{next(iter(conflicts[0].fields))}" on measurement'
            f' "{conflicts[0].measurement}" is type float, already exists as type integer dropped={len(conflicts)}'
        )
    else:
        said = (
            f"dropped {len(late)} points outside retention policy of duration 1h0m0s - oldest point m at"
            f" 1970-01-01T00:16:40Z dropped because it violates a Retention Policy Lower Bound dropped={len(late)}"
        )
    message = f"failure writing points to database: partial write: {said}"
    return 422, {"code": "unprocessable entity", "message": message}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    influx: FakeInflux
    request_now: Request

    def setup(self) -> None:
        super().setup()
        self.influx.connections += 1

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError:
            self.close_connection = True

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = gzip.decompress(raw) if headers.get("content-encoding") == "gzip" else raw
        self.request_now = Request(self.path, headers, body, raw)
        self.influx.requests.append(self.request_now)
        if self.influx.faults:
            self.influx.faults.pop(0)(self)
        else:
            self.serve()

    def serve(self) -> None:
        """Do what the real server does."""
        self.reply(*self.influx.answer(self.request_now))

    def reply(self, status: int, document: dict[str, Any] | None, **headers: str) -> None:
        body = b"" if document is None else json.dumps(document).encode()
        self.send(status, body, content_type="application/json; charset=utf-8", **headers)

    def send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-").title(), value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def hang_up(self) -> None:
        """Close the connection with a reset."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def date_time_string(self, timestamp: float | None = None) -> str:  # noqa: ARG002
        return "Tue, 03 Mar 2026 12:00:00 GMT"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


def status(code: int, document: dict[str, Any] | None = None, **headers: str) -> Fault:
    """Answer with a status of one's own."""
    return lambda handler: handler.reply(code, document, **headers)


def page(code: int = 200) -> Fault:
    """A web page, as from a portal or a proxy."""
    return lambda handler: handler.send(code, b"<html>Welcome</html>", content_type="text/html")


def raw(data: bytes) -> Fault:
    """These bytes, and the end of the connection."""

    def fault(handler: Handler) -> None:
        handler.wfile.write(data)
        handler.close_connection = True

    return fault


def silence(handler: Handler) -> None:
    """Nothing, until the test is over."""
    handler.influx.released.wait(30)
    handler.close_connection = True


def drip(handler: Handler) -> None:
    """An answer that begins and never ends, byte by byte."""
    handler.wfile.write(b"HTTP/1.1 204 No Content\r\nX-Slow: ")
    while not handler.influx.released.wait(0.02):
        handler.wfile.write(b"a")
    handler.close_connection = True


def reset(handler: Handler) -> None:
    """Nothing stored, and the connection breaks."""
    handler.hang_up()


def stored_but_reset(handler: Handler) -> None:
    """Stored, and the answer is lost."""
    handler.influx.answer(handler.request_now)
    handler.hang_up()


def and_close(handler: Handler) -> None:
    """Serve, and close the connection without a word."""
    handler.serve()
    handler.close_connection = True
