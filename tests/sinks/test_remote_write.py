from __future__ import annotations

import base64
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cramjam import snappy

from engines.proxy import Exchange, Fault, Proxy, Reply, Request, answering, reset
from pegel.errors import Permanent, Retryable
from pegel.secret import Secret
from pegel.sinks import Point
from pegel.sinks.remote_write import RemoteWrite
from pegel.units import Duration
from sinks.hostile import point
from sinks.protobuf import Series, read, read2

NOON = 1_772_539_200.0
STORED = answering(204)
DUPLICATE = b"duplicate sample for timestamp 1772539260000; overrides not allowed: existing 1, new value 2\n"
CERTIFICATES = Path(__file__).parent / "certificates"


@pytest.fixture
def server() -> Iterator[Proxy]:
    """Answers as it is scripted, and otherwise that it has stored everything."""
    with Proxy(("127.0.0.1", 9)) as proxy:
        proxy.otherwise = STORED
        yield proxy


def made(server: Proxy, **options: Any) -> RemoteWrite:
    sink = RemoteWrite(url=f"{server.url}/api/v1/write", **options)
    sink._wall = lambda: NOON + 120
    sink.introduce("r1")
    return sink


@pytest.fixture
def sink(server: Proxy) -> Iterator[RemoteWrite]:
    with closing(made(server)) as sink:
        yield sink


def given(count: int = 1, minute: int = 0) -> list[Point]:
    return [
        point("m", (("key", str(number)),), minute, value=number, kinds={"value": "gauge"}) for number in range(count)
    ]


def told(request: Request) -> list[Series]:
    return read(bytes(snappy.decompress_raw(request.body)))


def keys(request: Request) -> list[str]:
    return [dict(one.labels)["key"] for one in told(request)]


def without(*bad: str, said: bytes = b"label value too long", status: int = 400) -> Fault:
    """Refuses a request with one of these keys in it, as a whole; and takes an empty one."""

    def fault(exchange: Exchange) -> None:
        refused = set(keys(exchange.request)) & set(bad)
        exchange.answer((Reply(status, said) if refused else Reply(204)).text())

    return fault


def refused(sink: RemoteWrite, points: list[Point]) -> Permanent:
    with pytest.raises(Permanent) as caught:
        sink.send(sink.encode(points))
    return caught.value


# -- requests ---------------------------------------------------------------------------------------------


def test_a_request_says_what_the_protocol_wants(server: Proxy, sink: RemoteWrite) -> None:
    sink.send(sink.encode(given()))
    (request,) = server.seen
    assert (request.method, request.path) == ("POST", "/api/v1/write")
    said = {name.lower(): value for name, value in request.headers.items()}
    assert said == {
        "host": server.url.removeprefix("http://"),
        "user-agent": "pegel",
        "content-encoding": "snappy",
        "content-type": "application/x-protobuf",
        "x-prometheus-remote-write-version": "0.1.0",
        "content-length": str(len(request.body)),
    }
    (one,) = told(request)
    assert one.labels == (("__name__", "m"), ("key", "0"), ("runner", "r1"))
    assert one.samples == ((struct.pack("<d", 0.0), 1_772_539_260_000),)


def test_a_user_and_a_password(server: Proxy) -> None:
    with closing(made(server, user="me", password=Secret("s3cret"))) as sink:
        sink.send(sink.encode(given()))
    assert base64.b64decode(server.seen[0].headers["Authorization"].removeprefix("Basic ")) == b"me:s3cret"


def test_a_token_in_a_file_is_followed(server: Proxy, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old\n")
    with closing(made(server, token=Secret.read(file))) as sink:
        sink.send(sink.encode(given()))
        file.write_text("newer\n")
        assert sink.mended()
        sink.send(sink.encode(given()))
    assert [one.headers["Authorization"] for one in server.seen] == ["Bearer old", "Bearer newer"]


def test_headers_of_ones_own(server: Proxy) -> None:
    with closing(made(server, headers={"X-Scope-OrgID": "tenant"})) as sink:
        sink.send(sink.encode(given()))
    assert server.seen[0].headers["X-Scope-OrgID"] == "tenant"


def test_a_secret_is_in_no_message(server: Proxy) -> None:
    """Some servers say what they were sent."""
    server.otherwise = answering(403, b"the token hunter2 may not write")
    with closing(made(server, token=Secret("hunter2"))) as sink, pytest.raises(Retryable) as caught:
        sink.send(sink.encode(given()))
    assert "***" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_certificate_of_ones_own_is_shown() -> None:
    """The server lets in only whom it knows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / "server.pem")
    context.load_verify_locations(CERTIFICATES / "client.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            peer, _ = listener.accept()
            with closing(context.wrap_socket(peer, server_side=True)) as connection:
                connection.recv(100_000)
                connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"https://localhost:{listener.getsockname()[1]}/api/v1/write"
        mine = CERTIFICATES / "client.pem"
        with closing(RemoteWrite(url=url, ca_file=CERTIFICATES / "authority.pem", cert_file=mine)) as sink:
            sink._wall = lambda: NOON
            sink.send(sink.encode(given()))
        thread.join()


# -- answers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "says", "unsure", "after"),
    [
        (answering(500, b"no space left on device"), "did not store the samples (500: no space left", True, None),
        (answering(503, b"", Retry_After="7"), "asks to wait (503)", True, 7.0),
        (answering(429, b"slow down"), "asks to wait (429: slow down)", False, 60.0),
        (answering(404), "--web.enable-remote-write-receiver", False, 60.0),
        (answering(401), "does not know who asks (401)", False, 60.0),
        (
            answering(302, b"", Location="http://other/"),
            "redirects to http://other/ (302), which is not followed",
            False,
            60.0,
        ),
        (answering(200, b"<html>", Content_Type="text/html"), "a web page (200)", True, 60.0),
        (reset, "broke the connection before it answered", True, None),
    ],
)
def test_what_passes_or_can_be_mended_is_tried_again(
    answer: Fault, says: str, unsure: bool, after: float | None, server: Proxy, sink: RemoteWrite
) -> None:
    server.otherwise = answer
    with pytest.raises(Retryable) as caught:
        sink.send(sink.encode(given()))
    assert says in str(caught.value)
    assert (caught.value.unsure, caught.value.after) == (unsure, after)


def test_the_sample_that_is_refused_is_found_and_all_others_are_stored(server: Proxy, sink: RemoteWrite) -> None:
    server.otherwise = without("37", "80")
    error = refused(sink, given(100))
    assert error.rows == {37: "label value too long", 80: "label value too long"}
    stored = {key for request in server.seen for key in keys(request) if not set(keys(request)) & {"37", "80"}}
    assert len(stored) == 98
    assert len(server.seen) <= 2 * 2 * 8


def test_a_request_that_is_too_big_is_halved(server: Proxy, sink: RemoteWrite) -> None:
    def fault(exchange: Exchange) -> None:
        exchange.answer(Reply(413 if len(keys(exchange.request)) > 3 else 204).text())

    server.otherwise = fault
    sink.send(sink.encode(given(10)))
    taken = [key for request in server.seen for key in keys(request) if len(keys(request)) <= 3]
    assert sorted(taken) == [str(number) for number in range(10)]


def test_a_server_that_refuses_everything_takes_no_sample_with_it(server: Proxy, sink: RemoteWrite) -> None:
    """A proxy that wants a header answers 400 to every request; nothing of that is about samples."""
    server.otherwise = answering(400, b"missing tenant")
    with pytest.raises(Retryable, match="refuses every write: missing tenant") as caught:
        sink.send(sink.encode(given(4)))
    assert not caught.value.unsure


def test_samples_that_are_too_old_are_refused_without_being_halved(server: Proxy, sink: RemoteWrite) -> None:
    """All of them have one time, so that it is true of all."""
    server.script(answering(400, b"too old sample\n"))
    error = refused(sink, given(50))
    assert set(error.faults.values()) == {"outside_retention"}
    assert len(error.rows) == 50
    assert len(server.seen) == 1


def test_samples_that_no_receiver_takes_any_more_are_not_sent(server: Proxy, sink: RemoteWrite) -> None:
    sink._wall = lambda: NOON + 7200
    error = refused(sink, given(3))
    assert set(error.faults.values()) == {"outside_retention"}
    assert server.seen == []


def test_out_of_order_is_a_refusal_the_first_time_and_delivered_the_second(server: Proxy, sink: RemoteWrite) -> None:
    """What was never sent before is never "delivered"; what may be there already is in its own way."""
    server.otherwise = without("1", said=DUPLICATE)
    payload = sink.encode(given(3))
    with pytest.raises(Permanent) as caught:
        sink.send(payload)
    assert caught.value.faults == {1: "out_of_order"}
    sent = len(server.seen)
    sink.send_again(payload)
    assert len(server.seen) == sent + 1


def test_after_a_failure_it_goes_on_where_it_was(server: Proxy, sink: RemoteWrite) -> None:
    """What is stored need not be sent again, and would be refused by a server without an out-of-order window."""
    payload = sink.encode([*given(2, 0), *given(2, 1)])
    server.script(STORED, answering(500))
    with pytest.raises(Retryable):
        sink.send(payload)
    sink.send(payload)
    times = [one.samples[0][1] // 60_000 for request in server.seen for one in told(request)]
    assert [time - times[0] for time in times] == [0, 0, 1, 1, 1, 1]


def test_refusals_before_a_failure_are_not_forgotten(server: Proxy, sink: RemoteWrite) -> None:
    server.script(answering(400, b"too old sample"), answering(500))
    payload = sink.encode([*given(2, 0), *given(2, 1)])
    with pytest.raises(Retryable):
        sink.send(payload)
    with pytest.raises(Permanent) as caught:
        sink.send(payload)
    assert sorted(caught.value.rows) == [0, 1]


# -- version 2 --------------------------------------------------------------------------------------------


def test_version_2_where_it_is_understood(server: Proxy) -> None:
    server.otherwise = answering(204, b"", X_Prometheus_Remote_Write_Samples_Written="1")
    with closing(made(server, protocol="2.0")) as sink:
        sink.send(sink.encode(given(2)))
    (request,) = server.seen
    assert request.headers["Content-Type"] == "application/x-protobuf;proto=io.prometheus.write.v2.Request"
    assert request.headers["X-Prometheus-Remote-Write-Version"] == "2.0.0"
    assert [one.value for one in read2(bytes(snappy.decompress_raw(request.body)))] == [0, 1]


@pytest.mark.parametrize("answer", [answering(415, b"unknown"), STORED])
def test_version_1_where_2_is_not_understood(answer: Fault, server: Proxy) -> None:
    """Said by 415, or by a success that does not say how much was written: it took the message for an empty one."""
    server.script(answer)
    with closing(made(server, protocol="2.0")) as sink:
        sink.send(sink.encode(given(2)))
        sink.send(sink.encode(given(2, 1)))
    versions = [request.headers["X-Prometheus-Remote-Write-Version"] for request in server.seen]
    assert versions == ["2.0.0", "0.1.0", "0.1.0"]
    assert len(told(server.seen[1])) == 2


# -- options ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"url": "http://localhost:9090"}, "url: is the address of a server"),
        ({"user": "me"}, "user: needs a password"),
        ({"password": Secret("x")}, "password: needs a user"),
        ({"user": "me", "password": Secret("x"), "token": Secret("y")}, "token: user and password are given"),
        ({"user": "a:b", "password": Secret("x")}, "user: has a colon"),
        ({"headers": {"Authorization": "x"}}, 'headers: "Authorization" is set by the sink itself'),
        ({"headers": {"X": "a\nb"}}, 'headers: "X" is no header'),
        ({"runner_label": "__name__"}, "runner_label: is no name of a label"),
        ({"timeout": Duration(0.0)}, "timeout: has to be more than nothing"),
        ({"shards": 0}, "shards: has to be 1 to 64"),
        ({"series_idle": Duration(0.0)}, "series_idle: has to be more than nothing"),
        ({"insecure_skip_verify": True}, "insecure_skip_verify: anybody on the way"),
        ({"key_file": Path(__file__)}, "key_file: needs cert_file"),
        ({"ca_file": Path("/nowhere")}, "ca_file: there is no such file"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        RemoteWrite(**{"url": "http://localhost:9090/api/v1/write", **options})


def test_a_probe_writes_nothing_and_doubts_only_a_prometheus(server: Proxy) -> None:
    with closing(made(server)) as sink:
        sink.url = f"{server.url}/other"
        assert list(made(server).probe()) == []
    assert [told(one) for one in server.seen if one.method == "POST"] == [[]]
