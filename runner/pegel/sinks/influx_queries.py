"""What a bucket of an InfluxDB 2 has, asked in Flux."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from pegel.errors import Retryable
from pegel.sinks.posting import Reply
from pegel.sinks.safe_text import clean

_LOOK_BACK = "7d"
"""Older points are as good as none to whoever asks why nothing arrives."""


def newest_flux(bucket: str, metrics: Sequence[str]) -> str:
    """The query for the time of the newest point of each measurement; cheap, as each series tells its last one."""
    # a JSON text is a Flux text but for `${`, with which Flux begins an expression
    names = " or ".join(f"r._measurement == {_text(name)}" for name in metrics)
    return (
        f"from(bucket: {_text(bucket)}) |> range(start: -{_LOOK_BACK}) |> filter(fn: (r) => {names})"
        ' |> last() |> keep(columns: ["_measurement", "_time"]) |> group(columns: ["_measurement"])'
        ' |> max(column: "_time")'
    )


def read_newest(reply: Reply, bucket: str) -> Mapping[str, int]:
    """Times in us by measurement, out of the answer to `newest_flux`.

    Raises:
        Retryable: The server did not tell; the sentence says why.
    """
    if reply.status in (401, 403, 404):
        raise Retryable(f'the token may not read the bucket "{bucket}" ({reply.status})')
    if reply.status != 200:
        raise Retryable(f"a query was answered with {reply.status}: {clean(reply.body.decode(errors='replace'), 200)}")
    rows = csv.DictReader(reply.body.decode(errors="replace").splitlines())
    found = {row["_measurement"]: row["_time"] for row in rows if row.get("_measurement") and row.get("_time")}
    try:
        return {name: round(datetime.fromisoformat(time).timestamp() * 1e6) for name, time in found.items()}
    except ValueError as error:
        raise Retryable("a query was answered with something else than times") from error


def _text(text: str) -> str:
    """A text as Flux writes it."""
    return json.dumps(text, ensure_ascii=False).replace("${", "\\${")
