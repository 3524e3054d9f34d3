"""The older interface of InfluxDB (`/write`, `/query`): a real InfluxDB 1, and a database behind any of its kind."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode

from engines.listening import Listening

_CONFIG = """
reporting-enabled = false
bind-address = "127.0.0.1:0"
[meta]
dir = "{directory}/meta"
[data]
dir = "{directory}/data"
wal-dir = "{directory}/wal"
[monitor]
store-enabled = false
[http]
bind-address = "127.0.0.1:0"
log-enabled = false
"""


class Influxdb1(Listening):
    """A running InfluxDB 1 without users."""

    def __init__(self, program: Path, directory: Path) -> None:
        file = directory / "influxdb.conf"
        file.write_text(_CONFIG.format(directory=directory), encoding="utf-8")
        command = [str(program), "-config", str(file)]
        super().__init__(command, directory, r"Listening on HTTP.*\baddr\W+[\d.]+:(\d+)", "Listening for signals")

    def database(self, name: str) -> Database:
        """A new one."""
        status, answer = self.request("POST", "/query?" + urlencode({"q": f'CREATE DATABASE "{name}"'}))
        assert status == 200, answer
        return Database(self.request, name)


class _Asks(Protocol):
    def __call__(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]: ...


@dataclass(frozen=True)
class Database:
    """A database behind the older interface, whoever serves it.

    Attributes:
        asks: Sends a request to its server.
        name: Of the database.
        writer: Headers of who writes.
        reader: Headers of who reads.
    """

    asks: _Asks
    name: str
    writer: Mapping[str, str] = field(default_factory=dict)
    reader: Mapping[str, str] = field(default_factory=dict)

    def write(self, lines: str) -> int:
        """Line protocol in seconds; the status."""
        path = "/write?" + urlencode({"db": self.name, "precision": "s"})
        status, _ = self.asks("POST", path, lines.encode(), self.writer)
        return status

    def query(self, text: str) -> Sequence[Mapping[str, Any]]:
        """The series that a statement finds, with times in milliseconds.

        Raises:
            RuntimeError: The statement was refused; the sentence is the server's.
        """
        path = "/query?" + urlencode({"db": self.name, "epoch": "ms", "q": text})
        status, body = self.asks("GET", path, b"", self.reader)
        answer = json.loads(body)
        (result,) = answer.get("results", [answer])
        if status != 200 or "error" in result:
            raise RuntimeError(f"{text} was answered with {status}: {result.get('error', answer)}")
        found: Sequence[Mapping[str, Any]] = result.get("series", [])
        return found
