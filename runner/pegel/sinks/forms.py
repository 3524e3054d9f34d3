"""The text forms that `file` and `stdout` write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pegel.sinks import Point, exposition, influx, ndjson

Form = Literal["ndjson", "influx", "prometheus"]
"""How points are written: lines of JSON, line protocol, or a Prometheus snapshot."""


def encode(form: Form, points: Sequence[Point]) -> bytes:
    """The bytes of these points in a form.

    What is written to a stream cannot be taken back, so early values (revision 0) are left out; a snapshot
    is replaced as a whole and shows what it is given.
    """
    if form == "prometheus":
        return exposition.encode(points)
    final = [point for point in points if point.revision > 0]
    return influx.encode(final) if form == "influx" else ndjson.encode(final)
