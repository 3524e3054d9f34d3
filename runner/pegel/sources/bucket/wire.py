"""HTTP to one server: connections that are kept, nothing followed, an answer read up to a limit.

A redirect is an answer like any other and no proxy of the environment is used. What fails is a StoreError in the
operator's words.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from pegel.reaching import PORTS, Address, Resolve, Trust, refused, resolve
from pegel.sources.bucket import StoreError

_HEAD = 64 * 1024
"""Bytes that the head of an answer may have; also what a connection holds that nobody has asked for yet."""

_BUFFER = 1 << 20

_SLOWEST = 4096
"""Bytes per second: who sends less is as good as silent, and would hold a request for ever with a byte now and then."""

_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r\n")


@dataclass(frozen=True)
class Reply:
    """An answer. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class _Connection:
    """An open connection.

    Attributes:
        used: It has answered before, so the server may have closed it meanwhile.
    """

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    used: bool = False

    def close(self) -> None:
        self.writer.transport.abort()


@dataclass
class _Head:
    """What an answer says before its body."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def keeps(self) -> bool:
        return self.headers.get("connection", "").lower() != "close"

    @property
    def chunked(self) -> bool:
        return self.headers.get("transfer-encoding", "").lower() == "chunked"


def split_endpoint(url: str) -> SplitResult:
    """The parts of the address of a server.

    Raises:
        ValueError: It is none, or says more than where the server is; the message does not quote it.
    """
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("has a blank, a control character or one that is not ASCII in it")
    parts = urlsplit(url)
    if parts.scheme not in PORTS:
        raise ValueError("has to begin with http:// or https://")
    if "@" in parts.netloc:
        raise ValueError("has a user or a password in it; credentials have options of their own")
    if parts.query or parts.fragment or parts.path.strip("/"):
        raise ValueError("says more than where the server is; bucket and prefix have options of their own")
    if not parts.hostname or parts.port == 0:
        raise ValueError("has no host, or no valid port")
    return parts


class Wire:
    """Requests to one server, as many at a time as are asked for."""

    def __init__(self, url: str, timeout: float, trust: Trust, resolve: Resolve = resolve) -> None:
        """Connects with the first request.

        Args:
            url: Scheme, host and port.
            timeout: Seconds without a byte after which a request has failed.
            trust: Whom to believe.
            resolve: Finds the addresses of a host.
        """
        parts = split_endpoint(url)
        self.place = f"{parts.scheme}://{parts.netloc}"
        self.host = parts.netloc
        self._name = parts.hostname or ""
        self._port = parts.port or PORTS[parts.scheme]
        self._secure = parts.scheme == "https"
        self._timeout = timeout
        self._trust = trust
        self._resolve = resolve
        self._context: ssl.SSLContext | None = None
        self._idle: list[_Connection] = []

    async def ask(self, method: str, target: str, headers: Iterable[tuple[str, str]], limit: int) -> Reply:
        """Send a request without a body and wait for the answer, whatever that is.

        Args:
            method: GET, HEAD or DELETE.
            target: Path and query.
            headers: Beside those of every request.
            limit: Bytes that the body may have.

        Raises:
            StoreError: There was no whole answer.
        """
        lines = [f"{method} {target} HTTP/1.1", f"host: {self.host}", "user-agent: pegel", "accept-encoding: identity"]
        lines += [f"{name}: {value}" for name, value in headers]
        if not all(line.isascii() and line.isprintable() for line in lines):
            raise StoreError("a key or a token has characters that none has; is it in one line of its file?")
        request = ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")
        while True:
            connection = await self._kept() or await self._connect()
            try:
                async with asyncio.timeout(self._timeout + limit / _SLOWEST) as whole:
                    return await self._exchange(connection, method, request, limit)
            except TimeoutError as error:
                how = f"sent less than {_SLOWEST} bytes a second" if whole.expired() else "was silent"
                raise StoreError(f"{self.place} {how} for {self._timeout:g} s") from error
            except (OSError, EOFError, asyncio.LimitOverrunError, ValueError) as error:
                if not (connection.used and _is_over(error)):
                    raise StoreError(self._what_broke(error)) from error

    def _what_broke(self, error: Exception) -> str:
        if isinstance(error, ValueError | asyncio.LimitOverrunError):
            return f"{self.place} gave an answer that is none; is it an S3 server?"
        return f"{self.place} broke the connection in the middle of an answer"

    async def _exchange(self, connection: _Connection, method: str, request: bytes, limit: int) -> Reply:
        whole = False
        try:
            connection.writer.write(request)
            head = await self._head(connection.reader)
            body = b"" if method == "HEAD" or head.status in (204, 304) else await self._body(connection, head, limit)
            whole = head.keeps
        finally:
            if whole:
                connection.used = True
                self._idle.append(connection)
            else:
                connection.close()
        return Reply(head.status, head.headers, body)

    async def _head(self, reader: asyncio.StreamReader) -> _Head:
        """The head of the answer; what only says that one will come is passed over."""
        while True:
            async with asyncio.timeout(self._timeout):
                raw = await reader.readuntil(b"\r\n\r\n")
            if len(raw) > _HEAD:
                raise ValueError("the head is too long")
            first, *rest = raw[:-4].decode("latin-1").split("\r\n")
            words = first.split(" ", 2)
            if len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].isdecimal():
                raise ValueError("no status line")
            if not words[1].startswith("1"):
                head = _Head(int(words[1]), _headers(rest))
                if words[0] == "HTTP/1.0":
                    head.headers.setdefault("connection", "close")
                return head

    async def _body(self, connection: _Connection, head: _Head, limit: int) -> bytes:
        if head.chunked:
            return await self._chunks(connection.reader, limit)
        length = head.headers.get("content-length")
        if length is None:
            head.headers["connection"] = "close"
            return await self._rest(connection.reader, limit)
        if not length.isdecimal() or int(length) > limit:
            raise ValueError(f"{length} bytes are more than were asked for")
        return await self._exactly(connection.reader, int(length))

    async def _exactly(self, reader: asyncio.StreamReader, length: int) -> bytes:
        parts: list[bytes] = []
        while length:
            async with asyncio.timeout(self._timeout):
                data = await reader.read(length)
            if not data:
                raise EOFError("the body is cut")
            parts.append(data)
            length -= len(data)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def _rest(self, reader: asyncio.StreamReader, limit: int) -> bytes:
        """All up to the end of the connection: nothing says whether that is the whole body, so errors only."""
        body = bytearray()
        while True:
            async with asyncio.timeout(self._timeout):
                data = await reader.read(_HEAD)
            if not data:
                return bytes(body)
            body += data
            if len(body) > limit:
                raise ValueError("more than was asked for")

    async def _chunks(self, reader: asyncio.StreamReader, limit: int) -> bytes:
        body = bytearray()
        while True:
            async with asyncio.timeout(self._timeout):
                line = await reader.readuntil(b"\r\n")
            found = _CHUNK.fullmatch(line)
            if found is None:
                raise ValueError("a chunk does not say how long it is")
            size = int(found[1], 16)
            if len(body) + size > limit:
                raise ValueError("more than was asked for")
            body += await self._exactly(reader, size)
            async with asyncio.timeout(self._timeout):
                ending = await reader.readuntil(b"\r\n")
                while size == 0 and ending != b"\r\n":  # trailers
                    ending = await reader.readuntil(b"\r\n")
            if ending != b"\r\n":
                raise ValueError("a chunk is longer than it says")
            if size == 0:
                return bytes(body)

    # -- connections --------------------------------------------------------------------------------------

    async def _kept(self) -> _Connection | None:
        """A connection that is kept, and on which nothing came since its last answer: that would be taken for ours."""
        while self._idle:
            connection = self._idle.pop()
            if await _is_quiet(connection.reader):
                return connection
            connection.close()
        return None

    async def _connect(self) -> _Connection:
        """A new connection; whatever fails here, nothing was sent."""
        try:
            return await self._dial()
        except (OSError, UnicodeError) as error:
            raise StoreError(self._why_not(error)) from error

    async def _dial(self) -> _Connection:
        """Connect to the first address that answers; each has its share of the time."""
        failure: OSError = OSError("the host has no address")
        addresses = self._addresses()
        for family, address in addresses:
            try:
                async with asyncio.timeout(self._timeout / len(addresses)):
                    return await self._dial_one(family, address)
            except OSError as error:
                failure = error
        raise failure

    async def _dial_one(self, family: int, address: Address) -> _Connection:
        plain = socket.socket(family, socket.SOCK_STREAM)
        plain.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(plain, address)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            name = self._name if self._secure else None
            opened = await asyncio.open_connection(
                sock=plain, ssl=self._tls() if self._secure else None, server_hostname=name, limit=_BUFFER
            )
        except BaseException:
            plain.close()
            raise
        return _Connection(*opened)

    def _addresses(self) -> Sequence[tuple[int, Address]]:
        found = self._resolve(self._name, self._port)
        allowed = self._trust.allowed(found)
        if not allowed:
            raise StoreError(refused(self.place))
        return allowed

    def _tls(self) -> ssl.SSLContext:
        if self._context is None:
            try:
                self._context = ssl.create_default_context(cafile=self._trust.ca_file)
            except OSError as error:
                raise StoreError(f"ca_file {self._trust.ca_file}: no certificates can be read from it") from error
            if not self._trust.verify:
                self._context.check_hostname = False
                self._context.verify_mode = ssl.CERT_NONE
        return self._context

    def _why_not(self, error: Exception) -> str:
        if isinstance(error, socket.gaierror):
            return f'cannot find the host "{self._name}": {error.strerror}'
        if isinstance(error, ssl.SSLCertVerificationError):
            reason = error.verify_message or "unknown reason"
            return f"{self.place} has a certificate that is not trusted ({reason}); name its authority in ca_file"
        if isinstance(error, ssl.SSLError):
            return f"{self.place} does not speak TLS as expected ({error.reason or error}); is it http:// in truth?"
        if isinstance(error, TimeoutError):
            return f"{self.place} accepts no connection within {self._timeout:g} s; is it the right address?"
        if isinstance(error, ConnectionRefusedError):
            return f"{self.place} refuses connections; does the server run, and on this port?"
        return f"cannot connect to {self.place}: {getattr(error, 'strerror', None) or error}"

    async def close(self) -> None:
        """Give the idle connections back; those in use end with their requests."""
        while self._idle:
            self._idle.pop().close()


def _headers(lines: Iterable[str]) -> dict[str, str]:
    """What an answer says, by name.

    Raises:
        ValueError: It says two lengths, so that nobody knows where the next answer begins.
    """
    found: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        name, value = name.strip().lower(), value.strip()
        if name in ("content-length", "transfer-encoding") and found.get(name, value) != value:
            raise ValueError("two lengths")
        found[name] = value
    return found


async def _is_quiet(reader: asyncio.StreamReader) -> bool:
    """Whether nothing is there, not even the end."""
    try:
        async with asyncio.timeout(0):
            await reader.read(1)
    except TimeoutError:
        return True
    except OSError:
        return False
    return False


def _is_over(error: Exception) -> bool:
    """Whether a connection was closed before it said anything: the server had given it up."""
    if isinstance(error, asyncio.IncompleteReadError):
        return not error.partial and error.expected is None
    return isinstance(error, ConnectionError)
