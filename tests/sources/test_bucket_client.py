"""What is said to an S3 server, and what its answers mean: against a scripted server on the loopback."""

from __future__ import annotations

import socket
import threading
from collections.abc import Coroutine, Iterator, Sequence
from typing import Any

import pytest

from pegel.reaching import Trust
from pegel.secret import Secret
from pegel.sources.bucket import Changed, Missing, Refused, StoreError
from pegel.sources.bucket.client import Address, Bucket
from pegel.sources.bucket.layout import Layout
from pegel.sources.bucket.probing import Probe
from pegel.sources.bucket.pump import Pump
from pegel.sources.bucket.signing import Credentials, signed

NOON = 1_772_539_200.0
BEGIN = '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'


class Scripted:
    """Answers each request with the next bytes; an answer that ends in CLOSE ends the connection."""

    CLOSE = b"|close"

    def __init__(self, answers: Sequence[bytes]) -> None:
        self.requests: list[str] = []
        self.connections = 0
        self._answers = list(answers)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def _serve(self) -> None:
        while self._answers:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            with connection:
                while self._answers and self._answer(connection):
                    pass

    def _answer(self, connection: socket.socket) -> bool:
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            more = connection.recv(65536)
            if not more:
                return False
            request += more
        self.requests.append(request.decode())
        answer = self._answers.pop(0)
        connection.sendall(answer.removesuffix(self.CLOSE))
        return not answer.endswith(self.CLOSE)

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)


def reply(status: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def fault(status: str, code: str) -> bytes:
    return reply(status, f"<Error><Code>{code}</Code><Message>x</Message></Error>".encode())


def item(key: str, etag: str = "&quot;e&quot;", size: str = "3") -> str:
    return f"<Contents><Key>{key}</Key><LastModified>t</LastModified><ETag>{etag}</ETag><Size>{size}</Size></Contents>"


class Client:
    """A bucket behind scripted answers."""

    def __init__(self, *answers: bytes, style: Any = "path", who: Credentials | None = None) -> None:
        self.server = Scripted(answers)
        address = Address(self.server.url, "logs", "eu-1", style)
        self.bucket = Bucket(address, who, lambda: NOON, Trust(), 2.0)
        self._pump = Pump()

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._pump.finish(work)

    def close(self) -> None:
        self._pump.close(self.bucket.close())
        self.server.stop()


@pytest.fixture
def clients() -> Iterator[list[Client]]:
    made: list[Client] = []
    yield made
    for client in made:
        client.close()


def client(clients: list[Client], *answers: bytes, **options: Any) -> Client:
    clients.append(Client(*answers, **options))
    return clients[-1]


def test_a_signature_is_that_of_the_documentation() -> None:
    """The example of Amazon's pages on version 4: listing a bucket."""
    who = Credentials(Secret("AKIAIOSFODNN7EXAMPLE"), Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"))
    headers = dict(
        signed("GET", "examplebucket.s3.amazonaws.com", "/", "max-keys=2&prefix=J", who, "us-east-1", 1_369_353_600.0)
    )
    assert headers["authorization"].endswith(
        "Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
    )


def test_a_session_token_is_signed_and_sent() -> None:
    who = Credentials(Secret("a"), Secret("b"), Secret("token"))
    headers = dict(signed("GET", "h", "/", "", who, "r", NOON))
    assert headers["x-amz-security-token"] == "token"
    assert "x-amz-security-token" in headers["authorization"]


def test_requests_share_a_connection(clients: list[Client]) -> None:
    one = client(clients, *[reply("206 Partial Content", b"abc", 'ETag: "e"')] * 3)
    for _ in range(3):
        assert one.do(one.bucket.read("k", "e", 0, 3)) == b"abc"
    assert one.server.connections == 1
    assert 'if-match: "e"' in one.server.requests[0]
    assert "range: bytes=0-2" in one.server.requests[0]
    assert "authorization" not in one.server.requests[0]


def test_a_connection_that_was_closed_while_idle_is_no_failure(clients: list[Client]) -> None:
    one = client(clients, reply("206 Partial Content", b"abc") + Scripted.CLOSE, reply("206 Partial Content", b"def"))
    assert one.do(one.bucket.read("k", "e", 0, 3)) == b"abc"
    assert one.do(one.bucket.read("k", "e", 0, 3)) == b"def"


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (reply("206 X", b"abc")[:-1] + Scripted.CLOSE, StoreError, "broke the connection in the middle"),
        (reply("206 X", b"abc", 'ETag: "other"'), Changed, "was replaced"),
        (reply("412 Precondition Failed"), Changed, "412"),
        (reply("404 Not Found"), Missing, "404"),
        (fault("403 Forbidden", "AccessDenied"), Refused, "403 AccessDenied; the key needs the right s3:GetObject"),
        (fault("403 Forbidden", "InvalidObjectState"), Refused, "InvalidObjectState"),
        (fault("503 Slow Down", "SlowDown"), StoreError, "503 SlowDown"),
        (fault("403 Forbidden", "RequestTimeTooSkewed"), StoreError, "let both follow NTP"),
        (fault("404 Not Found", "NoSuchBucket"), StoreError, "there is no bucket logs"),
        (reply("301 Moved", b"", "Location: http://169.254.169.254/"), StoreError, "the bucket is elsewhere"),
        (reply("206 X", b"ab"), StoreError, "another part of an object"),
        (reply("206 X", b"abc", "Content-Range: bytes 7-9/10"), StoreError, "another part of an object"),
        (reply("200 OK", b"x" * 100_000), StoreError, "an answer that is none"),
        (b"SSH-2.0-OpenSSH\r\n\r\n" + Scripted.CLOSE, StoreError, "is it an S3 server"),
    ],
)
def test_what_goes_wrong_is_said(clients: list[Client], answer: bytes, error: type[StoreError], said: str) -> None:
    one = client(clients, answer)
    with pytest.raises(error, match=said) as caught:
        one.do(one.bucket.read("k", "e", 0, 3))
    assert type(caught.value) is error
    assert caught.value.slow == ("503" in said)


def test_a_missing_bucket_is_no_missing_object(clients: list[Client]) -> None:
    """Else every object would be taken for vanished."""
    one = client(clients, fault("404 Not Found", "NoSuchBucket"))
    with pytest.raises(StoreError) as caught:
        one.do(one.bucket.read("k", "e", 0, 3))
    assert not isinstance(caught.value, Missing)


def test_a_listing_is_asked_for_page_by_page(clients: list[Client]) -> None:
    first = f"{BEGIN}<IsTruncated>true</IsTruncated><NextContinuationToken>a+/=</NextContinuationToken>{item('k1')}"
    second = f"{BEGIN}<IsTruncated>false</IsTruncated>{item('k2')}"
    end = "</ListBucketResult>"
    one = client(clients, reply("200 OK", (first + end).encode()), reply("200 OK", (second + end).encode()))
    page = one.do(one.bucket.list("p/", "p/3", ""))
    assert [found.key for found in page.objects] == ["k1"]
    assert one.do(one.bucket.list("p/", "p/3", page.token)).token == ""
    assert one.server.requests[0].startswith("GET /logs?list-type=2&prefix=p%2F&start-after=p%2F3 HTTP/1.1\r\n")
    assert one.server.requests[1].startswith("GET /logs?continuation-token=a%2B%2F%3D&list-type=2&prefix=p%2F HTTP")


def test_a_chunked_answer_is_read(clients: list[Client]) -> None:
    body = f"{BEGIN}<IsTruncated>false</IsTruncated>{item('k')}</ListBucketResult>".encode()
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:50], body[50:])) + b"0\r\nX: y\r\n\r\n"
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    one = client(clients, head + chunks, reply("206 X", b"abc"))
    assert [found.key for found in one.do(one.bucket.list("", "", "")).objects] == ["k"]
    assert one.do(one.bucket.read("k", "e", 0, 3)) == b"abc"
    assert one.server.connections == 1


@pytest.mark.parametrize("odd", [item("a&#x1;b"), item("a\ufffdb"), item("a\rb")])
def test_a_key_that_xml_cannot_hold_is_asked_for_in_percent_signs(clients: list[Client], odd: str) -> None:
    tail = "<IsTruncated>false</IsTruncated></ListBucketResult>"
    packed = f"{BEGIN}<EncodingType>url</EncodingType>{item('a%01b')}{item('c+d%2Be')}{tail}"
    one = client(clients, reply("200 OK", f"{BEGIN}{odd}{tail}".encode()), *[reply("200 OK", packed.encode())] * 2)
    for _ in range(2):
        assert [found.key for found in one.do(one.bucket.list("", "", "")).objects] == ["a\x01b", "c d+e"]
    assert ["encoding-type=url" in request for request in one.server.requests] == [False, True, True]


@pytest.mark.parametrize(
    "body",
    [
        b"<html>hello</html>",
        b'<!DOCTYPE x [<!ENTITY a "b">]><ListBucketResult/>',
        f"{BEGIN}<IsTruncated>true</IsTruncated></ListBucketResult>".encode(),
        f"{BEGIN}{item('k', size='x')}</ListBucketResult>".encode(),
        f"{BEGIN}{item('k', etag='a&#13;&#10;evil: yes')}</ListBucketResult>".encode(),
    ],
)
def test_what_is_no_listing_is_refused(clients: list[Client], body: bytes) -> None:
    one = client(clients, *[reply("200 OK", body)] * 2)
    with pytest.raises(StoreError):
        one.do(one.bucket.list("", "", ""))


def test_an_object_is_looked_at_before_it_is_deleted(clients: list[Client]) -> None:
    one = client(clients, reply("200 OK", b"", 'ETag: "e"'), reply("204 No Content"))
    one.do(one.bucket.delete("a b+c/ü", "e"))
    assert [request.split(" HTTP")[0] for request in one.server.requests] == [
        "HEAD /logs/a%20b%2Bc/%C3%BC",
        "DELETE /logs/a%20b%2Bc/%C3%BC",
    ]
    assert all('if-match: "e"' in request for request in one.server.requests)


def test_an_object_that_is_another_one_is_not_deleted(clients: list[Client]) -> None:
    """Also by a server that knows no conditions."""
    one = client(clients, reply("200 OK", b"", 'ETag: "other"'))
    with pytest.raises(Changed):
        one.do(one.bucket.delete("k", "e"))
    assert len(one.server.requests) == 1


def test_a_server_that_knows_no_conditions_deletes_without(clients: list[Client]) -> None:
    one = client(
        clients, reply("200 OK", b"", 'ETag: "e"'), fault("501 Not Implemented", "NotImplemented"), reply("204 X")
    )
    one.do(one.bucket.delete("k", "e"))
    assert "if-match" not in one.server.requests[2]


def test_a_silent_server_is_given_up() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    address = Address(f"http://127.0.0.1:{listener.getsockname()[1]}", "logs", "r", "path")
    bucket, pump = Bucket(address, None, lambda: NOON, Trust(), 0.05), Pump()
    with pytest.raises(StoreError, match=r"was silent for 0.05 s"):
        pump.finish(bucket.read("k", "e", 0, 3))
    pump.close(bucket.close())
    listener.close()


def test_a_key_that_was_renewed_into_nonsense_is_no_request(clients: list[Client]) -> None:
    """A file that an editor saved in two lines must neither end the source nor add a header."""
    who = Credentials(Secret("a\r\nx: y"), Secret("b"))
    one = client(clients, reply("206 X", b"abc"), who=who)
    with pytest.raises(StoreError, match="is it in one line"):
        one.do(one.bucket.read("k", "e", 0, 3))
    assert one.server.requests == []


def test_link_local_addresses_are_refused() -> None:
    """Clouds hand out credentials there."""
    bucket, pump = (
        Bucket(Address("http://169.254.169.254", "logs", "r", "path"), None, lambda: NOON, Trust(), 1.0),
        Pump(),
    )
    with pytest.raises(StoreError, match="link-local"):
        pump.finish(bucket.list("", "", ""))
    pump.close(bucket.close())


def test_the_bucket_is_in_the_host_where_that_is_the_style() -> None:
    address = Address("https://s3.example.net:8443", "logs", "r", "virtual")
    assert (address.server, address.root) == ("https://logs.s3.example.net:8443", "")


def listing(*items: str) -> bytes:
    return f"{BEGIN}<IsTruncated>false</IsTruncated>{''.join(items)}</ListBucketResult>".encode()


def test_a_probe_says_that_the_clocks_differ(clients: list[Client]) -> None:
    """At fifteen minutes the server would refuse everything; before that objects are looked for in a wrong hour."""
    one = client(clients, reply("200 OK", listing(), "Date: Tue, 03 Mar 2026 11:50:00 GMT"))
    said = one.do(Probe(one.bucket, Layout("p/"), "", deletes=False).run(NOON))
    url = one.server.url
    assert said == [f"the clock of this machine is 600 s ahead of that of {url}; let both follow NTP"]


def test_a_probe_says_it_too_where_the_server_refuses_because_of_it(clients: list[Client]) -> None:
    refusal = fault("403 Forbidden", "RequestTimeTooSkewed").replace(
        b"\r\n", b"\r\nDate: Tue, 03 Mar 2026 10:00:00 GMT\r\n", 1
    )
    one = client(clients, refusal)
    found = one.do(Probe(one.bucket, Layout("p/"), "", deletes=False).run(NOON))
    assert [text.partition("; ")[0] for text in found] == [
        f"{one.server.url}: listing the bucket logs failed with 403 RequestTimeTooSkewed",
        f"the clock of this machine is 7200 s ahead of that of {one.server.url}",
    ]


def test_a_probe_finds_nothing_wrong_where_the_clocks_agree(clients: list[Client]) -> None:
    one = client(clients, reply("200 OK", listing(), "Date: Tue, 03 Mar 2026 12:00:20 GMT"))
    assert one.do(Probe(one.bucket, Layout("p/"), "", deletes=False).run(NOON)) == []
