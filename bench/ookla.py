"""The whole `ookla` preset over rotated archives against the floor: inflate and one pass over the bytes.

`python bench/ookla.py [--records N] [--runs N] [--scale]`. The sample is fixed in writing in
`pegel.samples.ookla` (profile `bench`); it is made once and kept under build/bench/.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import pegel

CACHE = Path(__file__).parents[1] / "build" / "bench"
LIVE = "ooklaserver-access.log"

CONFIG = """
[runner]
state = "{directory}/state"
log_level = "error"

[[sources]]
name = "ookla"
preset = "ookla"
path = "{log}"
labels = {{ server = "bench" }}
enrichers.asn.files = ["{networks}"]
"""
NETWORKS = Path(pegel.__file__).parent / "presets/samples/ookla/asn.tsv"
"""The networks that the addresses of the sample are in."""

ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
    "PYTHONPYCACHEPREFIX": str(CACHE / "bytecode"),
}
"""As it is installed: with byte code; compiling the sources costs 0.17 s at every start."""

FLOOR = """
import sys
from isal import igzip
lines = 0
for path in sys.argv[1:]:
    with igzip.open(path) as file:
        while data := file.read(1 << 20):
            lines += data.count(b"\\n")
"""


@dataclass(frozen=True)
class Cost:
    """One run of a command: CPU seconds, wall seconds, peak resident set in MB."""

    cpu: float
    wall: float
    peak: float


def sample(records: int) -> Path:
    """A directory with the archives of a log of so many records."""
    directory = CACHE / f"ookla-{records}"
    if not (directory / "complete").exists():
        directory.mkdir(parents=True, exist_ok=True)
        command = ["--out", str(directory), "--records", str(records), "--profile", "bench", "--rotate", "10MiB"]
        subprocess.run([sys.executable, "-m", "pegel.samples.ookla", *command], check=True)
        (directory / "complete").touch()
    return directory


def run(command: list[str]) -> Cost:
    """Run a command to its end and read its bill."""
    begun = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=ENVIRONMENT)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command} failed with {status}")
    return Cost(usage.ru_utime + usage.ru_stime, time.monotonic() - begun, usage.ru_maxrss / 1024)


def preset(directory: Path) -> Cost:
    """Count the whole log, from nothing, in a new process."""
    with tempfile.TemporaryDirectory() as scratch:
        config = Path(scratch) / "config.toml"
        config.write_text(CONFIG.format(directory=scratch, log=directory / LIVE, networks=NETWORKS))
        return run([sys.executable, "-m", "pegel", "run", "--once", "--close", str(config)])


def floor(directory: Path) -> Cost:
    """Inflate the same archives and look at every byte once."""
    archives = sorted(str(path) for path in directory.glob("*.gz"))
    return run([sys.executable, "-c", FLOOR, *archives])


def measure(records: int, runs: int) -> float:
    directory = sample(records)
    costs, floors = [], []
    preset(sample(1000))  # writes the byte code
    for _ in range(runs):
        floors.append(floor(directory))
        costs.append(preset(directory))
    cpu = statistics.median(cost.cpu for cost in costs)
    base = statistics.median(cost.cpu for cost in floors)
    wall = statistics.median(cost.wall for cost in costs)
    peak = max(cost.peak for cost in costs)
    size = sum(path.stat().st_size for path in directory.glob("*.gz")) / 1e6
    print(
        f"{records:,} records ({size:.0f} MB of archives): {cpu / records * 1e6:.2f} us CPU a record,"
        f" wall {wall:.2f} s = {wall / cpu:.2f} of CPU, peak {peak:.0f} MB;"
        f" floor {base / records * 1e6:.2f} us, ratio {cpu / base:.1f}",
        flush=True,
    )
    return cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--scale", action="store_true", help="also ten times the records: CPU must grow linearly")
    given = parser.parse_args()
    once = measure(given.records, given.runs)
    if given.scale:
        print(f"ten times the input costs {measure(given.records * 10, 1) / once:.2f} times the CPU")
    print(f"this process and its children: peak {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
