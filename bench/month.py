"""The dashboards of the speed tests on 30 days of data in a real InfluxDB: seconds for each query, as Grafana asks it.

The minutes of the sample come again and again for 30 days, and every tenth of them has providers of its own, so that
there are as many as a busy server sees. Needs `./dev engines influxdb2`.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from engines.catalog import program
from engines.grafana import Look, ask, queries, substituted, window
from engines.influxdb import Bucket, Server
from pegel.sinks import Point
from pegel.sinks.influx import encode
from presets.ookla_oracle import GOLDEN

DAYS = 30
BEGIN = datetime(2026, 2, 1, tzinfo=UTC)
END = BEGIN + timedelta(days=DAYS)
PIXELS = 1300
"""Of a panel on half a wide screen; each can be a point."""

GOAL = 1.0
BATCH = 20_000
SPANS = {"daily": timedelta(days=1), "hourly": timedelta(hours=1)}


def main() -> None:
    look = Look(BEGIN, END, variables={"server": ".*", "zone": "Europe/Berlin", "asn": "64496"}, now=END)
    with tempfile.TemporaryDirectory() as directory:
        server = Server(program("influxdb2"), Path(directory))
        try:
            bucket = server.bucket("month")
            print(f"{fill(bucket):,} points in InfluxDB", flush=True)
            slow = [name for name, seconds in sorted(asked(bucket, look)) if seconds > GOAL]
        finally:
            server.stop()
    print(f"slower than {GOAL:g} s: {', '.join(slow) or 'none'}")


def asked(bucket: Bucket, look: Look) -> Iterator[tuple[str, float]]:
    """The best of three of each query, with the number of series."""
    for uid in ("ookla", "ookla-provider"):
        for name, query in queries(uid).items():
            step = window(END - BEGIN, query.points or PIXELS)
            text = substituted(query.text, replace(look, window=step), bucket.name)
            took = []
            for _ in range(3):
                begun = time.perf_counter()
                frames = ask(bucket.server, text, bucket.read_only.text)
                took.append(time.perf_counter() - begun)
            print(f"{min(took):6.2f} s  {len(frames):4} series  {uid}: {name}", flush=True)
            yield f"{uid}: {name}", min(took)


def fill(bucket: Bucket) -> int:
    """Write a month; returns the number of points."""
    count = 0
    left = month()
    while points := list(islice(left, BATCH)):
        reply = bucket.write(encode(points))
        assert reply.status == 204, reply.body
        count += len(points)
    return count


def month() -> Iterator[Point]:
    """All points, each metric at its own interval."""
    sample: dict[timedelta, dict[datetime, list[dict[str, object]]]] = {}
    for line in GOLDEN.read_text(encoding="utf-8").splitlines():
        one = json.loads(line)
        span = SPANS.get(one["metric"].rsplit("_", 1)[-1], timedelta(minutes=1))
        sample.setdefault(span, {}).setdefault(datetime.fromisoformat(one["time"]), []).append(one)
    yield from own()
    for span, found in sample.items():
        windows = list(found.values())
        for number in range((END - BEGIN) // span):
            for one in windows[number % len(windows)]:
                yield point(one, BEGIN + number * span, span, number // len(windows))


def own() -> Iterator[Point]:
    """What a runner writes about itself each minute; it is started once a day."""
    minute = 60 * 10**6
    for number in range(DAYS * 1440):
        begin = round(BEGIN.timestamp() * 1e6) + number * minute
        since, today = divmod(number, 1440)
        refused = number % 999 // 998
        values = {"start_timestamp_seconds": 86400 * since, "cpu_seconds": today / 10, "config_refused": refused}
        yield Point("pegel_runner", (("runner", "a"),), begin, begin + minute, values)


def point(one: dict, start: datetime, span: timedelta, turn: int) -> Point:  # type: ignore[type-arg]
    """A golden point at another time."""
    labels = dict(one["labels"])
    if turn % 10 == 0 and labels.get("asn", "unknown") != "unknown":
        labels["asn"] = str(int(labels["asn"]) + 1000 * (turn // 10 % 10))
    begin = round(start.timestamp() * 1e6)
    end = begin + round(span.total_seconds() * 1e6)
    return Point(one["metric"], tuple(sorted(labels.items())), begin, end, one["values"])


if __name__ == "__main__":
    main()
