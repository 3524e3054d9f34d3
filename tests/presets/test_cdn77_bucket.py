"""The preset on a bucket: the shipped objects, as the CDN uploads them, through the source `s3` to a sink."""

from __future__ import annotations

import gzip
import struct
from dataclasses import replace
from pathlib import Path

from doubles import FakeClock, Keeping, settle
from pegel.config import load
from pegel.pipeline import Runner
from pegel.plan import Plan, SinkPlan
from pegel.sinks import ndjson
from pegel.sources.s3 import S3
from pegel.units import Duration
from presets import cdn77_oracle as oracle
from presets.cdn77_places import FILE
from presets.ookla_run import Key, keyed
from sources.fake_bucket import FakeBucket

CONFIG = """
[[sources]]
name = "cdn77"
preset = "cdn77"
look_back = "6h"
"""

ENVIRON = {
    "S3_BUCKET": "real-time-logs",
    "S3_PREFIX": "real-time-logs/all-logs",
    "S3_ACCESS_KEY": "key",
    "S3_SECRET_KEY": "secret",
    "GEOIP_DB_PATH": str(FILE),
}

AFTERWARDS = 1_772_548_200.0
"""14:30 UTC: all objects are there."""

LAST_CLOSED = "2026-03-03T13:58:00Z"


def bucket() -> FakeBucket:
    """The shipped objects, each written when its generator says."""
    found = FakeBucket(page_size=7)
    for file in oracle.SAMPLE.rglob("*.gz"):
        data = file.read_bytes()
        (written,) = struct.unpack("<I", data[4:8])
        found.put(f"real-time-logs/all-logs/{file.relative_to(oracle.SAMPLE)}", data, float(written))
    return found


def plan(directory: Path, store: FakeBucket, sink: Keeping) -> Plan:
    config = directory / "config.toml"
    config.write_text(CONFIG)
    loaded = load(config, ENVIRON)
    source = loaded.sources[0].source
    assert isinstance(source, S3)
    source.connect = lambda _clock: store
    kept = SinkPlan(name="kept", type="keeping", sink=sink, early_interval=Duration(0.0))
    return replace(loaded, runner=replace(loaded.runner, state=directory / "state"), sinks=[kept])


def work(runner: Runner, clock: FakeClock, seconds: float) -> None:
    until = clock.now + seconds
    while clock.now < until:
        settle(runner)
        clock.now += 10.0
    settle(runner)


def closed(points: dict[Key, object]) -> dict[Key, object]:
    return {key: value for key, value in points.items() if key[0] <= LAST_CLOSED}


def test_overlapping_objects_of_two_shards_give_the_golden_points(tmp_path: Path) -> None:
    """The shards are read in turns, and none of their rows is late for the other's."""
    sink, clock = Keeping(), FakeClock(now=AFTERWARDS)
    for _ in range(2):  # the second life finds nothing new, and counts nothing again
        runner = Runner(plan(tmp_path, bucket(), sink), clock=clock)
        runner.open()
        try:
            work(runner, clock, 400.0)
        finally:
            runner.close()
    got = closed(keyed(ndjson.encode(sorted(sink.received, key=lambda point: point.revision)).decode()))
    golden = closed(keyed(gzip.decompress(oracle.GOLDEN.read_bytes()).decode()))
    assert len(golden) > 20_000
    assert [
        (key, got.get(key), golden.get(key)) for key in sorted(got | golden) if got.get(key) != golden.get(key)
    ] == []
