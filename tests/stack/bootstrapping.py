"""A real InfluxDB 2 that the stack's own script sets up: buckets, tokens, the user of the v1 interface."""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from engines.conftest import program_or_skip
from engines.influxdb import Server
from engines.proxy import Proxy
from stack.project import ROOT

SCRIPT = ROOT / "stack" / "start" / "influxdb-bootstrap.sh"
USER = "jitsi"
"""Of the v1 interface, and his bucket."""


class Fresh(Server):
    """A server that nobody has set up."""

    def _set_up(self) -> None:
        self.operator = "the-operators-token"


@dataclass
class Stack:
    """The script, its server, and a proxy between them that counts."""

    server: Server
    proxy: Proxy
    directory: Path

    @property
    def tokens(self) -> Path:
        return self.directory / "tokens"

    def start(self, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run the script, as at the start of the container."""
        secrets = self.directory / "secrets"
        secrets.mkdir(exist_ok=True)
        (secrets / "operator-token").write_text(f"{self.server.operator}\n")
        (secrets / "admin-password").write_text('A "password" of 2 \\ operators\n')
        self.proxy.seen.clear()
        settings = {
            "PATH": os.environ["PATH"],
            "INFLUX_ADDRESS": self.proxy.url,
            "OPERATOR_TOKEN_FILE": str(secrets / "operator-token"),
            "ADMIN_PASSWORD_FILE": str(secrets / "admin-password"),
            "TOKENS": str(self.tokens),
        }
        command = [shutil.which("dash") or "sh", str(SCRIPT)]
        return subprocess.run(command, env={**settings, **environ}, capture_output=True, text=True, check=False)

    def written(self) -> list[str]:
        """What the last start has asked the server to change."""
        return [f"{one.method} {one.path}" for one in self.proxy.seen if one.method != "GET"]

    def token(self, name: str) -> str:
        return (self.tokens / name).read_text().strip()

    def status(self, token: str, method: str, path: str, body: bytes = b"") -> int:
        """What the server says to somebody with this token."""
        return self.server.request(method, path, body, token=token).status

    def version1(self, password: str, method: str, path: str, body: bytes = b"") -> int:
        """What the v1 interface says to its user."""
        return self.server.request(method, path, body, as_user(password)).status

    def may_write(self, token: str, bucket: str) -> bool:
        path = f"/api/v2/write?org=pegel&bucket={bucket}&precision=s"
        return self.status(token, "POST", path, b"m v=1i 1790000000") == 204

    def may_read(self, token: str, bucket: str) -> bool:
        query = f'{{"query": "from(bucket: \\"{bucket}\\") |> range(start: -1m)"}}'.encode()
        headers = {"Content-Type": "application/json"}
        return self.server.request("POST", "/api/v2/query?org=pegel", query, headers, token).status == 200


def as_user(password: str) -> dict[str, str]:
    """Who asks: the user of the v1 interface, as Telegraf says it."""
    return {"Authorization": f"Basic {base64.b64encode(f'{USER}:{password}'.encode()).decode()}"}


@contextlib.contextmanager
def fresh(directory: Path) -> Iterator[Stack]:
    """A server that is not set up yet, with the script beside it; the test is skipped where one cannot be had."""
    program = program_or_skip("influxdb2")
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed: `apt install curl`")
    server = Fresh(program, directory, "--hardening-enabled", "--strong-passwords")
    try:
        with Proxy(server.address) as proxy:
            yield Stack(server, proxy, directory)
    finally:
        server.stop()
