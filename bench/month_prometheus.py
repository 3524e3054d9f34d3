"""The dashboards that ask Prometheus, on 30 days of data in a real one: what each query costs, as Grafana asks it.

The pages of a runner with speed tests (the data of `month`), of a runner about itself, and of the services of
the stack, each fetched every 15 seconds. Needs `./dev engines prometheus promtool`. `--BOARD` asks that board alone.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from bench._scrapes import Series, of_points, standing, write
from bench._stack import RUNNERS, SERVICES
from bench.month import BEGIN, END, GOAL, PIXELS, month

from engines.catalog import program
from engines.grafana import window
from engines.grafana_prometheus import Look, ask, queries
from engines.prometheus import QUIET, Prometheus

START, STOP = (round(moment.timestamp()) for moment in (BEGIN, END))
SPAN = range(START, STOP)
BLOCK = 54 * 3600
"""What Prometheus makes of small blocks in the end."""

MARKS = 240
"""Seconds between two looks for annotations: a minute, but no more than 11,000 looks."""

BOARDS = ("overview", "ookla-prometheus", "pegel-itself", "stack-health")
CHOSEN = {"server": ".*", "zone": "1", "instance": ".*", "source": ".*", "sink": ".*"}


def main() -> None:
    boards = [board for board in BOARDS if f"--{board}" in sys.argv] or list(BOARDS)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        print(f"{fill(series(boards), directory):,} samples in Prometheus", flush=True)
        server = Prometheus(program("prometheus"), directory, QUIET)
        try:
            slow = [query for board in boards for query, took in asked(server, board) if took > GOAL]
        finally:
            server.stop()
    print(f"dearer than {GOAL:g} s: {', '.join(slow) or 'none'}")


def series(boards: list[str]) -> list[Series]:
    """What the boards look at."""
    tables = [*RUNNERS, *(SERVICES if "stack-health" in boards else [])]
    found = [one for name, labels, value, growth in tables for one in standing(name, labels, value, growth, SPAN)]
    if {"ookla-prometheus", "overview"} & set(boards):
        target = {"job": "runner", "instance": "runner:9464"}
        found += of_points(month(), target, STOP)
    return found


def fill(found: list[Series], directory: Path) -> int:
    """Make the blocks of a month; returns the number of samples."""
    text, promtool, count = directory / "samples", program("promtool"), 0
    options = ["tsdb", "create-blocks-from", f"--max-block-duration={BLOCK}s", "openmetrics", "--quiet"]
    for begin in range(START // BLOCK * BLOCK, STOP, BLOCK):
        count += write(found, range(begin, min(begin + BLOCK, STOP)), text)
        subprocess.run([promtool, *options, text, directory / "data"], check=True, stdout=subprocess.DEVNULL)
    text.unlink()
    return count


def asked(server: Prometheus, board: str) -> Iterator[tuple[str, float]]:
    """The best of three of each query: CPU seconds of the server; beside it the time until the answer was there."""
    look = Look(START, STOP - 1, variables=CHOSEN)
    for name, query in queries(board).items():
        step = round(window(END - BEGIN, query.points or PIXELS).total_seconds())
        at = replace(look, step=MARKS if name.startswith("@") else max(step, query.least))
        took, waited = [], []
        for _ in range(3):
            begun, used = time.perf_counter(), cpu(server.pid)
            found = ask(server, query, at)
            waited.append(time.perf_counter() - begun)
            took.append(cpu(server.pid) - used)
        told = f"{min(took):6.2f} s CPU {min(waited):6.2f} s"
        print(f"{told}  {len(found):4} series  {board}: {name}", flush=True)
        yield f"{board}: {name}", min(took)


def cpu(pid: int) -> float:
    """Seconds that a process has computed: what a query costs, also where others use the same cores."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
