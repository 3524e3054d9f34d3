"""A server that lies, breaks off, drips or sends nonsense: an error of its own kind, in bounded time and memory."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pegel import clocks
from pegel.reaching import Trust
from pegel.sources.bucket import Found, Page, Refused, StoreError
from pegel.sources.bucket.client import Address, Bucket
from pegel.sources.bucket.ledger import written_at
from pegel.sources.bucket.listing import page
from pegel.sources.bucket.pump import Pump
from pegel.sources.bucket.wire import Wire
from sources.bucket_driving import Driver, key
from sources.fake_bucket import FakeBucket
from sources.test_bucket_client import BEGIN, Client, client, fault, item, reply

END = "</ListBucketResult>"
GOOD = (
    f"{BEGIN}<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>{item('a')}{item('b')}{END}"
)
LAUGHS = (
    '<?xml version="1.0"?>{space}<!DOCTYPE x [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {after} "{f"&{before};" * 10}">' for before, after in zip("abcdefgh", "bcdefghi", strict=True))
    + "]><ListBucketResult><Contents><Key>&i;</Key></Contents></ListBucketResult>"
)


@pytest.fixture
def clients() -> Iterator[list[Client]]:
    made: list[Client] = []
    yield made
    for one in made:
        one.close()


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """Something that was right once: parts of it are gone, doubled, or replaced."""
    data = whole
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + 40)))
        said = st.sampled_from(
            [b"", b"<", b"&", b"\xff", b"\r\n", b"&#1;", b"<Key>", b"9" * 30, b"-1", b"\0", data[:50]]
        )
        data = data[:start] + draw(said | st.binary(max_size=8)) + data[end:]
    return data


@given(st.binary(max_size=300) | damaged(GOOD.encode()))
@settings(max_examples=300)
@example(GOOD.replace("<NextContinuationToken>t", "<NextContinuationToken>\udcff").encode("utf-8", "surrogateescape"))
@example(GOOD.replace("UTF-8", "TF-8").encode())
@example(GOOD.replace("UTF-8", "gb18030").encode())
@example(GOOD.replace("UTF-8", "utf-7").encode())
@example(GOOD.replace("UTF-8", "rot13").encode())
@example(GOOD.replace("UTF-8", "undefined").encode())
@example(GOOD.replace("<Size>3", "<Size>-3").encode())
@example(GOOD.replace("<Size>3", "<Size>" + "9" * 18).encode())
@example(GOOD.replace("<Size>3", "<Size>" + "9" * 5000).encode())
@example(GOOD.replace("<Size>3", "<Size>\u0663").encode())
def test_a_page_is_a_listing_or_it_is_none(body: bytes) -> None:
    """Whatever it says: no size below nothing, no ETag that could end a header, no other exception."""
    for last_resort in (False, True):
        try:
            found = page(body, last_resort=last_resort)
        except StoreError:
            continue
        assert isinstance(found, Page)
        assert all(0 <= one.size <= 2**50 and one.etag.isprintable() for one in found.objects)


@given(damaged(GOOD.encode()))
@settings(max_examples=200)
@example(GOOD.replace("e&quot;", "e&quot; ").encode())
def test_the_pattern_never_says_anything_but_what_the_parser_says(body: bytes) -> None:
    """A comment in front of the root sends a page to the parser, which is the definition."""
    quick, slow = _said(body), _said(body.replace(b"?>", b"?><!-- -->", 1))
    if isinstance(slow, Page):
        assert quick == slow


def _said(body: bytes) -> Page | str:
    try:
        return page(body)
    except StoreError as error:
        return str(error)


@pytest.mark.parametrize(
    "body",
    [
        LAUGHS.format(space="").encode(),
        LAUGHS.format(space=f"<!--{'x' * 5000}-->").encode(),
        LAUGHS.format(space="").replace("?>", ' encoding="UTF-16"?>', 1).encode("utf-16"),
        LAUGHS.format(space="").encode("utf-16-le"),
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><ListBucketResult/>',
        b"<ListBucketResult>" + b"<a>" * 300_000,
        b"<ListBucketResult>" + b"<a/>" * 2_000_000 + b"</ListBucketResult>",
    ],
    ids=["laughs", "laughs after a comment", "in two bytes", "without a mark", "a file", "deep", "wide"],
)
def test_no_page_grows(body: bytes) -> None:
    """The parser never sees what could become gigabytes."""
    begun = time.process_time()
    with pytest.raises(StoreError):
        page(body)
    assert time.process_time() - begun < 1.0


def test_an_object_of_many_tags_is_no_pattern() -> None:
    """A pattern is compiled for each form that objects have; one of a thousand tags is left to the parser."""
    odd = item("a").replace("</Contents>", "<x>1</x>" * 1000 + "</Contents>")
    begun = time.process_time()
    assert [one.key for one in page(f"{BEGIN}{odd}{END}".encode()).objects] == ["a"]
    assert time.process_time() - begun < 1.0


@given(st.text(max_size=40) | st.sampled_from(["0001-01-01T00:00:00", "9999-12-31T23:59:59+23:59", "1e9", "20260303"]))
def test_no_time_of_a_server_is_more_than_a_time(said: str) -> None:
    assert isinstance(written_at(Found("k", "e", 1, said)), int)
    assert isinstance(clocks.moment(said), float | None)


# -- HTTP ---------------------------------------------------------------------------------------------------

_WHOLE = reply("206 Partial Content", b"abc", 'ETag: "e"', "Content-Range: bytes 0-2/3")
_CHUNKED = b"HTTP/1.1 206 X\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"


@given(damaged(_WHOLE) | damaged(_CHUNKED) | st.binary(max_size=200))
@settings(max_examples=150, deadline=None)
@example(b"HTTP/1.1 100 Continue\r\n\r\n" * 5 + _WHOLE)
@example(b"HTTP/1.1 206 X\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\nabc")
@example(_CHUNKED.replace(b"3\r\n", b"+3\r\n", 1))
def test_an_answer_is_one_or_it_is_none(answer: bytes) -> None:
    one = Client(answer + b"|close")
    try:
        assert one.do(one.bucket.read("k", "e", 0, 3)).__len__() == 3
    except StoreError:
        pass
    finally:
        one.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 206 X\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"HTTP/1.1 206 X\r\nContent-Length: -3\r\n\r\nabc",
        b"HTTP/1.1 206 X\r\nContent-Length: 99999999999\r\n\r\nabc",
        b"HTTP/1.1 206 X\r\nTransfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\n",
        b"HTTP/1.1 206 X\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n",
        b"HTTP/1.1 206 X\r\n" + b"x: y\r\n" * 20_000 + b"\r\n",
        b"HTTP/1.1 206 X\r\nx: " + b"y" * 2_000_000,
    ],
    ids=["two lengths", "below nothing", "huge", "chunk below nothing", "huge chunk", "many headers", "long header"],
)
def test_what_cannot_be_an_answer_is_said(clients: list[Client], answer: bytes) -> None:
    one = client(clients, answer + b"|close")
    with pytest.raises(StoreError, match="an answer that is none"):
        one.do(one.bucket.read("k", "e", 0, 3))


def test_more_than_an_answer_is_not_the_next_one(clients: list[Client]) -> None:
    """Bytes that a proxy has sent too many would be taken for the content of another object."""
    one = client(clients, reply("206 X", b"abc") + reply("206 X", b"bad"), reply("206 X", b"def"))
    assert one.do(one.bucket.read("k", "", 0, 3)) == b"abc"
    assert one.do(one.bucket.read("l", "", 0, 3)) == b"def"
    assert one.server.connections == 2


def test_the_beginning_of_an_object_is_no_later_part(clients: list[Client]) -> None:
    """A server that ignores ranges sends all of it, which may be as long as the part that was asked for."""
    one = client(clients, reply("200 OK", b"abc"))
    with pytest.raises(StoreError, match="another part"):
        one.do(one.bucket.read("k", "", 3, 6))


def test_a_proxy_without_its_server_means_no_object(clients: list[Client]) -> None:
    """Else what was read by half would be given up as deleted, and everything else with it."""
    one = client(clients, reply("404 Not Found", b"<html>nginx</html>"), fault("404 Not Found", "NoSuchUpload"))
    for _ in range(2):
        with pytest.raises(StoreError) as caught:
            one.do(one.bucket.read("k", "e", 0, 3))
        assert type(caught.value) is StoreError


@pytest.mark.parametrize(
    "answer",
    [
        reply("301 Moved Permanently", b"", "x-amz-bucket-region: eu-9", "Location: http://169.254.169.254/"),
        reply("307 Temporary Redirect", b"<Error><Code>TemporaryRedirect</Code><Region>eu-9</Region></Error>"),
        reply("400 Bad", b"<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-9</Region></Error>"),
    ],
)
def test_a_bucket_of_another_region_is_said_with_the_region(clients: list[Client], answer: bytes) -> None:
    """Nothing is followed: who may redirect could ask for the signature of any request."""
    one = client(clients, answer)
    with pytest.raises(StoreError, match=r"region.*\(the server says eu-9\)") as caught:
        one.do(one.bucket.list("", "", ""))
    assert not isinstance(caught.value, Refused)
    assert len(one.server.requests) == 1


class Dripping:
    """Sends the same bytes again and again, for ever."""

    def __init__(self, first: bytes, rest: bytes, pause: float) -> None:
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, args=(first, rest, pause), daemon=True)
        self._thread.start()

    def _serve(self, first: bytes, rest: bytes, pause: float) -> None:
        connection, _ = self._listener.accept()
        with connection:
            try:
                connection.sendall(first)
                while not self._over.wait(pause):
                    connection.sendall(rest)
            except OSError:
                return

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def stop(self) -> None:
        self._over.set()
        self._thread.join(5)
        self._listener.close()


@pytest.mark.parametrize(
    ("first", "rest"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
    ],
    ids=["never the answer", "a byte at a time", "a chunk at a time", "without a length"],
)
def test_a_server_that_drips_is_given_up(first: bytes, rest: bytes) -> None:
    """Each byte ends a silence; who waits for silence alone waits for ever."""
    server = Dripping(first, rest, 0.05)
    wire, pump = Wire(server.url, 0.2, Trust()), Pump()
    try:
        with pytest.raises(StoreError, match="less than 4096 bytes a second"):
            pump.finish(wire.ask("GET", "/", (), 2000))
    finally:
        pump.close(wire.close())
        server.stop()


def test_an_address_that_swallows_everything_leaves_time_for_the_next(clients: list[Client]) -> None:
    """As where a name has an address of version 6 and the road there is broken."""
    one = client(clients, reply("206 X", b"abc"))
    deaf = socket.create_server(("127.0.0.1", 0), backlog=0)
    full = [_begun(deaf.getsockname()) for _ in range(4)]  # nobody accepts, so that further ones wait
    port = int(one.server.url.rpartition(":")[2])

    def found(_host: str, _port: int) -> Sequence[tuple[int, tuple[Any, ...]]]:
        return [(socket.AF_INET, deaf.getsockname()), (socket.AF_INET, ("127.0.0.1", port))]

    bucket = Bucket(Address("http://example.net", "logs", "r", "path"), None, lambda: 0.0, Trust(), 1.0, found)
    pump = Pump()
    assert pump.finish(bucket.read("k", "e", 0, 3)) == b"abc"
    pump.close(bucket.close())
    for connection in (*full, deaf):
        connection.close()


def _begun(address: Any) -> socket.socket:
    connection = socket.socket()
    connection.setblocking(False)
    connection.connect_ex(address)
    return connection


# -- listings -----------------------------------------------------------------------------------------------


class Circling(FakeBucket):
    """Says for ever that there is more, at the same place."""

    async def list(self, prefix: str, after: str, token: str) -> Page:  # noqa: ARG002 - that is what is wrong with it
        found = await super().list(prefix, after, "")
        return Page(found.objects, "again")


class Sparse(FakeBucket):
    """Has pages without objects, as after many deletions."""

    async def list(self, prefix: str, after: str, token: str) -> Page:
        return await super().list(prefix, after, "") if token == "more" else Page([], "more")


def test_a_listing_that_goes_in_a_circle_is_given_up() -> None:
    driver = Driver(bucket=Circling())
    driver.bucket.put(key(12, 1), b"one\n")
    driver.open()
    driver.settle(5.0)
    assert "where it began" in driver.source.status().reason  # type: ignore[union-attr]
    driver.stop()


def test_a_page_without_objects_is_no_end() -> None:
    driver = Driver(bucket=Sparse())
    driver.bucket.put(key(12, 1), b"one\n")
    driver.run()
    assert driver.records[b"one"] == 1
