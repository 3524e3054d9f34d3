"""The web server over real sockets on loopback."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection

import pytest

from pegel.errors import ListenError
from pegel.listening import Address, Answer, Asked, Endpoint
from pegel.secret import Secret
from pegel.web import WebServer

ANY = Address("127.0.0.1", 0)


def echo(asked: Asked) -> Answer:
    return Answer(f"{asked.method} {asked.headers.get('accept', '')}".encode(), headers={"content-type": "text/plain"})


@contextmanager
def serving(endpoints: Sequence[Endpoint]) -> Iterator[int]:
    server = WebServer(endpoints)
    server.open()
    (port,) = set(server.addresses.values())
    server.start()
    try:
        yield port
    finally:
        server.stop()


@dataclass(frozen=True)
class Got:
    status: int
    headers: Mapping[str, str]
    body: bytes


def ask(port: int, path: str = "/metrics", method: str = "GET", **headers: str) -> Got:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        return Got(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
    finally:
        connection.close()


def test_an_endpoint_answers_under_its_path_and_methods_only() -> None:
    with serving([Endpoint(ANY, "/metrics", echo)]) as port:
        answer = ask(port, accept="text/plain")
        assert (answer.status, answer.body) == (200, b"GET text/plain")
        assert ask(port, "/").status == 404
        assert ask(port, method="POST").status == 405
        assert "server" not in answer.headers
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_two_paths_share_an_address() -> None:
    with serving([Endpoint(ANY, "/a", echo), Endpoint(ANY, "/b", echo)]) as port:
        assert [ask(port, path).status for path in ("/a", "/b", "/c")] == [200, 200, 404]


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:9464", "", "localhost.evil.example", "[::2]", "a@localhost"]
)
def test_a_request_for_another_host_is_refused(host: str) -> None:
    """A page on the web whose name points to this machine must not read what is here (DNS rebinding)."""
    with serving([Endpoint(ANY, "/metrics", echo)]) as port:
        assert ask(port, host=host).status in (400, 421)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:9464", "runner:9464"])
def test_the_names_of_this_machine_are_its_own_and_those_it_was_given(host: str) -> None:
    with serving([Endpoint(ANY, "/metrics", echo, hosts=["Runner"])]) as port:
        assert ask(port, host=host).status == 200


def test_a_token_is_asked_for_where_there_is_one() -> None:
    with serving([Endpoint(ANY, "/metrics", echo, token=Secret("s3cret"))]) as port:
        refused = ask(port)
        assert (refused.status, refused.headers["www-authenticate"]) == (401, "Bearer")
        assert b"s3cret" not in refused.body
        assert ask(port, authorization="Bearer wrong").status == 401
        assert ask(port, authorization="Basic s3cret").status == 401
        assert ask(port, authorization="bearer s3cret").status == 200


def test_an_address_that_is_taken_is_refused_before_anything_runs() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(
            ListenError, match=f"cannot listen at 127.0.0.1:{port}: another program does; .*another port"
        ):
            WebServer([Endpoint(Address("127.0.0.1", port), "/", echo)]).open()


def test_if_one_address_cannot_be_had_none_is_kept() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = Address("127.0.0.1", other.getsockname()[1])
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            free = Address("127.0.0.1", probe.getsockname()[1])
        with pytest.raises(ListenError):
            WebServer([Endpoint(free, "/", echo), Endpoint(taken, "/", echo)]).open()
        with socket.socket() as again:
            again.bind(("127.0.0.1", free.port))


def test_an_address_of_another_machine_is_told_apart() -> None:
    with pytest.raises(ListenError, match="this machine does not have that address"):
        WebServer([Endpoint(Address("192.0.2.1", 9464), "/", echo)]).open()


def test_headers_without_end_are_cut_off() -> None:
    with serving([Endpoint(ANY, "/metrics", echo)]) as port, socket.create_connection(("127.0.0.1", port), 10) as line:
        line.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nx: " + b"a" * 40_000)
        assert line.recv(100).startswith(b"HTTP/1.1 400")


def test_a_stopped_server_gives_its_address_back_at_once() -> None:
    """A changed configuration takes the place of the old one on the same port."""
    with serving([Endpoint(ANY, "/metrics", echo)]) as port:
        address = Address("127.0.0.1", port)
        assert ask(port).status == 200
    with serving([Endpoint(address, "/metrics", echo)]):
        assert ask(port).status == 200


def test_without_endpoints_nothing_happens() -> None:
    server = WebServer([])
    server.open()
    server.start()
    server.stop()
    assert server.addresses == {}
