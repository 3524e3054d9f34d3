"""A real InfluxDB 2 on a free port of the loopback, and what a test asks of it through its HTTP API."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from engines.listening import Listening

ORG = "pegel"

Value = int | float | str | bool
Key = tuple[str, str, tuple[tuple[str, str], ...]]
"""Time as `2026-03-03T12:00:00Z`, measurement, tags in order."""

EVERYTHING = "|> range(start: 1970-01-01T00:00:01Z, stop: 2200-01-01T00:00:00Z)"
"""A Flux range over all times."""

_PORT = r'Listening.*\bport"?[=:] ?(\d+)'


@dataclass(frozen=True)
class Reply:
    """What the server answered."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Token:
    """A token, and the id by which it can be revoked."""

    id: str
    text: str


class Server:
    """A running server with one organisation; `stop` ends the process."""

    def __init__(self, program: Path, directory: Path, *options: str) -> None:
        self.operator = ""
        command = [
            str(program),
            "--reporting-disabled",
            "--http-bind-address=127.0.0.1:0",
            f"--bolt-path={directory / 'influxd.bolt'}",
            f"--engine-path={directory / 'engine'}",
            *options,
        ]
        self._running = Listening(command, directory, _PORT, "Listening")
        self._set_up()

    def _set_up(self) -> None:
        setup = {"username": "operator", "password": "a long password", "org": ORG, "bucket": "first"}
        made = self.call("POST", "/api/v2/setup", setup).json()
        self.org_id: str = made["org"]["id"]
        self.operator = made["auth"]["token"]

    @property
    def address(self) -> tuple[str, int]:
        return ("127.0.0.1", self._running.port)

    @property
    def url(self) -> str:
        return self._running.url

    @property
    def pid(self) -> int:
        return self._running.pid

    def stop(self) -> None:
        """End the process, gently."""
        self._running.stop()

    def request(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None, token: str = ""
    ) -> Reply:
        """One request on a connection of its own."""
        sent = {**({"Authorization": f"Token {token}"} if token else {}), **(headers or {})}
        connection = HTTPConnection(*self.address, timeout=120)
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            return Reply(response.status, response.read(), {name.lower(): text for name, text in response.getheaders()})
        finally:
            connection.close()

    def call(self, method: str, path: str, document: object = None) -> Reply:
        """A request to the API as the operator, which must succeed."""
        body = b"" if document is None else json.dumps(document).encode()
        reply = self.request(method, path, body, {"Content-Type": "application/json"}, self.operator)
        if reply.status >= 300:
            raise RuntimeError(f"{method} {path} was answered with {reply.status}: {reply.body[:500]!r}")
        return reply

    def bucket(self, name: str, keep_seconds: int = 0) -> Bucket:
        """A new bucket; points older than `keep_seconds` are refused (0: none)."""
        rules = [{"type": "expire", "everySeconds": keep_seconds}] if keep_seconds else []
        made = self.call("POST", "/api/v2/buckets", {"orgID": self.org_id, "name": name, "retentionRules": rules})
        return Bucket(self, name, made.json()["id"])

    def query(self, flux: str) -> list[dict[str, Any]]:
        """The records of a Flux query, with their types."""
        document = {"query": flux, "dialect": {"annotations": ["datatype"], "header": True}}
        reply = self.request(
            "POST",
            f"/api/v2/query?org={ORG}",
            json.dumps(document).encode(),
            {"Content-Type": "application/json", "Accept-Encoding": "gzip"},
            self.operator,
        )
        text = gzip.decompress(reply.body) if reply.headers.get("content-encoding") == "gzip" else reply.body
        if reply.status != 200:
            raise RuntimeError(f"the query was answered with {reply.status}: {text[:500]!r}")
        return list(_records(text.decode()))


@dataclass
class Bucket:
    """A bucket of a server, with tokens that may do no more than their names say."""

    server: Server
    name: str
    id: str
    _tokens: dict[tuple[str, ...], Token] = field(default_factory=dict)

    def new_token(self, *actions: str) -> Token:
        """A new token for this bucket alone."""
        resource = {"type": "buckets", "id": self.id, "orgID": self.server.org_id}
        permissions = [{"action": action, "resource": resource} for action in actions]
        document = {"orgID": self.server.org_id, "permissions": permissions}
        made = self.server.call("POST", "/api/v2/authorizations", document).json()
        return Token(made["id"], made["token"])

    def _token(self, *actions: str) -> Token:
        if actions not in self._tokens:
            self._tokens[actions] = self.new_token(*actions)
        return self._tokens[actions]

    @property
    def write_only(self) -> Token:
        return self._token("write")

    @property
    def read_only(self) -> Token:
        return self._token("read")

    @property
    def read_and_write(self) -> Token:
        return self._token("read", "write")

    def revoke(self, token: Token) -> None:
        """Delete an authorization: whoever uses its token is refused from now on."""
        self.server.call("DELETE", f"/api/v2/authorizations/{token.id}")
        self._tokens = {actions: one for actions, one in self._tokens.items() if one.id != token.id}

    def write(self, lines: str | bytes, *, token: str | None = None, headers: Mapping[str, str] | None = None) -> Reply:
        """Line protocol in seconds, as it is."""
        body = lines.encode() if isinstance(lines, str) else lines
        path = f"/api/v2/write?org={ORG}&bucket={self.name}&precision=s"
        return self.server.request("POST", path, body, headers, self.write_only.text if token is None else token)

    def query(self, pipeline: str) -> list[dict[str, Any]]:
        """What Flux makes of this bucket: `from(bucket) PIPELINE`."""
        return self.server.query(f'from(bucket: "{self.name}") {pipeline}')

    def points(self) -> dict[Key, dict[str, Value]]:
        """Everything in this bucket."""
        found: defaultdict[Key, dict[str, Value]] = defaultdict(dict)
        for record in self.query(f'{EVERYTHING} |> drop(columns: ["_start", "_stop"])'):
            tags = tuple(sorted((name, text) for name, text in record.items() if name[0] != "_"))
            found[record["_time"], record["_measurement"], tags][record["_field"]] = record["_value"]
        return dict(found)


def _records(text: str) -> Iterator[dict[str, Any]]:
    """The records of annotated CSV; empty columns do not exist in their table."""
    types: list[str] = []
    names: list[str] = []
    for row in csv.reader(io.StringIO(text)):
        if not row:
            names = []
        elif row[0] == "#datatype":
            types, names = row, []
        elif not names:
            names = row
        else:
            cells = zip(names[1:], types[1:], row[1:], strict=True)
            yield {name: typed(kind, cell) for name, kind, cell in cells if name not in ("result", "table")}


def typed(kind: str, cell: str) -> Value:
    """A cell of annotated CSV."""
    if kind in ("long", "unsignedLong"):
        return int(cell)
    if kind == "double":
        return float(cell)
    if kind == "boolean":
        return cell == "true"
    if kind.startswith("dateTime"):
        return f"{datetime.fromisoformat(cell).astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return cell
