"""The sink `remote_write`: samples to a Prometheus, or to whatever takes what it would send."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pegel import clocks
from pegel.errors import Permanent, Retryable
from pegel.reaching import Trust
from pegel.secret import Secret
from pegel.sinks import Point, Sampling, Sink
from pegel.sinks.halving import Refusal, faults_of, refused_rows
from pegel.sinks.posting import Poster, Reply, split_url
from pegel.sinks.receiver import doubts
from pegel.sinks.samples import Encoder, Frame, frames
from pegel.sinks.write_answers import is_stored, is_unsupported, refusal, trouble
from pegel.sinks.write_queries import RANGES, newest
from pegel.sinks.write_request2 import Translator
from pegel.units import Duration

_MOST_SHARDS = 64
_LONGEST_TIMEOUT = 300.0
_LONGEST_PROBE = 9.0
"""Seconds for all that a probe asks."""

_USUAL_WINDOW = 3600.0
"""Seconds back from its newest sample that a Prometheus takes where nothing else is set."""

_MARGIN = 300.0
"""Seconds before a sample would be too old at which it is no longer begun with: sending takes time, clocks differ."""

_TOO_OLD = Refusal("older than the receiver takes", fault="outside_retention")

_HEADERS = {
    "1.0": {"Content-Type": "application/x-protobuf", "X-Prometheus-Remote-Write-Version": "0.1.0"},
    "2.0": {
        "Content-Type": "application/x-protobuf;proto=io.prometheus.write.v2.Request",
        "X-Prometheus-Remote-Write-Version": "2.0.0",
    },
}


@dataclass(kw_only=True)
class RemoteWrite(Sink):
    """Write samples to a Prometheus server, or to anything that takes remote writes.

    A sample has the time at which its window ends. A counter or a histogram is the total of all closed windows: it
    begins with a 0 so that `increase()` sees its first step, has a sample with every window while it lives, and ends
    with a stale marker. A gauge is that of the window; a window that is corrected later cannot be corrected there,
    which is counted. What is late is in the next total. What the receiver cannot take any more after an outage is
    in the total as well: that comes in one step as soon as it takes samples again.

    Prometheus needs `--web.enable-remote-write-receiver`, and in its configuration

        storage: { tsdb: { out_of_order_time_window: 2h } }

    or longer, for samples of several windows after an outage; the same is said here as `out_of_order_window`.
    Every series has the label `runner`: two runners never write one series. `pegel check --connect` looks at all
    of this.

    Options:
        url: Address that takes writes; of a Prometheus `http://HOST:9090/api/v1/write`.
        out_of_order_window: What the receiver has as `out_of_order_time_window`. Samples that are older are not
            sent; without it, or below an hour, that is an hour, and five minutes less for safety.
        series_idle: A counter that has not grown for so long gets a stale marker, and goes on when it grows again.
        runner_label: Name of the label that tells runners apart; empty for none.
        runner: Value of that label; a random name of the state if nothing is said.
        shards: Requests that may be under way side by side, for a receiver that is far away; each series has its
            place in one of them. Another number is taken when nothing waits any more.
        protocol: `1.0`, or `2.0`, which falls back to 1.0 where it is not understood.
        user: Name for basic authentication, with `password`.
        password: See user. `password_file` names a file that holds it, and is read again when it changes.
        token: Sent as `Authorization: Bearer ...`. `token_file` names a file that holds it, and is read again when
            it changes.
        headers: More headers for every request, such as `X-Scope-OrgID`.
        timeout: Time for a whole request, from the connection to the end of the answer.
        ca_file: Certificates of the authorities to trust in the place of the system's (PEM).
        cert_file: Certificate by which the receiver knows this runner (PEM).
        key_file: Its key; not needed where it is in the same file.
        insecure_skip_verify: Believe any certificate, so that anybody on the way can read what is sent; needs
            `i_know = true` beside it.
        i_know: See insecure_skip_verify.
        allow_link_local: The address may be a link-local one, where clouds hand out credentials.

    Example:
        [[sinks]]
        name = "prometheus"
        type = "remote_write"
        url = "http://localhost:9090/api/v1/write"
        out_of_order_window = "2h"
    """

    url: str
    out_of_order_window: Duration = Duration(0.0)
    series_idle: Duration = Duration(900.0)
    runner_label: str = "runner"
    runner: str = ""
    shards: int = 1
    protocol: Literal["1.0", "2.0"] = "1.0"
    user: str = ""
    password: Secret | None = None
    token: Secret | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: Duration = Duration(30.0)
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    insecure_skip_verify: bool = False
    i_know: bool = False
    allow_link_local: bool = False
    _wall: Callable[[], float] = field(default=time.time, init=False, repr=False, compare=False)
    _poster: Poster | None = field(default=None, init=False, repr=False, compare=False)
    _encoder: Encoder | None = field(default=None, init=False, repr=False, compare=False)
    _translator: Translator | None = field(default=None, init=False, repr=False, compare=False)
    _progress: _Progress = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._check_address()
        self._check_credentials()
        if not 0 < self.shards <= _MOST_SHARDS:
            raise ValueError(f"shards: has to be 1 to {_MOST_SHARDS}")
        if self.series_idle <= 0:
            raise ValueError("series_idle: has to be more than nothing")
        if self.runner_label and not re.fullmatch(
            r"[a-zA-Z][a-zA-Z0-9_]*|_[a-zA-Z0-9][a-zA-Z0-9_]*", self.runner_label
        ):
            raise ValueError("runner_label: is no name of a label; letters, digits and _")
        if not 0 < self.timeout <= _LONGEST_TIMEOUT:
            raise ValueError("timeout: has to be more than nothing and at most 5m")
        self._own: Mapping[str, str] = {}
        self._of_totals: Mapping[str, str] = {}
        self._progress = _Progress(b"")
        self._version = self.protocol

    def _check_address(self) -> None:
        try:
            parts = split_url(self.url)
        except ValueError as error:
            raise ValueError(f"url: {error}") from error
        if parts.path in ("", "/"):
            raise ValueError("url: is the address of a server; that of writes is longer, as in /api/v1/write")
        self._server, self._path = f"{parts.scheme}://{parts.netloc}", parts.path
        for name, file in (("ca_file", self.ca_file), ("cert_file", self.cert_file), ("key_file", self.key_file)):
            if file is not None and not file.is_file():
                raise ValueError(f"{name}: there is no such file")
        if self.key_file is not None and self.cert_file is None:
            raise ValueError("key_file: needs cert_file beside it")
        if self.insecure_skip_verify and not self.i_know:
            raise ValueError(
                "insecure_skip_verify: anybody on the way could read what is sent; name the authority in ca_file,"
                " or say i_know = true as well"
            )

    def _check_credentials(self) -> None:
        if self.user and not self.password:
            raise ValueError("user: needs a password beside it")
        if self.password and not self.user:
            raise ValueError("password: needs a user beside it")
        if self.user and self.token is not None:
            raise ValueError("token: user and password are given; choose one of them")
        if ":" in self.user:
            raise ValueError("user: has a colon in it, which ends a name in basic authentication")
        for name, text in self.headers.items():
            if not re.fullmatch(r"[A-Za-z0-9-]+", name) or not text.isascii() or not text.isprintable():
                raise ValueError(f'headers: "{name}" is no header; letters, digits and -, and a value in one line')
            if name.lower() in {"authorization", "content-encoding", "content-length", "content-type", "host"}:
                raise ValueError(f'headers: "{name}" is set by the sink itself')

    @property
    def remote(self) -> bool:
        return True

    @property
    def sampling(self) -> Sampling:
        return Sampling(reach=Duration(self._window - _MARGIN), idle=self.series_idle, shards=self.shards)

    @property
    def _window(self) -> float:
        """How old a sample may be, in seconds."""
        return max(_USUAL_WINDOW, self.out_of_order_window)

    def introduce(self, identity: str, backfill: str = "") -> None:
        runner = {self.runner_label: self.runner or identity} if self.runner_label else {}
        self._own, self._of_totals = runner, {"backfill": backfill} if backfill else {}

    def encode(self, points: Sequence[Point]) -> bytes:
        if self._encoder is None:
            self._encoder = Encoder(self._own, self._of_totals)
        return self._encoder.encode(points)

    def send(self, payload: bytes) -> None:
        self._send(payload, again=False)

    def send_again(self, payload: bytes) -> None:
        self._send(payload, again=True)

    def mended(self) -> bool:
        renewed = [secret.renew() for secret in (self.password, self.token) if secret is not None]
        return any(renewed)

    def probe(self) -> Sequence[str]:
        poster = self._new_poster(min(self.timeout, _LONGEST_PROBE))
        found = []
        if self.insecure_skip_verify:
            found.append("insecure_skip_verify is on: anybody on the way can read what is sent")
        try:
            reply = self._post(poster, b"", "1.0")
            if is_stored(reply):
                apart = clocks.complaint(reply.headers.get("date", ""), self._wall(), self.url)
                found += [apart] if apart else []
                found += doubts(poster, self._path, self._who(), self.out_of_order_window)
            else:
                found.append(str(trouble(reply, self.url)))
        except Retryable as error:
            found.append(str(error))
        finally:
            poster.close()
        return found

    def stored(self, metrics: Sequence[str]) -> Mapping[str, int] | None:
        poster = self._new_poster(min(self.timeout, _LONGEST_PROBE / (1 + len(RANGES))))
        try:
            return newest(poster, self._path, {**self.headers, **self._who()}, metrics, self._own)
        finally:
            poster.close()

    def close(self) -> None:
        if self._poster is not None:
            self._poster.close()
            self._poster = None
        self._translator = None

    # -- requests -----------------------------------------------------------------------------------------

    def _send(self, payload: bytes, *, again: bool) -> None:
        """Send request by request; after a failure it goes on with the one that failed."""
        if self._progress.payload is not payload and self._progress.payload != payload:
            self._progress = _Progress(payload)
        progress = self._progress
        for frame in frames(payload)[progress.done :]:
            progress.refused |= self._deliver(frame, again=again)
            progress.done += 1
        self._progress = _Progress(b"")
        if progress.refused:
            reasons, faults = faults_of(progress.refused)
            raise Permanent(next(iter(reasons.values())), reasons, faults)

    def _deliver(self, frame: Frame, *, again: bool) -> dict[int, Refusal]:
        """Store the samples of one time; those that can never be stored, with the reason of each."""
        if frame.time < (self._wall() - self._window + _MARGIN / 5) * 1000:
            return dict.fromkeys(frame.rows, _TOO_OLD)

        def store(rows: Sequence[int]) -> Refusal | None:
            verdict = self._write(frame, rows)
            # Nobody else writes these series: what is in the way of samples that may have been stored is themselves.
            return None if verdict is not None and again and verdict.fault == "out_of_order" else verdict

        return refused_rows(frame.rows, store, self._check_that_samples_are_meant)

    def _write(self, frame: Frame, rows: Sequence[int]) -> Refusal | None:
        """Store samples; what is said against one of them, None if they are stored."""
        body, count = frame.part(rows), len(rows)
        if self._version == "2.0":
            self._translator = self._translator or Translator()
            reply = self._post(self._current(), self._translator.translate(body, frame.time), "2.0")
            self._version = "1.0" if is_unsupported(reply) else "2.0"
        if self._version == "1.0":
            reply = self._post(self._current(), body, "1.0")
        if is_stored(reply):
            return None
        verdict = refusal(reply, count)
        if verdict is None:
            raise trouble(reply, self.url)
        return verdict

    def _check_that_samples_are_meant(self, verdict: Refusal) -> None:
        """A refusal may be about every request; then no sample is to blame."""
        if not is_stored(self._post(self._current(), b"", "1.0")):
            raise Retryable(f"{self.url} refuses every write: {verdict.reason}", after=60.0, unsure=False)

    def _post(self, poster: Poster, body: bytes, version: str) -> Reply:
        from cramjam import snappy

        headers = {**self.headers, **self._who(), "Content-Encoding": "snappy", **_HEADERS[version]}
        reply = poster.post(self._path, headers, bytes(snappy.compress_raw(body)))
        for secret in (self.password, self.token):
            reply = reply if secret is None else reply.without(secret.reveal())
        return reply

    def _who(self) -> dict[str, str]:
        """The header by which the receiver knows us."""
        secret = self.password or self.token
        if secret is None:
            return {}
        secret.renew()
        text = secret.reveal()
        if self.token is None:
            return {"Authorization": f"Basic {base64.b64encode(f'{self.user}:{text}'.encode()).decode()}"}
        if not text.isascii() or not text.isprintable() or " " in text:
            raise Retryable("the token has characters that no token has; is it in one line?", after=60.0, unsure=False)
        return {"Authorization": f"Bearer {text}"}

    def _current(self) -> Poster:
        if self._poster is None:
            self._poster = self._new_poster(self.timeout)
        return self._poster

    def _new_poster(self, timeout: float) -> Poster:
        trust = Trust(self.ca_file, not self.insecure_skip_verify, self.allow_link_local, self.cert_file, self.key_file)
        return Poster(self._server, timeout, trust)


@dataclass
class _Progress:
    """How far a payload is.

    Attributes:
        done: Requests that are behind us.
        refused: Rows in them that can never be stored.
    """

    payload: bytes
    done: int = 0
    refused: dict[int, Refusal] = field(default_factory=dict)
