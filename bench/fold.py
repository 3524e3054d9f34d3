"""Cost of folding: the metrics of the `ookla` preset over one large and one tiny block, and of finishing panes.

    python bench/fold.py

Prints CPU microseconds per record (large block, all metrics together) and CPU milliseconds per metric (tiny block).
"""

from __future__ import annotations

import time
from collections.abc import Callable

from pegel.metrics.compiled import CompiledMetric, compile_metric
from pegel.metrics.definition import Metric, Value
from pegel.metrics.partials import Pane
from pegel.table import Batch, Engine, Table
from pegel.units import Duration

COLUMNS = {
    "_t": "BIGINT",
    "_pos": "BIGINT",
    "server": "VARCHAR",
    "type": "VARCHAR",
    "status": "BIGINT",
    "guid": "VARCHAR",
    "device_id": "VARCHAR",
    "asn": "VARCHAR",
    "asname": "VARCHAR",
    "model": "VARCHAR",
    "app": "VARCHAR",
    "version": "VARCHAR",
}
USERS = {"tests": "count(distinct guid)", "users": "count(distinct device_id)"}
TOTALS = {
    "uploads": "count(*) filter (where type = 'upload')",
    "downloads": "count(*) filter (where type = 'download')",
    "errors5xx": "count(*) filter (where status between 500 and 599)",
}


def metric(
    name: str, labels: list[str], values: dict[str, str], where: str | None = None, kind: str = "gauge"
) -> CompiledMetric:
    made = {key: Value(value=text, kind=kind) for key, text in values.items()}  # type: ignore[arg-type]
    given = Metric(name=name, sources=["ookla"], every=Duration(60), labels=labels, values=made, where=where)
    return compile_metric(given, COLUMNS, frozenset({"device_id"}))


def ookla() -> list[CompiledMetric]:
    seen = "device_id is not null"
    return [
        metric("minutely", ["server"], {**USERS, **TOTALS}),
        metric("asn", ["server", "asn"], USERS, seen),
        metric("device", ["server", "model"], USERS, seen),
        metric("app", ["server", "app", "version"], USERS, seen),
        metric("asn_map", ["asn"], {"asname": "last(asname)"}, "asname is not null", "info"),
    ]


def block(batch: Batch, records: int) -> Table:
    """One record in ten is a test with a user; a block of 100,000 spans two minutes."""

    def of_test(sql: str) -> str:
        return f"case when range % 10 = 0 then {sql} end"

    columns = {
        "_t": "1772539200000000 + range * 1200",
        "_pos": "range",
        "server": "'st-01'",
        "type": "['hi', 'upload', 'download', 'other'][range % 4 + 1]",
        "status": "(case when range % 97 = 0 then 503 else 200 end)::bigint",
        "guid": of_test("md5(range::varchar)"),
        "device_id": of_test("md5((range // 30)::varchar)"),
        "asn": of_test("'AS' || hash(range) % 300"),
        "asname": of_test("'Network ' || hash(range) % 300"),
        "model": of_test("'Model ' || hash(range) % 150"),
        "app": of_test("'app' || hash(range) % 3"),
        "version": of_test("'5.' || hash(range) % 20"),
    }
    picked = ", ".join(f"{sql} as {name}" for name, sql in columns.items())
    return batch.keep(batch.table(f"select {picked} from range({records})", COLUMNS))


def cpu(work: Callable[[], object], repeat: int) -> float:
    """CPU seconds of one call."""
    work()
    start = time.process_time()
    for _ in range(repeat):
        work()
    return (time.process_time() - start) / repeat


def folds(metrics: list[CompiledMetric], records: int, repeat: int) -> dict[str, float]:
    with Engine().batch() as batch:
        table = block(batch, records)
        return {
            one.metric.name: cpu(lambda one=one: one.fold(table, lambda _: b"k" * 16), repeat)  # type: ignore[misc]
            for one in metrics
        }


def finishes(panes: int, repeat: int) -> float:
    values = {"n": "count(*)", "share": "100.0 * sum(status) / count(*)", "mean": "round(avg(status), 2)"}
    compiled = metric("m", [], values)
    given = [Pane(10 + number, tuple(2 for _ in compiled.scalars)) for number in range(panes)]
    return cpu(lambda: compiled.finish(given), repeat)


def main() -> None:
    start = time.process_time()
    metrics = ookla()
    print(f"compile 5 metrics   {(time.process_time() - start) * 1e3:8.1f} ms")
    for records, repeat in ((20_000, 10), (100_000, 5)):
        costs = folds(metrics, records, repeat)
        print(f"block of {records:7}    {sum(costs.values()) / records * 1e6:8.3f} us per record, all metrics")
        for name, seconds in costs.items():
            print(f"    {name:15} {seconds / records * 1e6:8.3f}")
    for records in (1, 50, 150):
        costs = folds(metrics, records, 100)
        print(f"block of {records:7}    {sum(costs.values()) / len(costs) * 1e3:8.3f} ms per metric")
    for panes in (10, 10_000):
        print(f"finish {panes:7} panes {finishes(panes, 5) * 1e3:8.2f} ms")


if __name__ == "__main__":
    main()
