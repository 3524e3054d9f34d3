"""Cost of the enrichers of the preset `ookla`, one after the other, in CPU microseconds per record.

What it costs to keep the columns that they make is measured apart: it is paid once, whoever makes them.

    python bench/enrichers.py [DATABASE]

The look-up of providers is measured apart, too, in a database of networks (the sample's, or the one named): it runs
when it is asked for and not with the query, and what counts is the number of distinct addresses.

The log is the generator's profile `bench`: one record in ten is a `HI` with a token, one token in fifty is odd.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from pegel.config import load
from pegel.enrichers.addresses import packed
from pegel.enrichers.asn import Asn
from pegel.enrichers.asn_files import read
from pegel.formats import End
from pegel.plan import SourcePlan
from pegel.samples import ookla
from pegel.samples.ookla_log import PROFILES, records
from pegel.table import Batch, Engine, Table

RECORDS = 50_000
START = 1_772_539_200.0
WANTED = ("kind", "guid", "device_id", "token_readable", "model", "app", "version", "asn", "asname", "status")
"""What the metrics of the preset read, beside the status code."""
SAMPLE = Path(ookla.__file__).parents[1] / "presets" / "samples" / "ookla" / "asn.tsv"


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
    return batch.keep(source.format.table(batch, frames.block, frozenset(["request", "code"])))


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


def providers(table: Table, wanted: list[str], database: Path) -> Table:
    """Cost of finding the provider of each address in a kept table, per record and per distinct address."""
    enricher = Asn(column="ip", files=database)
    enricher.adds(table.columns)
    count = len(table.distinct("ip"))

    def find() -> None:
        cost_of = ", ".join([*wanted, "asn", "asname"])
        wide = enricher.enrich(table.only({*wanted, "ip"}))
        table.batch.query(f"create or replace temp table enriched as select {cost_of} from ({wide.sql})")
        table.batch.keep(table.where("false"))  # lets go of what was held

    per_record = min(cpu(find) for _ in range(5)) / RECORDS * 1e6 - cost(table, wanted)
    addresses = [address for text in table.distinct("ip") if (address := packed(text))]
    known = read(database)
    look_up = min(cpu(lambda: known.find(addresses)) for _ in range(5)) / count * 1e6
    print(f"{'Asn':10} {per_record:6.3f} us per record; {look_up:.2f} us for each of {count} addresses are part of it")
    return table.batch.keep(enricher.enrich(table))


def main() -> None:
    source = preset()
    with Engine().batch() as batch:
        table, wanted = log(source, batch), ["code"]
        before = cost(table, wanted)
        print(f"{'nothing':10} {before:6.3f} us per record")
        for enricher in source.enrichers:
            if isinstance(enricher, Asn):
                kept = batch.keep(table.only({*wanted, "ip", *WANTED}))
                table = providers(kept, wanted, SAMPLE if len(sys.argv) < 2 else Path(sys.argv[1]))
                continue
            added = enricher.adds(table.columns)
            wanted += [name for name in added if name in WANTED and name not in wanted]
            table = enricher.enrich(table)
            after, keeping = cost(table, wanted), cost(batch.keep(table), wanted)
            print(f"{type(enricher).__name__:10} {after - keeping:6.3f} so far, and {keeping:.3f} for keeping")


if __name__ == "__main__":
    main()
