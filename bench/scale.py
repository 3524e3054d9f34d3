"""Objects read by workers: one against two on the same bucket, and what of the CPU the coordinator takes.

`python bench/scale.py [--rows N] [--rate N] [--backfill]` reads objects as `bench/cdn77.py` has them, but of a busier
log (rows a second of event time), through versitygw (`./dev engines versitygw`) and a Dask scheduler on this machine. A
worker has one thread. Windows behind the last record stay open; with `--backfill` they close, which is two hours of
steps. What the coordinator does depends on the windows and series that there are, and not on rows: the more rows a
minute has, the less it is for each.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

sys.path += [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "tests")]

from bench.cdn77 import PLACES
from bench.ookla import CACHE

CONFIG = """
[runner]
state = "{directory}/state-{name}"
log_level = "warning"

[scale]
scheduler = "tcp://127.0.0.1:{port}"

[[sources]]
name = "cdn77"
preset = "cdn77"
endpoint = "{endpoint}"
bucket = "logs"
prefix = ""
disorder = "2m"
look_back = "1000000h"
idle_after = "1000000h"
enrichers.geoip.file = "{places}"

[[sinks]]
type = "file"
path = "{directory}/points-{name}"
"""

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Run:
    """One run: seconds of the clock, and of CPU by process."""

    wall: float
    coordinator: float
    workers: list[float]
    scheduler: float
    server: float

    @property
    def share(self) -> float:
        """The coordinator's part of what coordinator and workers used."""
        return self.coordinator / (self.coordinator + sum(self.workers))


def sample(rows: int, rate: int) -> Path:
    """A directory with the objects of so many rows."""
    from pegel.samples.cdn77 import Delivery, objects, write
    from pegel.samples.cdn77_traffic import Shape

    directory = CACHE / f"cdn77-{rows}-at-{rate}"
    if not (directory / "complete").exists():
        shape = Shape(rate=float(rate), streams=40, viewers=5 * rate)
        delivery = Delivery(shards=max(1, rate // 2000), interval=10.0)
        start = datetime(2026, 3, 3, 12, tzinfo=UTC).timestamp()
        write(directory, objects(1, start, shape, delivery, rows))
        (directory / "complete").touch()
    return directory


def cpu(pid: int) -> float:
    """Seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def measure(config: Path, environment: dict[str, str], port: int, workers: int, server: int, *, backfill: bool) -> Run:
    """One run by so many workers."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    programs = Path(sys.executable).parent
    command = ["scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    scheduler = subprocess.Popen([programs / "dask", *command], **quiet)  # type: ignore[call-overload]
    crew = [
        subprocess.Popen([programs / "pegel", "worker", config, "--threads", "1"], env=environment)
        for _ in range(workers)
    ]
    try:
        wait_for(port)
        time.sleep(4)  # they import, and join
        before = [cpu(one.pid) for one in (*crew, scheduler)] + [cpu(server)]
        begun = time.monotonic()
        used_before = os.times()
        command = ["backfill", str(config), "20260303", "--quiet"] if backfill else ["run", str(config), "--once"]
        subprocess.run([programs / "pegel", *command], env=environment, check=True)
        wall = time.monotonic() - begun
        used = os.times()
        after = [cpu(one.pid) for one in (*crew, scheduler)] + [cpu(server)]
    finally:
        for process in (*crew, scheduler):
            process.send_signal(signal.SIGTERM)
        for process in (*crew, scheduler):
            process.wait(30)
    spent = [late - early for late, early in zip(after, before, strict=True)]
    coordinator = used.children_user + used.children_system - used_before.children_user - used_before.children_system
    return Run(wall, coordinator, spent[:workers], spent[-2], spent[-1])


def wait_for(port: int) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit("the scheduler does not listen")


def main() -> None:
    from engines.catalog import program
    from engines.s3 import ACCESS, REGION, SECRET, S3Server

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--rate", type=int, default=20_000)
    parser.add_argument("--backfill", action="store_true")
    given = parser.parse_args()
    directory = sample(given.rows, given.rate)
    with tempfile.TemporaryDirectory() as scratch:
        server = S3Server(program("versitygw"), Path(scratch))
        try:
            bucket = server.bucket("logs")
            for file in sorted(directory.rglob("*.gz")):
                bucket.put(str(file.relative_to(directory)), file.read_bytes())
            names = {"S3_BUCKET": "logs", "S3_ACCESS_KEY": ACCESS, "S3_SECRET_KEY": SECRET, "S3_REGION": REGION}
            walls = {}
            for workers in (1, 2):
                port = free_port()
                config = Path(scratch) / f"config-{workers}.toml"
                config.write_text(
                    CONFIG.format(directory=scratch, name=workers, port=port, endpoint=server.url, places=PLACES)
                )
                config.chmod(0o600)
                run = measure(config, {**os.environ, **names}, port, workers, server.pid, backfill=given.backfill)
                walls[workers] = run.wall
                crew = " + ".join(f"{one:.2f}" for one in run.workers)
                print(
                    f"{workers} workers: {run.wall:.2f} s, CPU: workers {crew},"
                    f" coordinator {run.coordinator:.2f} ({run.share:.0%}), scheduler {run.scheduler:.2f},"
                    f" S3 server {run.server:.2f}",
                    flush=True,
                )
            print(f"two workers are {walls[1] / walls[2]:.2f}x one")
        finally:
            server.stop()


if __name__ == "__main__":
    main()
