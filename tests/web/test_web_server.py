"""The web server over real sockets on loopback."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection

import pytest

from pegel.errors import ListenError
from pegel.listening import Address, Answer, Asked, Endpoint
from pegel.secret import Secret
from pegel.web import WebServer
from pegel.web.patience import Patience

ANY = Address("127.0.0.1", 0)


def echo(asked: Asked) -> Answer:
    return Answer(f"{asked.method} {asked.headers.get('accept', '')}".encode(), headers={"content-type": "text/plain"})


@contextmanager
def serving(endpoints: Sequence[Endpoint], patience: Patience | None = None) -> Iterator[int]:
    server = WebServer(endpoints, patience)
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


REQUEST = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n"
POST = REQUEST.replace(b"GET", b"POST")


def ended(line: socket.socket, said: bytes, drop: bytes) -> bool:
    """Whether the other end gives up within some seconds after what is said, though it gets a byte now and then."""
    line.settimeout(0.05)
    for step in range(100):
        try:
            if step == 0:
                line.sendall(said)
            elif drop:
                line.sendall(drop)
            if not line.recv(2**16):
                return True
        except TimeoutError:
            continue
        except OSError:
            return True
    return False


@pytest.mark.parametrize(
    ("said", "drop", "patience"),
    [
        (b"", b"", Patience(asking=0.3)),
        (REQUEST, b"x: y\r\n", Patience(asking=0.3)),
        (REQUEST + b"\r\n", b"", Patience(silent=0.3)),
        (REQUEST + b"\r\n" + REQUEST, b"x: y\r\n", Patience(asking=0.3)),
        (POST + b"Content-Length: 1000000\r\n\r\n", b"x", Patience(asking=0.3)),
    ],
    ids=["nothing", "slow headers", "nothing more", "slow headers of a second request", "a slow body"],
)
def test_who_holds_a_place_and_does_not_get_on_is_sent_away(said: bytes, drop: bytes, patience: Patience) -> None:
    """Some dozens of these would keep Prometheus out, and nobody would be told."""
    with serving([Endpoint(ANY, "/metrics", echo)], patience) as port:
        with socket.create_connection(("127.0.0.1", port), 10) as line:
            assert ended(line, said, drop)
        assert ask(port).status == 200


def test_who_never_reads_its_answer_is_sent_away() -> None:
    """It may not notice, for its own system still has some of the answer; its place is free."""
    hurried = Patience(answering=2, silent=1, connections=2)
    large = Endpoint(ANY, "/metrics", lambda _: Answer(b"x" * 8 * 2**20))
    with serving([large], hurried) as port, socket.create_connection(("127.0.0.1", port), 10) as line:
        line.sendall(REQUEST + b"\r\n")
        gone = select.poll()
        gone.register(line, select.POLLHUP)
        answers: list[int] = []
        while len(answers) < 200 and 200 not in answers:
            answers.append(ask(port).status)
            gone.poll(50)
        assert (answers[0], answers[-1]) == (503, 200)


def test_an_answer_may_take_longer_than_a_question() -> None:
    never = threading.Event()

    def slow(asked: Asked) -> Answer:
        never.wait(1.5)
        return echo(asked)

    with serving([Endpoint(ANY, "/metrics", slow)], Patience(asking=1)) as port:
        assert ask(port).status == 200
    with serving([Endpoint(ANY, "/metrics", slow)], Patience(answering=0.2)) as port, pytest.raises(ConnectionError):
        ask(port)


def test_a_connection_that_asks_again_in_time_is_kept() -> None:
    """A scraper comes every minute, on the same connection."""
    with serving([Endpoint(ANY, "/metrics", echo)], Patience(asking=1, answering=1)) as port:
        connection = HTTPConnection("127.0.0.1", port, timeout=10)
        ports = set()
        for _ in range(2):
            connection.request("GET", "/metrics")
            assert connection.getresponse().read() == b"GET "
            ports.add(connection.sock.getsockname()[1])
            assert not select.select([connection.sock], [], [], 1.3)[0]
        connection.close()
        assert len(ports) == 1


def test_a_crowd_is_told_to_come_again_and_a_mob_is_not_heard() -> None:
    """Each connection takes a file of the runner, which has logs to read."""
    with serving([Endpoint(ANY, "/metrics", echo)], Patience(connections=3)) as port:
        lines = [socket.create_connection(("127.0.0.1", port), 10) for _ in range(2)]
        assert ask(port).status == 503
        lines += [socket.create_connection(("127.0.0.1", port), 10) for _ in range(6)]
        gone = [line for line in lines if select.select([line], [], [], 0.3)[0]]
        assert len(gone) in (2, 3), "six are heard, and one of them may be the asker of before, who is not quite gone"
        for line in lines:
            line.close()


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
