"""The sink `influxdb2`: points as line protocol to the write API of InfluxDB 2."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

from pegel import clocks
from pegel.errors import Permanent, Retryable
from pegel.reaching import Trust
from pegel.secret import Secret
from pegel.sinks import Point, Sink
from pegel.sinks.halving import Refusal, faults_of, refused_rows
from pegel.sinks.influx import lines
from pegel.sinks.influx_answers import refusal, trouble
from pegel.sinks.influx_queries import newest_flux, read_newest
from pegel.sinks.posting import Poster, Reply, split_url
from pegel.units import Duration

_NOTHING = b"# pegel asks whether it may write\n"
"""A comment: all that a write needs is looked at, and nothing is stored."""

_LONGEST_TIMEOUT = 300.0
_LONGEST_PROBE = 9.0
"""Seconds."""


@dataclass(kw_only=True)
class Influxdb2(Sink):
    """Write the points to a bucket of an InfluxDB 2.

    The measurement is the metric, the tags are the labels, the fields are the values, the time is the start of
    the window in seconds. A later value of the same window replaces the earlier one. Rows that the server can
    never take (another type than a field has, older than the bucket keeps) are found and set aside as dead
    letters, all others are stored. A token that is refused, a missing bucket or a server that is away lose
    nothing: it is tried again until it works, and at once when the file of the token has changed.

    Options:
        url: Address of the server, with its base path if it has one.
        org: Name or id of the organisation.
        bucket: Name or id of the bucket.
        token: API token with the right to write to the bucket; it needs no other right. `token_file` names a file
            that holds it, and is read again when it changes.
        timeout: Time for a whole request, from the connection to the end of the answer.
        ca_file: Certificates of the authorities to trust in the place of the system's (PEM).
        insecure_skip_verify: Believe any certificate, so that anybody on the way can read the token; needs
            `i_know = true` beside it.
        i_know: See insecure_skip_verify.
        allow_link_local: The address may be a link-local one, where clouds hand out credentials.

    Example:
        [[sinks]]
        name = "influx"
        type = "influxdb2"
        url = "http://localhost:8086"
        org = "example"
        bucket = "telemetry"
        token = "${INFLUX_TOKEN}"
    """

    url: str
    org: str
    bucket: str
    token: Secret
    timeout: Duration = Duration(10.0)
    ca_file: Path | None = None
    insecure_skip_verify: bool = False
    i_know: bool = False
    allow_link_local: bool = False
    _wall: Callable[[], float] = field(default=time.time, init=False, repr=False, compare=False)
    _poster: Poster | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            split_url(self.url)
        except ValueError as error:
            raise ValueError(f"url: {error}") from error
        for name, text in (("org", self.org), ("bucket", self.bucket)):
            if not text:
                raise ValueError(f"{name}: is empty")
        if not self.token:
            raise ValueError("token: is empty")
        if not 0 < self.timeout <= _LONGEST_TIMEOUT:
            raise ValueError("timeout: has to be more than nothing and at most 5m")
        if self.ca_file is not None and not self.ca_file.is_file():
            raise ValueError("ca_file: there is no such file")
        if self.insecure_skip_verify and not self.i_know:
            raise ValueError(
                "insecure_skip_verify: anybody on the way could read the token; name the authority in ca_file,"
                " or say i_know = true as well"
            )

    @property
    def overwrites(self) -> bool:
        return True

    @property
    def remote(self) -> bool:
        return True

    @property
    def late(self) -> Duration:
        return Duration(2 * self.timeout)

    def encode(self, points: Sequence[Point]) -> bytes:
        """A line per point; a point without a usable value is a comment, so that lines can be counted."""
        return "".join([f"{line or '#'}\n" for line in lines(points)]).encode()

    def send(self, payload: bytes) -> None:
        rows = payload.splitlines(keepends=True)
        whole = [number for number, row in enumerate(rows) if not row.startswith(b"#")]
        refused = refused_rows(
            whole,
            lambda part: self._write(b"".join([rows[number] for number in part])),
            self._check_that_rows_are_meant,
        )
        if refused:
            reasons, faults = faults_of(refused)
            raise Permanent(next(iter(reasons.values())), reasons, faults)

    def mended(self) -> bool:
        return self.token.renew()

    def probe(self) -> Sequence[str]:
        found = []
        if self.insecure_skip_verify:
            found.append("insecure_skip_verify is on: anybody on the way can read the token")
        poster = self._new_poster(min(self.timeout, _LONGEST_PROBE))
        try:
            reply = self._post(poster, _NOTHING)
            if reply.status != 204:
                found.append(str(self._trouble(reply)))
            apart = clocks.complaint(reply.headers.get("date", ""), self._wall(), self.url)
            found += [apart] if apart else []
        except Retryable as error:
            found.append(str(error))
        finally:
            poster.close()
        return found

    def stored(self, metrics: Sequence[str]) -> Mapping[str, int]:
        poster = self._new_poster(min(self.timeout, _LONGEST_PROBE))
        try:
            return read_newest(self._ask(poster, newest_flux(self.bucket, metrics)), self.bucket)
        finally:
            poster.close()

    def close(self) -> None:
        if self._poster is not None:
            self._poster.close()
            self._poster = None

    # -- rows ---------------------------------------------------------------------------------------------

    def _write(self, body: bytes) -> Refusal | None:
        """Store these rows; what is said against one of them, None if they are stored."""
        reply = self._post(self._current(), body)
        if reply.status == 204:
            return None
        verdict = refusal(reply)
        if verdict is None:
            raise self._trouble(reply)
        return verdict

    def _check_that_rows_are_meant(self, verdict: Refusal) -> None:
        """A refusal may be about every request; then no row is to blame, and nothing is taken either."""
        reply = self._post(self._current(), _NOTHING)
        if reply.status != 204:
            raise Retryable(f"{self.url} refuses every write: {verdict.reason}", after=60.0, unsure=False)

    # -- requests -----------------------------------------------------------------------------------------

    def _post(self, poster: Poster, body: bytes) -> Reply:
        query = urlencode({"org": self.org, "bucket": self.bucket, "precision": "s"})
        return self._request(poster, f"/api/v2/write?{query}", "text/plain; charset=utf-8", body)

    def _ask(self, poster: Poster, flux: str) -> Reply:
        query = urlencode({"org": self.org})
        return self._request(poster, f"/api/v2/query?{query}", "application/vnd.flux", flux.encode())

    def _request(self, poster: Poster, target: str, kind: str, body: bytes) -> Reply:
        self.token.renew()
        token = self.token.reveal()
        if not token.isascii() or not token.isprintable() or " " in token:
            raise Retryable("the token has characters that no token has; is it in one line?", after=60.0, unsure=False)
        headers = {"Authorization": f"Token {token}", "Content-Type": kind}
        return poster.post(target, headers, body).without(token)

    def _current(self) -> Poster:
        if self._poster is None:
            self._poster = self._new_poster(self.timeout)
        return self._poster

    def _new_poster(self, timeout: float) -> Poster:
        return Poster(self.url, timeout, Trust(self.ca_file, not self.insecure_skip_verify, self.allow_link_local))

    def _trouble(self, reply: Reply) -> Retryable:
        return trouble(reply, self.url, self.bucket)
