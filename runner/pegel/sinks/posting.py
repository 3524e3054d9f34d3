"""HTTP requests of sinks: one connection that is kept, one deadline for all of a request, nothing followed.

A redirect is an answer like any other, no proxy of the environment is used, an answer is read up to a limit.
What fails is a Retryable in the operator's words, which says whether anything may have arrived.
"""

from __future__ import annotations

import io
import select
import socket
import ssl
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.parse import SplitResult, urlsplit

from pegel.errors import Retryable
from pegel.reaching import PORTS, Address, Resolve, Trust, refused, resolve
from pegel.sinks.safe_text import clean

MAX_REPLY = 64 * 1024
"""Bytes of an answer that are read; whoever says more is cut off."""

_WORTH_PACKING = 1024
"""Bytes; a smaller body is sent as it is."""


@dataclass(frozen=True)
class Reply:
    """An answer. Names of headers are in lower case; `body` is at most MAX_REPLY long."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def without(self, secret: str) -> Reply:
        """The answer with `***` wherever it quotes a secret that was sent; some servers and proxies do."""
        if not secret:
            return self
        headers = {name: value.replace(secret, "***") for name, value in self.headers.items()}
        return Reply(self.status, headers, self.body.replace(secret.encode(), b"***"))


def split_url(url: str) -> SplitResult:
    """The parts of the URL of a server.

    Raises:
        ValueError: It is none, or says more than where the server is; the message does not quote it.
    """
    if not url.isprintable() or " " in url:
        raise ValueError("has a blank or a control character in it")
    if not url.isascii():
        raise ValueError("has characters other than ASCII; write such a host in its xn-- form")
    if "://" not in url:
        raise ValueError('needs its scheme in front, as in "http://localhost:8086"')
    parts = _split(url)
    if parts.scheme not in PORTS:
        raise ValueError("has to begin with http:// or https://")
    if "@" in parts.netloc:
        raise ValueError("has a user or a password in it; credentials have options of their own")
    if parts.query or parts.fragment:
        raise ValueError("ends in a query (? or #); give the address of the server alone")
    if not parts.hostname or not _has_port(parts):
        raise ValueError("has no host, or no valid port")
    return parts


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError as error:
        raise ValueError("has no host, or no valid port") from error


def _has_port(parts: SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:
        return False


class Poster:
    """Sends requests to one server, one at a time."""

    def __init__(self, url: str, timeout: float, trust: Trust | None = None, resolve: Resolve = resolve) -> None:
        """Connects with the first request.

        Args:
            url: Address of the server, with or without a base path.
            timeout: Seconds for a whole request, from the connection to the end of the answer.
            trust: Whom to believe.
            resolve: Finds the addresses of a host.
        """
        parts = split_url(url)
        self._parts = parts
        self._host = parts.hostname or ""
        self._port = parts.port or PORTS[parts.scheme]
        self.place = f"{parts.scheme}://{parts.netloc}"
        self._base = parts.path.rstrip("/")
        self._timeout = timeout
        self._trust = trust or Trust()
        self._resolve = resolve
        self._socket: socket.socket | None = None

    def post(self, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Send a request and wait for its answer, whatever that is.

        Args:
            target: Path and query below the base path.
            headers: Beside those of every request.
            body: Sent under gzip where that is worth it and no header says that it is packed already.

        Raises:
            Retryable: There was no answer.
        """
        packed = "Content-Encoding" in headers or len(body) < _WORTH_PACKING
        more = {} if packed else {"Content-Encoding": "gzip"}
        return self._ask("POST", target, {**headers, **more}, body if packed else _gzip(body))

    def get(self, target: str, headers: Mapping[str, str]) -> Reply:
        """Ask for something; see `post`."""
        return self._ask("GET", target, headers, None)

    def _ask(self, method: str, target: str, headers: Mapping[str, str], body: bytes | None) -> Reply:
        deadline = _Deadline(self._timeout)
        connection = self._connected(deadline)
        try:
            return self._exchange(connection, method, self._request(method, target, headers, body), deadline)
        except TimeoutError as error:
            self.close()
            raise Retryable(f"{self.place} did not answer within {self._timeout:g} s") from error
        except OSError as error:
            self.close()
            raise Retryable(f"{self.place} broke the connection before it answered") from error
        except HTTPException as error:
            self.close()
            raise Retryable(f"{self.place} gave an answer that is none ({type(error).__name__})") from error

    def close(self) -> None:
        """Give the connection back; the next request makes a new one."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _request(self, method: str, target: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
        lines = [f"{method} {self._base}{target} HTTP/1.1", f"Host: {self._parts.netloc}", "User-Agent: pegel"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        lines += [] if body is None else [f"Content-Length: {len(body)}"]
        head = "\r\n".join(lines) + "\r\n\r\n"
        return head.encode("ascii") + (body or b"")

    def _exchange(self, connection: socket.socket, method: str, request: bytes, deadline: _Deadline) -> Reply:
        sent = _send(connection, request, deadline)
        response = HTTPResponse(_Incoming(connection, deadline), method=method)  # type: ignore[arg-type]
        try:
            response.begin()
            body = response.read(MAX_REPLY)
            whole = response.isclosed() or response.length == 0
            reply = Reply(response.status, {name.lower(): value for name, value in response.getheaders()}, body)
        finally:
            response.close()
        if response.will_close or not whole or not sent:
            self.close()
        return reply

    # -- the connection ---------------------------------------------------------------------------------

    def _connected(self, deadline: _Deadline) -> socket.socket:
        if self._socket is not None and _has_news(self._socket):
            self.close()  # nothing was asked: the server has closed it, or is not one
        if self._socket is None:
            self._socket = self._connect(deadline)
        return self._socket

    def _connect(self, deadline: _Deadline) -> socket.socket:
        """A new connection; whatever fails here, nothing was sent."""
        try:
            connection = _dial(self._addresses(), deadline)
            return self._secured(connection, deadline) if self._parts.scheme == "https" else connection
        except OSError as error:
            raise Retryable(self._why_not(error), unsure=False) from error
        except UnicodeError as error:
            raise Retryable(f'"{self._host}" is no name of a host; correct the url', 60.0, unsure=False) from error

    def _addresses(self) -> Sequence[tuple[int, Address]]:
        found = self._resolve(self._host, self._port)
        allowed = self._trust.allowed(found)
        if not allowed:
            raise Retryable(
                refused(self.place),
                after=60.0,
                unsure=False,
            )
        return allowed

    def _secured(self, connection: socket.socket, deadline: _Deadline) -> socket.socket:
        try:
            connection.settimeout(deadline.left())
            return _context(self._trust).wrap_socket(connection, server_hostname=self._host)
        except (OSError, Retryable):
            connection.close()
            raise

    def _why_not(self, error: OSError) -> str:
        if isinstance(error, socket.gaierror):
            return f'cannot find the host "{self._host}": {error.strerror}'
        if isinstance(error, ssl.SSLCertVerificationError):
            reason = clean(error.verify_message or str(error), 200)
            return f"{self.place} has a certificate that is not trusted ({reason}); name its authority in ca_file"
        if isinstance(error, ssl.SSLError):
            return f"{self.place} does not speak TLS as expected ({error.reason or error}); is it http:// in truth?"
        if isinstance(error, TimeoutError):
            return f"{self.place} accepts no connection within {self._timeout:g} s; is it the right address?"
        if isinstance(error, ConnectionRefusedError):
            return f"{self.place} refuses connections; does the server run, and on this port?"
        return f"cannot connect to {self.place}: {error.strerror or error}"


@dataclass
class _Deadline:
    """The end of a request."""

    seconds: float
    _end: float = field(init=False)

    def __post_init__(self) -> None:
        self._end = time.monotonic() + self.seconds

    def left(self, share: int = 1) -> float:
        """Seconds for one of `share` things that are still to be done; raises TimeoutError if there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left / share


class _Incoming(io.RawIOBase):
    """What a socket receives before the deadline, however slowly it drips; a response wants it as a file."""

    def __init__(self, connection: socket.socket, deadline: _Deadline) -> None:
        self._connection = connection
        self._deadline = deadline

    def makefile(self, mode: str) -> io.BufferedReader:  # noqa: ARG002 (how a response asks)
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._connection.settimeout(self._deadline.left())
        return self._connection.recv_into(buffer)


def _dial(addresses: Sequence[tuple[int, Address]], deadline: _Deadline) -> socket.socket:
    """Connect to the first address that answers; each has its share of the time."""
    for number, (family, address) in enumerate(addresses):
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            connection.settimeout(deadline.left(len(addresses) - number))
            connection.connect(address)
        except OSError:
            connection.close()
            if number == len(addresses) - 1:
                raise
        else:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            return connection
    raise OSError("the host has no address")


def _context(trust: Trust) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=trust.ca_file)
    except OSError as error:
        raise Retryable(f"ca_file {trust.ca_file}: no certificates can be read from it", unsure=False) from error
    if trust.cert_file is not None:
        try:
            context.load_cert_chain(trust.cert_file, trust.key_file)
        except OSError as error:
            message = f"cert_file {trust.cert_file}: no certificate with a key that fits can be read"
            raise Retryable(message, unsure=False) from error
    if not trust.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _send(connection: socket.socket, request: bytes, deadline: _Deadline) -> bool:
    """Send it all; false if the server stopped listening, which it may do after an early answer."""
    rest = memoryview(request)
    try:
        while rest:
            connection.settimeout(deadline.left())
            rest = rest[connection.send(rest) :]
    except (BrokenPipeError, ConnectionResetError):
        return False
    return True


def _has_news(connection: socket.socket) -> bool:
    """Whether an idle connection has something to read: its end, mostly."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))


def _gzip(body: bytes) -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    return packer.compress(body) + packer.flush()
