"""Samples for Prometheus: what encoding and sending cost, and what 10,000 series cost a runner every minute.

The receiver is a process of its own that reads requests and answers 204, so that only our own CPU is measured.
"""

from __future__ import annotations

import multiprocessing
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from doubles import FakeClock, House, Keeping, metric
from pegel.memory import settle
from pegel.metrics.definition import Value
from pegel.metrics.partials import Partials
from pegel.pipeline.stage import Chunk, Counted, Folded
from pegel.sinks import Point
from pegel.sinks.remote_write import RemoteWrite

SERIES = 10_000
NOON = 1_772_539_200


def serve(listener: socket.socket) -> None:
    """Take every request."""
    while True:
        peer, _ = listener.accept()
        with peer, peer.makefile("rb") as incoming:
            while head := incoming.readline():
                length = 0
                while (line := incoming.readline()) not in (b"\r\n", b""):
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                incoming.read(length)
                assert head.startswith(b"POST")
                peer.sendall(b"HTTP/1.1 204 No Content\r\nX-Prometheus-Remote-Write-Samples-Written: 1\r\n\r\n")


@contextmanager
def receiver() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        process = multiprocessing.get_context("fork").Process(target=serve, args=(listener,), daemon=True)
        process.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/api/v1/write"
        finally:
            process.terminate()
            process.join()


def points(minute: int) -> list[Point]:
    start = (NOON + 60 * minute) * 10**6
    kinds: Any = {"requests": "counter"}
    return [
        Point(
            "cdn77_requests",
            (("country", "CZ"), ("host", f"cache-{index}.example.net"), ("status", "200")),
            start,
            start + 60_000_000,
            {"requests": index * 7 + minute},
            kinds,
        )
        for index in range(SERIES)
    ]


def sink(url: str, clock: FakeClock) -> RemoteWrite:
    made = RemoteWrite(url=url)
    made._wall = clock.wall  # noqa: SLF001 - the time of the samples
    made.introduce("0123456789abcdef")
    return made


def encode_and_send(url: str) -> None:
    """CPU of encoding and sending, labels known."""
    clock = FakeClock(float(NOON + 3600))
    for protocol in ("1.0", "2.0"):
        one = replace(sink(url, clock), protocol=protocol)
        one._wall = clock.wall  # noqa: SLF001 - the same
        costs = []
        for minute in range(8):
            given = points(minute)
            begun = time.process_time()
            payload = one.encode(given)
            one.send(payload)
            costs.append(time.process_time() - begun)
        one.close()
        first, rest = SERIES / costs[0], SERIES / statistics.median(costs[1:])
        known, new = rest / 1000, first / 1000
        print(f"remote write {protocol}: {known:.0f},000 samples per CPU second ({new:.0f},000 of series that are new)")


def folded(minute: int, number: int) -> Folded:
    """A record for each series in one minute."""
    at = (NOON + 60 * minute) * 10**6
    partials = Partials()
    partials.rows = [(at, (f"key-{index}",), 1, at, ()) for index in range(SERIES)]
    chunk = Chunk("log", "log", None, SERIES, minute, [], at + 59 * 10**6, 1000, {})
    return Folded("log", [Counted(chunk, SERIES, oldest=at, newest=at + 59 * 10**6)], {number: partials})


def a_minute(url: str | None) -> float:
    """CPU of all turns of a minute, from partials to samples that were sent; without a url they are windows."""
    clock = FakeClock(float(NOON + 70))
    counter = replace(metric(), values={"n": Value(value="count(*)", kind="counter")}, max_series=2 * SERIES)
    with tempfile.TemporaryDirectory() as directory:
        to = Keeping() if url is None else sink(url, clock)
        house = House(Path(directory), [counter], sink=cast("Any", to), clock=clock)
        runner = house.runner()
        merged, sent = [], []
        for minute in range(12):
            one = folded(minute, runner.turn.metrics[0].id)
            begun = time.process_time()
            runner.turn.run([one], {}, {})
            merged.append(time.process_time() - begun)
            begun = time.process_time()
            while runner.step():
                pass
            sent.append(time.process_time() - begun)
            clock.now += 60
        runner.close()
    return statistics.median([a + b for a, b in zip(merged, sent, strict=True)][3:])


def main() -> None:
    settle()  # as `pegel run` does
    with receiver() as url:
        encode_and_send(url)
        with_it, without = a_minute(url), a_minute(None)
        more = with_it - without
        print(
            f"{SERIES:,} series a minute: {more * 1000:.0f} ms CPU more than with a sink that keeps windows in memory,"
            f" {more / 0.6:.2f} % of a core ({with_it * 1000:.0f} ms with all that is counted)"
        )


if __name__ == "__main__":
    main()
