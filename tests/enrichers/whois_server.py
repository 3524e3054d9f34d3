"""A whois server on loopback that answers in bulk, and every way in which one can fail."""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

HEADER = "Bulk mode; whois.cymru.com [2026-03-03 12:00:00 +0000]\n"

Reply = Callable[[list[str]], bytes]


def routes(table: Iterable[tuple[str, str, str]]) -> Reply:
    """Answers from (prefix, number, name) as the real server does: the longest prefix, NA where there is none."""
    known = [(ipaddress.ip_network(prefix), number, name) for prefix, number, name in table]

    def reply(addresses: list[str]) -> bytes:
        lines = [HEADER]
        for text in addresses:
            around = [row for row in known if ipaddress.ip_address(text) in row[0]]
            if around:
                prefix, number, name = max(around, key=lambda row: row[0].prefixlen)
                lines.append(f"{number:<7} | {text:<16} | {prefix!s:<19} | DE | ripencc  | 2001-05-07 | {name}\n")
            else:
                lines.append(f"NA      | {text:<16} | NA                  |    |          |            | NA\n")
        return "".join(lines).encode()

    return reply


class FakeWhois:
    """Listens while it is open.

    Attributes:
        queries: Addresses of each query.
        asked: Set once a query was read.
        gate: Answers wait for it; it is open unless a test closes it.
        hang: Keep the connection after the answer, as a server does that null-routes or never ends.
    """

    def __init__(self, reply: Reply = lambda _: b"", *, hang: bool = False) -> None:
        self.reply = reply
        self.hang = hang
        self.queries: list[list[str]] = []
        self.raw: list[bytes] = []
        self.asked = threading.Event()
        self.gate = threading.Event()
        self.gate.set()
        self._stop = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.05)
        self.port = int(self._listener.getsockname()[1])
        self._held: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self.gate.set()
        self._thread.join(5)
        for held in [*self._held, self._listener]:
            held.close()

    def _serve(self) -> None:
        while not self._stop.is_set():
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            try:
                self._answer(connection)
            except OSError:
                connection.close()

    def _answer(self, connection: socket.socket) -> None:
        connection.settimeout(5)
        said = b""
        while not said.endswith(b"end\n"):
            piece = connection.recv(65536)
            if not piece:
                break
            said += piece
        lines = said.decode().splitlines()
        self.raw.append(said)
        self.queries.append(lines[2:-1])
        self.asked.set()
        assert self.gate.wait(5)
        connection.sendall(self.reply(lines[2:-1]))
        if self.hang:
            self._held.append(connection)
        else:
            connection.close()
