r"""Invented real-time logs of a CDN as objects of a bucket: true in form, reproducible, fast to make.

    python -m pegel.samples.cdn77 --out DIR --rows 500000 --profile bench

writes `DIR/YYYYMMDD/HH/rtl.{uuid}+{shard}+{sequence}.ndjson.gz`, by the hour of the upload. Neighbouring objects of
a shard overlap in event time by some seconds. The profile `bench` is fixed: 1,000 rows a second of about 1.2 kB,
40 streams, 5,000 viewers at a time who ask every five seconds and stay ten minutes on average, nothing missing, late
or broken.

    python -m pegel.samples.cdn77 --out DIR --live --rate 3 --past 3h

writes `DIR/real-time-logs.ndjson`, a log that grows and rotates: the same rows where there is no bucket, as in the
demonstration of the stack.

The small sample in `presets/samples/cdn77` is made by

    python -m pegel.samples.cdn77 --out DIR --rows 1700 --seed 7 --profile dirty --rate 0.15 --viewers 14 \
        --streams 3 --interval 10m --start 2026-03-03T10:55:00Z
"""

from __future__ import annotations

import argparse
import gzip
import heapq
import os
import threading
import time as clock
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from random import Random

from pegel.samples import live
from pegel.samples.cdn77_traffic import PROFILES, Row, Shape, Traffic
from pegel.samples.rotation import Rotation
from pegel.units import duration

LOG_NAME = "real-time-logs.ndjson"

_OVERLAP = 6.0
"""Seconds before the end of an object whose rows may be in the next one."""


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """How rows become objects.

    Options:
        shards: Rows are dealt out to so many.
        interval: Seconds that an object spans.
    """

    shards: int = 2
    interval: float = 30.0


@dataclass(frozen=True)
class Object:
    """One object of the bucket.

    Attributes:
        key: Its key, below the prefix.
        uploaded: When it was there, in seconds since 1970.
        content: The rows, not packed.
    """

    key: str
    uploaded: float
    content: bytes


def objects(seed: int, start: float, shape: Shape, delivery: Delivery, rows: int) -> Iterator[Object]:
    """The objects that so many rows are delivered in, in the order of their upload."""
    random = Random(seed)  # noqa: S311 - it has to be reproducible and protects nothing
    traffic = islice(Traffic(random, shape).rows(start), rows)
    shards = [_Shard(random, number) for number in range(delivery.shards)]
    end = start + delivery.interval
    for row in traffic:
        while row.time >= end:
            yield from (made for shard in shards if (made := shard.deliver(end)) is not None)
            end += delivery.interval
        random.choice(shards).take(row)
    while any(shard.waiting for shard in shards):
        yield from (made for shard in shards if (made := shard.deliver(end)) is not None)
        end += delivery.interval


class _Shard:
    """One of the writers of a log: collects rows and uploads them now and then."""

    def __init__(self, random: Random, number: int) -> None:
        self._random = random
        digits = f"{random.getrandbits(128):032x}"
        self._uuid = f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"
        self._number = number
        self._sequence = random.randrange(1_000)
        self._count = 0
        self.waiting: list[tuple[float, int, Row]] = []

    def take(self, row: Row) -> None:
        """Let a row wait until it is delivered."""
        self._count += 1
        slack = self._random.uniform(0, _OVERLAP) if self._random.random() < 0.3 else 0.0
        heapq.heappush(self.waiting, (row.time + row.delay + slack, self._count, row))

    def deliver(self, end: float) -> Object | None:
        """What is there at a time, as an object; None if nothing is."""
        lines = []
        while self.waiting and self.waiting[0][0] < end:
            lines.append(heapq.heappop(self.waiting)[2].line)
        if not lines:
            return None
        self._sequence += 1
        uploaded = end + self._random.uniform(1, 5)
        hour = clock.strftime("%Y%m%d/%H", clock.gmtime(uploaded))
        name = f"rtl.{self._uuid}+{self._number}+{self._sequence:06d}.ndjson.gz"
        return Object(f"{hour}/{name}", uploaded, b"".join(lines))


def write(directory: Path, made: Iterator[Object]) -> None:
    """Write objects as files; their time is that of the upload."""
    for one in made:
        path = directory / one.key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(one.content, compresslevel=6, mtime=int(one.uploaded)))
        os.utime(path, (one.uploaded, one.uploaded))


def follow(directory: Path, seed: int, past: float, shape: Shape, rotation: Rotation, stop: threading.Event) -> None:
    """Write the rows as a log, live, after its last `past` seconds, until `stop` is set."""

    def rows(start: float) -> Iterator[tuple[float, bytes]]:
        traffic = Traffic(Random(seed), shape)  # noqa: S311 - it has to be reproducible and protects nothing
        return ((row.time, row.line) for row in traffic.rows(start))

    live.follow(directory / LOG_NAME, rows, past, rotation, stop)


def main(arguments: list[str] | None = None) -> None:
    """Write objects, or a log, as the command line says."""
    options = _parser().parse_args(arguments)
    shape = PROFILES[options.profile]
    shape = shape.at_rate(options.rate) if options.rate else shape
    shape = replace(shape, viewers=options.viewers or shape.viewers, streams=options.streams or shape.streams)
    if options.live:
        options.out.mkdir(parents=True, exist_ok=True)
        stop = live.stop_after(options.seconds)
        follow(options.out, options.seed, options.past, shape, live.rotation(options), stop)
        return
    delivery = Delivery(shards=options.shards, interval=options.interval)
    write(options.out, objects(options.seed, options.start.timestamp(), shape, delivery, options.rows))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pegel.samples.cdn77", description="Write an invented CDN log.")
    parser.add_argument("--out", type=Path, required=True, help="directory that stands for bucket and prefix")
    parser.add_argument("--rows", type=int, default=100_000, help="how many rows (without --live)")
    parser.add_argument("--profile", choices=tuple(PROFILES), default="clean", help="how the log looks")
    parser.add_argument("--rate", type=float, help="rows in an average second; default that of the profile")
    parser.add_argument("--viewers", type=int, help="how many watch at a time; default as the rate says")
    parser.add_argument("--streams", type=int, help="how many streams there are; default that of the profile")
    parser.add_argument("--shards", type=int, default=2, help="how many writers there are")
    parser.add_argument("--interval", type=duration, default="30s", help="time that an object spans")
    parser.add_argument("--start", type=_moment, default="2026-03-03T12:00:00Z", help="time of the first row")
    parser.add_argument("--seed", type=int, default=1)
    live.add_options(parser)
    return parser


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


if __name__ == "__main__":
    main()
