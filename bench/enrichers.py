"""Cost of the enrichers of the preset `ookla`, one after the other, in CPU microseconds per record.

What it costs to keep the columns that they make is measured apart: it is paid once, whoever makes them.

    python bench/enrichers.py

The log is the generator's profile `bench`: one record in ten is a `HI` with a token, one token in fifty is odd.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from pegel.config import load
from pegel.formats import End
from pegel.plan import SourcePlan
from pegel.samples.ookla_log import PROFILES, records
from pegel.table import Batch, Engine, Table

RECORDS = 50_000
START = 1_772_539_200.0
WANTED = ("kind", "guid", "device_id", "token_readable", "model", "app", "version")
"""What the metrics of the preset read, beside the status."""


def preset() -> SourcePlan:
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "config.toml")
        config.write_text('[[sources]]\nname = "ookla"\npreset = "ookla"\n')
        (source,) = load(config, {"HOSTNAME": "bench"}).sources
    return source


def log(source: SourcePlan, batch: Batch) -> Table:
    data = b"".join(record for _, record in islice(records(1, START, PROFILES["bench"]), RECORDS))
    frames = source.format.split(data, End.FINAL)
    assert frames.records == RECORDS
    return batch.keep(source.format.table(batch, frames.block, frozenset(["request", "status"])))


def cpu(work: Callable[[], object], repeat: int = 5) -> float:
    """CPU seconds of one call."""
    work()
    start = time.process_time()
    for _ in range(repeat):
        work()
    return (time.process_time() - start) / repeat


def cost(table: Table, wanted: list[str]) -> float:
    """CPU microseconds per record of computing and keeping columns; the best of some, as the machine is shared."""
    make = f"create or replace temp table enriched as select {', '.join(wanted)} from ({table.sql})"
    return min(cpu(lambda: table.batch.query(make)) for _ in range(5)) / RECORDS * 1e6


def main() -> None:
    source = preset()
    with Engine().batch() as batch:
        table, wanted = log(source, batch), ["status"]
        before = cost(table, wanted)
        print(f"{'nothing':10} {before:6.3f} us per record")
        for enricher in source.enrichers:
            added = enricher.adds(table.columns)
            wanted += [name for name in added if name in WANTED and name not in wanted]
            table = enricher.enrich(table)
            after, keeping = cost(table, wanted), cost(batch.keep(table), wanted)
            print(f"{type(enricher).__name__:10} {after - keeping:6.3f} so far, and {keeping:.3f} for keeping")


if __name__ == "__main__":
    main()
