from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from pegel.errors import Retryable
from pegel.reaching import Address, Trust
from pegel.sinks.posting import Poster, Reply, split_url

CERTIFICATES = Path(__file__).parent / "certificates"
"""An authority, and a server `localhost` that it vouches for, until 2126."""

AUTHORITY = CERTIFICATES / "authority.pem"
DONE = b"HTTP/1.1 204 No Content\r\n\r\n"


@contextmanager
def listening(*replies: bytes, tls: bool = False, family: int = socket.AF_INET) -> Iterator[tuple[int, list[bytes]]]:
    """A server on loopback that answers each request on its one connection; the port, and what it received."""
    received: list[bytes] = []
    server = socket.create_server(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0), family=family)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / "server.pem")

    def serve() -> None:
        peer, _ = server.accept()
        try:
            with closing(context.wrap_socket(peer, server_side=True) if tls else peer) as connection:
                for reply in replies:
                    received.append(connection.recv(100_000))
                    connection.sendall(reply)
        except OSError:
            received.append(b"failed")

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield server.getsockname()[1], received
    finally:
        with closing(socket.socket(family)) as last:  # a server that nobody called stops waiting
            last.connect_ex(server.getsockname())
        thread.join()
        server.close()


def posted(url: str, trust: Trust | None = None) -> Reply:
    poster = Poster(url, 5.0, trust)
    with closing(poster):
        return poster.post("/write", {"A": "b"}, b"body")


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("localhost:8086", 'needs its scheme in front, as in "http://localhost:8086"'),
        ("ftp://localhost", "has to begin with http:// or https://"),
        ("http://me:hunter2@localhost", "has a user or a password in it"),
        ("http://localhost/?token=hunter2", "ends in a query"),
        ("http://localhost/#top", "ends in a query"),
        ("http://", "has no host"),
        ("http://localhost:99999", "no valid port"),
        ("http://localhost:0", "no valid port"),
        ("http://[::1", "has no host"),
        ("http://local host", "has a blank"),
        ("http://localhost\r\nX: y", "has a blank or a control character"),
        ("http://b\u00fccher.example", "other than ASCII"),
    ],
)
def test_a_url_that_is_none_is_refused_without_being_quoted(url: str, problem: str) -> None:
    """A password in it would be in the message."""
    with pytest.raises(ValueError, match=problem) as caught:
        split_url(url)
    assert "hunter2" not in str(caught.value)


def test_a_server_on_ipv6_is_reached() -> None:
    with listening(DONE, family=socket.AF_INET6) as (port, received):
        assert posted(f"http://[::1]:{port}/base/").status == 204
    assert received[0].startswith(b"POST /base/write HTTP/1.1\r\nHost: [::1]:")


def test_the_next_address_is_tried_where_one_does_not_answer() -> None:
    """`localhost` is ::1 first, and many servers listen on 127.0.0.1 only."""
    with listening(DONE) as (port, _), closing(socket.socket()) as deaf:
        deaf.bind(("127.0.0.1", 0))

        def resolve(host: str, asked: int) -> Sequence[tuple[int, Address]]:
            assert (host, asked) == ("influx.example", port)
            return [(socket.AF_INET, deaf.getsockname()), (socket.AF_INET, ("127.0.0.1", port))]

        poster = Poster(f"http://influx.example:{port}", 5.0, resolve=resolve)
        with closing(poster):
            assert poster.post("/write", {}, b"body").status == 204


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1%eth0", "fd00:ec2::254", "::ffff:169.254.169.254"])
def test_where_clouds_hand_out_credentials_nothing_is_sent(address: str) -> None:
    """A name in a configuration may be made to point there."""
    poster = Poster("http://influx.example", 5.0, resolve=lambda _host, port: [(socket.AF_INET, (address, port))])
    with pytest.raises(Retryable, match=r"is a link-local address, .* allow_link_local = true") as caught:
        poster.post("/write", {}, b"body")
    assert caught.value.unsure is False


def test_a_name_that_nobody_knows_is_said() -> None:
    def resolve(_host: str, _port: int) -> Sequence[tuple[int, Address]]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(Retryable, match=r'cannot find the host "influx.example": Name or service') as caught:
        Poster("http://influx.example", 5.0, resolve=resolve).post("/write", {}, b"body")
    assert caught.value.unsure is False


def test_a_name_that_can_be_no_host_is_said_and_the_service_lives() -> None:
    """The resolver raises something of its own for it."""
    with pytest.raises(Retryable, match="is no name of a host") as raised:
        Poster(f"http://{'a' * 70}.example", 5.0).post("/write", {}, b"body")
    assert not raised.value.unsure


def test_a_certificate_of_a_named_authority_is_trusted() -> None:
    with listening(DONE, DONE, tls=True) as (port, received):
        poster = Poster(f"https://localhost:{port}", 5.0, Trust(AUTHORITY), resolve=loopback)
        with closing(poster):
            assert [poster.post("/write", {}, b"body").status for _ in range(2)] == [204, 204]
    assert len(received) == 2, "and the connection is kept"


@pytest.mark.parametrize(
    ("host", "trust", "sentence"),
    [
        ("localhost", Trust(), r"has a certificate that is not trusted \(.*\); name its authority in ca_file"),
        ("127.0.0.1", Trust(AUTHORITY), r"has a certificate that is not trusted \(.*127.0.0.1"),
        ("localhost", Trust(CERTIFICATES / "none.pem"), r"none.pem: no certificates can be read from it"),
        ("localhost", Trust(Path(__file__)), r"test_posting.py: no certificates can be read from it"),
    ],
)
def test_another_certificate_gets_nothing(host: str, trust: Trust, sentence: str) -> None:
    """Whoever is in between would read the token."""
    with listening(DONE, tls=True) as (port, received):
        poster = Poster(f"https://{host}:{port}", 5.0, trust, resolve=loopback)
        with closing(poster), pytest.raises(Retryable, match=sentence) as caught:
            poster.post("/write", {"Authorization": "hunter2"}, b"body")
        assert caught.value.unsure is False
    assert not [one for one in received if b"hunter2" in one]


def test_any_certificate_will_do_where_that_is_said() -> None:
    with listening(DONE, tls=True) as (port, _):
        poster = Poster(f"https://127.0.0.1:{port}", 5.0, Trust(verify=False))
        with closing(poster):
            assert poster.post("/write", {}, b"body").status == 204


def test_a_server_without_tls_is_told_from_one_with_a_bad_certificate() -> None:
    with listening(DONE) as (port, _), pytest.raises(Retryable, match=r"does not speak TLS .* is it http://"):
        posted(f"https://127.0.0.1:{port}")


def test_an_answer_that_comes_before_the_body_was_read_counts() -> None:
    """Servers refuse a token or a size before they have read megabytes, and stop listening."""
    with listening(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno") as (port, _):
        poster = Poster(f"http://127.0.0.1:{port}", 5.0)
        with closing(poster):
            body = bytes(range(256)) * 100
            assert poster.post("/write", {}, body).status == 401


@pytest.mark.parametrize(
    ("reply", "body"),
    [
        (b"HTTP/1.1 400 X\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", b"abcde"),
        (b"HTTP/1.1 400 X\r\nContent-Length: 3\r\n\r\nabc", b"abc"),
        (b"HTTP/1.0 400 X\r\n\r\nabc", b"abc"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 400 X\r\nContent-Length: 1\r\n\r\na", b"a"),
    ],
)
def test_answers_end_where_they_say(reply: bytes, body: bytes) -> None:
    with listening(reply) as (port, _):
        answer = posted(f"http://127.0.0.1:{port}")
    assert (answer.status, answer.body) == (400, body)


def test_a_long_answer_is_cut_off() -> None:
    """A page of a gigabyte must not be a gigabyte of memory."""
    with listening(b"HTTP/1.1 500 X\r\n\r\n" + b"x" * 500_000) as (port, _):
        assert len(posted(f"http://127.0.0.1:{port}").body) == 64 * 1024


def loopback(_host: str, port: int) -> Sequence[tuple[int, Address]]:
    return [(socket.AF_INET, ("127.0.0.1", port))]
