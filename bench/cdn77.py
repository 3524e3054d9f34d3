"""The whole `cdn77` preset over packed objects against the floor: inflate and one pass over the bytes.

`python bench/cdn77.py [--rows N] [--runs N]`. From objects to committed partials: all twelve metrics, distinct
addresses exact, places looked up. The sample is fixed in writing in `pegel.samples.cdn77` (profile `bench`); it is made
once and kept under build/bench/. Objects come from files here: what a bucket adds is measured with the source, which
also knows that the two shards are beside each other in time (`disorder` says so here).
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import threading
from dataclasses import replace
from pathlib import Path

import pegel

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench.ookla import CACHE, FLOOR, Cost, run

PLACES = Path(pegel.__file__).parent / "presets/samples/cdn77/city.mmdb"
"""Where nearly all addresses of the sample are."""

CONFIG = """
[runner]
state = "{directory}/state"
log_level = "error"

[[sources]]
name = "cdn77"
preset = "cdn77"
type = "file"
path = "none"
disorder = "2m"
enrichers.geoip.file = "{places}"
"""


def sample(rows: int) -> Path:
    """A directory with the objects of so many rows."""
    directory = CACHE / f"cdn77-{rows}"
    if not (directory / "complete").exists():
        command = ["--out", str(directory), "--rows", str(rows), "--profile", "bench"]
        subprocess.run([sys.executable, "-m", "pegel.samples.cdn77", *command], check=True)
        (directory / "complete").touch()
    return directory


def count(directory: Path) -> None:
    """Count all objects of a directory, from nothing, in this process."""
    from pegel.config import load
    from pegel.memory import settle
    from pegel.pipeline import Runner, trial
    from pegel.pipeline.service import Service

    with tempfile.TemporaryDirectory() as scratch:
        config = Path(scratch) / "config.toml"
        config.write_text(CONFIG.format(directory=scratch, places=PLACES))
        plan = load(config, {"S3_BUCKET": "none", "S3_ACCESS_KEY": "none", "S3_SECRET_KEY": "none"})
        files = sorted(directory.rglob("*.gz"), key=lambda file: file.stat().st_mtime)
        plan = replace(trial.reading(plan, "cdn77", [str(file) for file in files]), sinks=())
        runner = Runner(plan)
        runner.open()
        settle()
        try:
            trouble = Service(runner, threading.Event()).run_once(close_all=False, patience=60.0)
        finally:
            runner.close()
    if trouble:
        raise SystemExit(trouble)


def preset(directory: Path) -> Cost:
    """The whole job, in a new process."""
    return run([sys.executable, __file__, "--count", str(directory)])


def floor(directory: Path) -> Cost:
    """Inflate the same objects and look at every byte once."""
    return run([sys.executable, "-c", FLOOR, *map(str, sorted(directory.rglob("*.gz")))])


def measure(rows: int, runs: int) -> None:
    directory = sample(rows)
    costs, floors = [], []
    for _ in range(runs):
        floors.append(floor(directory))
        costs.append(preset(directory))
    cpu = statistics.median(cost.cpu for cost in costs)
    base = statistics.median(cost.cpu for cost in floors)
    wall = statistics.median(cost.wall for cost in costs)
    size = sum(path.stat().st_size for path in directory.rglob("*.gz")) / 1e6
    print(
        f"{rows:,} rows ({size:.0f} MB of objects): {cpu / rows * 1e6:.2f} us CPU a row,"
        f" wall {wall:.2f} s = {wall / cpu:.2f} of CPU, peak {max(cost.peak for cost in costs):.0f} MB;"
        f" floor {base / rows * 1e6:.2f} us, ratio {cpu / base:.1f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--count", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.count:
        count(given.count)
    else:
        measure(given.rows, given.runs)


if __name__ == "__main__":
    main()
