"""The proxy does to a request what the script says, and nothing else; clients are as simple as they can be."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from engines.proxy import (
    Fault,
    Proxy,
    answering,
    cut_reply,
    disk_full,
    held,
    late_reply,
    lost_reply,
    reset,
    unavailable,
)


class Store(HTTPServer):
    """Keeps the bodies that it gets."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        super().__init__(("127.0.0.1", 0), _Storing)


class _Storing(BaseHTTPRequestHandler):
    server: Store

    def do_POST(self) -> None:
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"stored")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the standard library
        """Say nothing."""


@pytest.fixture
def store() -> Iterator[Store]:
    with Store() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def between(store: Store) -> Iterator[Proxy]:
    with Proxy(("127.0.0.1", store.server_address[1])) as proxy:
        yield proxy


def send(proxy: Proxy, body: bytes = b"x", timeout: float = 10.0) -> tuple[int, bytes] | str:
    """The answer, or the name of what went wrong."""
    connection = HTTPConnection(proxy.url.removeprefix("http://"), timeout=timeout)
    try:
        return ask(connection, body)
    except (OSError, HTTPException) as error:
        return type(error).__name__
    finally:
        connection.close()


def ask(connection: HTTPConnection, body: bytes) -> tuple[int, bytes]:
    connection.request("POST", "/", body)
    answer = connection.getresponse()
    return answer.status, answer.read()


STORED = (200, b"stored")


@pytest.mark.parametrize(
    ("fault", "seen_by_client", "stored"),
    [
        (reset, "ConnectionResetError", []),
        (lost_reply, "ConnectionResetError", [b"x"]),
        (cut_reply, "BadStatusLine", [b"x"]),
        (answering(401), (401, b""), []),
    ],
)
def test_a_fault_is_what_it_says(
    store: Store, between: Proxy, fault: Fault, seen_by_client: object, stored: list[bytes]
) -> None:
    between.script(fault)
    assert send(between) == seen_by_client
    assert store.bodies == stored
    assert send(between) == STORED


def test_a_held_request_arrives_after_a_newer_one(store: Store, between: Proxy) -> None:
    """The late zombie: what was given up is applied behind its successor."""
    between.script(held)
    send(between, b"old")
    send(between, b"new")
    between.release()
    assert store.bodies == [b"new", b"old"]


def test_a_late_reply_finds_the_client_gone(store: Store, between: Proxy) -> None:
    between.script(late_reply)
    assert send(between, timeout=0.1) == "TimeoutError"
    between.release()
    assert store.bodies == [b"x"]


def test_refused_connections_come_to_an_end(between: Proxy) -> None:
    between.down()
    assert send(between) == "ConnectionRefusedError"
    between.up()
    assert send(between) == STORED


def test_a_connection_that_is_kept_open_ends_with_the_server(between: Proxy) -> None:
    connection = HTTPConnection(between.url.removeprefix("http://"), timeout=10)
    ask(connection, b"1")
    between.down()
    with pytest.raises((OSError, HTTPException)):
        ask(connection, b"2")
    connection.close()


def test_answers_carry_their_headers(between: Proxy) -> None:
    between.script(unavailable, disk_full)
    connection = HTTPConnection(between.url.removeprefix("http://"), timeout=10)
    connection.request("POST", "/", b"")
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("Retry-After"), answer.read()) == (503, "7", b"")
    connection.request("POST", "/", b"")
    answer = connection.getresponse()
    assert (answer.status, b"no space left" in answer.read()) == (500, True)
    connection.close()


def test_what_was_sent_can_be_looked_at(between: Proxy) -> None:
    send(between, b"body")
    (request,) = between.seen
    assert (request.method, request.path, request.body) == ("POST", "/", b"body")
