"""A server that a test starts on a free port of the loopback."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection
from pathlib import Path

START_TIMEOUT = 30.0


class Listening:
    """A server of a test: its port is read from its log, it is ended by its own pid.

    Args:
        command: What to start.
        directory: Where it works, and its home.
        port: A pattern of the line of its log that says the port.
        ready: What its log says when it can be asked.
    """

    def __init__(self, command: Sequence[str], directory: Path, port: str, ready: str) -> None:
        self._lines: list[str] = []
        self._known = threading.Event()
        self._never = threading.Event()
        self._says = (re.compile(port), ready)
        self.port = 0
        self._process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=directory,
            env={"PATH": "/usr/bin:/bin", "HOME": str(directory)},
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._known.wait(START_TIMEOUT)
        if not self.port:
            self.stop()
            raise RuntimeError(f"{command[0]} does not listen:\n" + "".join(self._lines[-20:]))

    def _read(self) -> None:
        """Empty the pipe for as long as the process lives."""
        assert self._process.stdout is not None
        port, (pattern, ready) = 0, self._says
        for line in self._process.stdout:
            self._lines = [*self._lines[-200:], line]
            if found := pattern.search(line):
                port = int(found[1])
            if port and not self.port and any(ready in one for one in self._lines):
                self.port = port
                self._known.set()
        self._known.set()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def place(self) -> tuple[str, int]:
        """Host and port."""
        return "127.0.0.1", self.port

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def log(self) -> str:
        """The last lines that it wrote."""
        return "".join(self._lines)

    def stop(self) -> None:
        """End the process, gently."""
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def request(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Status and body of one request on a connection of its own."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def page(self) -> str:
        """Its own metrics."""
        status, body = self.request("GET", "/metrics")
        assert status == 200, body[:500]
        return body.decode()
