"""Cost of the enrichers of the `ookla` preset, part by part, in CPU microseconds per record.

    python bench/enrichers.py

One record in ten is a `HI` with a token, as on a real server; one token in two hundred is damaged.
"""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Callable
from random import Random

from pegel.config.components import component
from pegel.config.presets import read_preset
from pegel.enrichers import BUILTIN, Enricher
from pegel.table import Batch, Engine, Table, literal

RECORDS = 50_000
WANTED = ("kind", "guid", "device_id", "token_readable", "model", "app", "version")
"""What the metrics of the preset read."""

COLUMNS = {"request": "VARCHAR", "status": "BIGINT"}


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def identifier(random: Random) -> str:
    return str(uuid.UUID(int=random.getrandbits(128), version=4))


def token(random: Random, guid: str) -> str:
    data = {
        "deviceId": identifier(random),
        "guid": guid,
        "ip": f"192.0.2.{random.randrange(256)}",
        "model": f"SM-{random.randrange(200)}B",
        "app": "android",
        "version": f"5.{random.randrange(20)}",
    }
    payload = encoded(json.dumps({"data": data, "iat": 1772539200, "exp": 1772539800}).encode())
    damaged = "!" if random.random() < 0.005 else ""
    header, signature = encoded(b'{"alg":"HS256","typ":"JWT"}'), encoded(random.randbytes(32))
    return f"{header}.{payload}{damaged}.{signature}"


def request(random: Random) -> str:
    guid, nocache, kind = identifier(random), identifier(random), random.random()
    if kind < 0.1:
        return f"HI {guid} {token(random, guid)} WS/1.0"
    if kind < 0.4:
        return f"GET /download?nocache={nocache}&size=25000000&guid={guid} HTTP/1.1"
    if kind < 0.7:
        return f"POST /upload?nocache={nocache}&guid={guid} HTTP/1.1"
    return f"GET /hello?nocache={nocache}&guid={guid} HTTP/1.1"


def records(batch: Batch) -> Table:
    random = Random(1)
    for start in range(0, RECORDS, 5000):
        rows = ", ".join(f"({row}, null, {literal(request(random))}, 200)" for row in range(start, start + 5000))
        values = f"select * from (values {rows}) t(_row, _reject, request, status)"
        batch.query(f"create temp table given as {values}" if not start else f"insert into given {values}")
    return batch.table("select * from given", COLUMNS)


def preset() -> list[Enricher]:
    root = read_preset("ookla", {"HOSTNAME": "bench"}).root
    assert root is not None
    found = [component(Enricher, BUILTIN, node, [], shared=("from",)) for node in root.table["enrichers"].items]
    return [one for one in found if one is not None]


def cpu(work: Callable[[], object], repeat: int = 5) -> float:
    """CPU seconds of one call."""
    work()
    start = time.process_time()
    for _ in range(repeat):
        work()
    return (time.process_time() - start) / repeat


def cost(table: Table, *wanted: str) -> float:
    """CPU microseconds per record of computing and keeping columns."""
    picked = ", ".join(wanted) or "status"
    make = f"create or replace temp table kept as select {picked} from ({table.sql})"
    return min(cpu(lambda: table.batch.query(make)) for _ in range(3)) / RECORDS * 1e6


def main() -> None:
    with Engine().batch() as batch:
        table = records(batch)
        wanted = ["status"]
        before = floor = cost(table, *wanted)
        print(f"{'nothing':10} {floor:6.3f} us per record")
        for enricher in preset():
            wanted += [name for name in enricher.adds(table.columns) if name in WANTED and name not in wanted]
            table = enricher.enrich(table)
            after = cost(table, *wanted)
            print(f"{type(enricher).__name__:10} {after - before:6.3f}")
            before = after
        print(f"{'all':10} {before - floor:6.3f}")


if __name__ == "__main__":
    main()
