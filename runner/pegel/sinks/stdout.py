"""The sink `stdout`: points on standard output."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from pegel.errors import Retryable
from pegel.sinks import Point, Sink
from pegel.sinks.forms import Form, encode


@dataclass(kw_only=True)
class Stdout(Sink):
    """Write every point to standard output.

    Each point is there once its window has closed. After a crash the last lines may come again, equal byte
    by byte; a correction is a line of its own with a higher revision, and the highest counts.

    Options:
        format: `ndjson` (one JSON object per line), `influx` (line protocol, times in seconds) or
            `prometheus` (the newest snapshot, whole, again and again).

    Example:
        [[sinks]]
        name = "screen"
        type = "stdout"
        format = "ndjson"
    """

    format: Form = "ndjson"

    @property
    def view(self) -> bool:
        return self.format == "prometheus"

    def encode(self, points: Sequence[Point]) -> bytes:
        return encode(self.format, points)

    def send(self, payload: bytes) -> None:
        # Straight to the descriptor: a buffer that could not be flushed would speak up again at exit.
        rest = memoryview(payload)
        try:
            while rest:
                rest = rest[os.write(sys.stdout.fileno(), rest) :]
        except BrokenPipeError as error:
            raise Retryable("nobody reads standard output any more") from error
        except OSError as error:
            raise Retryable(f"standard output: {error.strerror}") from error
