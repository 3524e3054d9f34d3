"""From objects in a real S3 server to committed partials: the whole `cdn77` preset, and what the bucket adds to files.

`python bench/s3.py [--rows N] [--runs N]` reads the sample of `bench/cdn77.py` through versitygw (`./dev engines
versitygw`), whose CPU is not counted. `--listing` measures a poll that finds nothing new: 100,000 keys in 100 pages,
all of them in the ledger.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from bench.cdn77 import PLACES, floor, sample
from bench.ookla import Cost, run

CONFIG = """
[runner]
state = "{directory}/state"
log_level = "error"

[[sources]]
name = "cdn77"
preset = "cdn77"
endpoint = "{endpoint}"
bucket = "logs"
prefix = ""
look_back = "100000h"
enrichers.geoip.file = "{places}"
"""


def count(endpoint: str) -> None:
    """Count all objects of the bucket, from nothing, in this process."""
    from engines.s3 import ACCESS, REGION, SECRET
    from pegel.config import load
    from pegel.pipeline import Runner
    from pegel.pipeline.service import Service

    with tempfile.TemporaryDirectory() as scratch:
        config = Path(scratch) / "config.toml"
        config.write_text(CONFIG.format(directory=scratch, places=PLACES, endpoint=endpoint))
        names = {"S3_BUCKET": "logs", "S3_ACCESS_KEY": ACCESS, "S3_SECRET_KEY": SECRET, "S3_REGION": REGION}
        runner = Runner(replace(load(config, names), sinks=()))
        runner.open()
        try:
            trouble = Service(runner, threading.Event()).run_once(close_all=False, patience=60.0)
            records = sum(value for (name, _), value in runner.state.counters().items() if name == "records_total")
        finally:
            runner.close()
    if trouble:
        raise SystemExit(trouble)
    print(records)


def measure(rows: int, runs: int) -> None:
    from engines.catalog import program
    from engines.s3 import S3Server

    directory = sample(rows)
    with tempfile.TemporaryDirectory() as scratch:
        server = S3Server(program("versitygw"), Path(scratch))
        try:
            bucket = server.bucket("logs")
            for file in sorted(directory.rglob("*.gz")):
                bucket.put(str(file.relative_to(directory)), file.read_bytes())
            costs, floors = [], []
            for _ in range(runs):
                floors.append(floor(directory))
                costs.append(run([sys.executable, __file__, "--count", server.url]))
        finally:
            server.stop()
    say(rows, costs, floors)


def say(rows: int, costs: list[Cost], floors: list[Cost]) -> None:
    cpu = statistics.median(cost.cpu for cost in costs)
    base = statistics.median(cost.cpu for cost in floors)
    wall = statistics.median(cost.wall for cost in costs)
    print(
        f"{rows:,} rows from S3: {cpu / rows * 1e6:.2f} us CPU a row, wall {wall:.2f} s = {wall / cpu:.2f} of CPU,"
        f" peak {max(cost.peak for cost in costs):.0f} MB; floor {base / rows * 1e6:.2f} us, ratio {cpu / base:.1f}",
        flush=True,
    )


PAGE = """<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>logs</Name><KeyCount>1000</KeyCount>\
<IsTruncated>{more}</IsTruncated>{token}{contents}</ListBucketResult>"""
CONTENT = """<Contents><Key>{key}</Key><LastModified>2026-03-03T12:00:00.000Z</LastModified>\
<ETag>&quot;{tag:032x}&quot;</ETag><Size>2000000</Size><StorageClass>STANDARD</StorageClass></Contents>"""


def pages(keys: int) -> list[bytes]:
    """A listing as S3 writes it."""
    name = "20260303/{hour:02d}/rtl.6a1e0c9d-0000-4000-8000-00000000abcd+3+{number:06d}.ndjson.gz"
    texts = [
        CONTENT.format(key=name.format(hour=10 + number * 3 // keys, number=number), tag=number)
        for number in range(keys)
    ]
    found = []
    for first in range(0, keys, 1000):
        more = first + 1000 < keys
        token = f"<NextContinuationToken>{first + 1000}</NextContinuationToken>" if more else ""
        found.append(
            PAGE.format(more=str(more).lower(), token=token, contents="".join(texts[first : first + 1000])).encode()
        )
    return found


class Lister:
    """Answers with the pages of a listing, over a socket."""

    def __init__(self, found: list[bytes]) -> None:
        self.pages = found
        self.port = 0
        self.ready = threading.Event()
        threading.Thread(target=lambda: asyncio.run(self.serve()), daemon=True).start()
        self.ready.wait()

    async def serve(self) -> None:
        server = await asyncio.start_server(self.answer, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self.ready.set()
        await server.serve_forever()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):  # it has had enough
            while not reader.at_eof():
                request = await reader.readuntil(b"\r\n\r\n")
                token = (
                    request.split(b"continuation-token=")[1].split(b"&")[0]
                    if b"continuation-token" in request
                    else b"0"
                )
                body = self.pages[int(token) // 1000]
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                await writer.drain()


def listing(keys: int = 100_000) -> None:
    """A look at a bucket whose objects are all known."""
    from pegel.seams import SystemClock
    from pegel.secret import Secret
    from pegel.sources import Position
    from pegel.sources.bucket.layout import Layout
    from pegel.sources.bucket.ledger import Ledger
    from pegel.sources.bucket.listing import page
    from pegel.sources.bucket.looking import Look, Looker
    from pegel.sources.s3 import S3

    found = pages(keys)
    layout = Layout("", "%Y%m%d/%H/", "rtl.{partition}+{sequence}.ndjson.gz")
    objects = [one for body in found for one in page(body).objects]
    positions = [
        Position(f"logs/{one.key}", n, 1, {"etag": one.etag, "size": one.size, "written": 0}, done=True)
        for n, one in enumerate(objects)
    ]
    begun = time.process_time()
    ledger = Ledger("logs", layout, positions, Counter())
    print(f"ledger of {keys:,} keys read in {time.process_time() - begun:.2f} s CPU")
    lister = Lister(found)
    source = S3(
        bucket="logs", endpoint=f"http://127.0.0.1:{lister.port}", access_key=Secret("a"), secret_key=Secret("b")
    )
    bucket = source.client(SystemClock(), 10.0)

    async def look() -> float:
        looker = Looker(lambda: bucket, layout, ledger)
        await looker.run(Look(""))
        begun = time.thread_time()
        done = await looker.run(Look(""))
        assert not done.fresh
        await bucket.close()
        return time.thread_time() - begun

    work: Coroutine[Any, Any, float] = look()
    print(f"a look at {keys:,} known keys in {len(found)} pages: {asyncio.run(work):.2f} s CPU")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--listing", action="store_true")
    parser.add_argument("--count", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.count:
        count(given.count)
    elif given.listing:
        listing()
    else:
        measure(given.rows, given.runs)


if __name__ == "__main__":
    main()
