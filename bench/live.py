"""A log that is written at 5,000 records a second: how old a record is when `pegel points` can show it.

`python bench/live.py [--rate N] [--seconds N]`. Every record of a second carries that second; the newest value
of the open window says how many have arrived. Reported: latency from write to store, and the runner's CPU share.
"""

from __future__ import annotations

import argparse
import bisect
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pegel.errors import StateError
from pegel.sinks.local_points import LocalPoints

CONFIG = """
[runner]
state = "{directory}/state"
log_level = "error"

[[sources]]
name = "log"
type = "file"
path = "{directory}/access.log"
format.template = '{{client}} - {{user}} [{{time}}] "{{request}}" {{status:int}} {{size:int}} "{{referer}}" "{{agent}}"'
time = {{ column = "time", format = "%d/%b/%Y:%H:%M:%S %z" }}
private = ["client"]

[[metrics]]
name = "requests"
from = "log"
every = "1d"
values.total = "count(*)"
values.users = "count(distinct client)"
values.errors = "count(*) filter (where status >= 500)"
"""

RECORD = (
    '192.0.2.{address} - - [{time}] "GET /download?nocache={number:032x}&size=25000000 HTTP/1.1" 200 25000000'
    ' "https://www.example.org/" "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML) Invented/1.0"\n'
)


def cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_of(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def total(store: Path) -> int:
    try:
        with LocalPoints(store) as points:
            counts = [point.values["total"] for point in points.points("requests")]
            return sum(count for count in counts if isinstance(count, int))
    except (FileNotFoundError, StateError):
        return 0


def measure(directory: Path, rate: int, seconds: int) -> None:
    (directory / "config.toml").write_text(CONFIG.format(directory=directory))
    log = (directory / "access.log").open("w", buffering=1 << 16)
    runner = subprocess.Popen([sys.executable, "-m", "pegel", "run", str(directory / "config.toml")])
    store = directory / "state" / "points.db"
    while not (directory / "state" / "state.db").exists():
        time.sleep(0.05)
    time.sleep(3)
    written: list[tuple[float, int]] = []
    latencies: list[float] = []
    number = seen = 0
    begun, cpu = time.monotonic(), cpu_of(runner.pid)
    while (now := time.monotonic()) < begun + seconds:
        stamp = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime())
        due = int((now - begun) * rate)
        log.write("".join(RECORD.format(address=n % 250, time=stamp, number=n) for n in range(number, due)))
        log.flush()
        number = due
        written.append((time.monotonic(), number))
        arrived = total(store)
        if arrived > seen:
            first = bisect.bisect_right([count for _, count in written], seen)
            last = bisect.bisect_right([count for _, count in written], arrived)
            latencies += [time.monotonic() - at for at, _ in written[first:last]]
            seen = arrived
        time.sleep(0.02)
    share = (cpu_of(runner.pid) - cpu) / (time.monotonic() - begun)
    peak = peak_of(runner.pid)
    runner.send_signal(signal.SIGTERM)
    runner.wait()
    latencies.sort()
    print(
        f"{rate:,} records/s for {seconds} s: latency median {statistics.median(latencies):.2f} s,"
        f" 99th percentile {latencies[int(len(latencies) * 0.99)]:.2f} s, longest {latencies[-1]:.2f} s;"
        f" runner {share:.1%} of a core, peak {peak:.0f} MB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=5000)
    parser.add_argument("--seconds", type=int, default=30)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        measure(Path(directory), given.rate, given.seconds)


if __name__ == "__main__":
    main()
