"""Packing of points and the embedded store: CPU milliseconds per call for 10,000 points and for 5."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pegel.sinks import Point
from pegel.sinks.local import Local
from pegel.sinks.points import pack, unpack


def make(count: int, minute: int = 0, rng: random.Random | None = None) -> list[Point]:
    rng = rng or random.Random(1)
    start = 1_772_539_200_000_000 + minute * 60_000_000
    kinds = {"tests": "counter", "users": "gauge", "p95": "gauge"}
    return [
        Point(
            "ookla_speedtest_minutely",
            (("asn", str(index * 7 % 70_000)), ("server", f"st-{index % 40:02}")),
            start,
            start + 60_000_000,
            {"tests": rng.randrange(200), "users": rng.randrange(90), "p95": rng.random() * 1000},
            kinds,  # type: ignore[arg-type]
            1,
            "Speed tests per minute.",
        )
        for index in range(count)
    ]


def cpu(work: Callable[[], object], repeats: int = 7) -> float:
    best = float("inf")
    for _ in range(repeats):
        before = time.process_time()
        work()
        best = min(best, time.process_time() - before)
    return best * 1000


def main() -> None:
    points = make(10_000)
    packed = pack(points)
    print(f"pack    {cpu(lambda: pack(points)):6.1f} ms  {len(packed) / len(points):.1f} bytes per point")
    print(f"unpack  {cpu(lambda: unpack(packed)):6.1f} ms")
    with tempfile.TemporaryDirectory() as directory:
        store(Path(directory) / "points.db")


def store(path: Path) -> None:

    sink = Local(path=path)
    sink.open()
    for size in (10_000, 5):
        payloads = iter([sink.encode(make(size, minute)) for minute in range(1, 9)])
        sink.send(next(payloads))
        print(f"local send of {size:6}  {cpu(lambda: sink.send(next(payloads)), 6):6.1f} ms")  # noqa: B023
    sink.close()
    print(f"local size {path.stat().st_size / 80_000:.0f} bytes per point")


if __name__ == "__main__":
    main()
