"""Real processes of a crew on the loopback: a Dask scheduler, workers and a coordinator, killed by their pids."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engines.s3 import ACCESS, REGION, SECRET, RealBucket

PROGRAMS = Path(sys.executable).parent

_PATIENCE = 90.0
"""Seconds for what takes two on an idle machine."""

CONFIG = """
[runner]
state = "{place}/state"
commit_interval = "100ms"
log_level = "info"

[scale]
scheduler = "{scheduler}"
max_in_flight = "1MiB"
{tls}

[[sources]]
name = "edge"
type = "s3"
endpoint = "{endpoint}"
region = "{region}"
bucket = "{bucket}"
layout = "%Y%m%d/%H/"
names = "{{partition}}+{{sequence}}.ndjson"
look_back = "1000000h"
disorder = "10s"
access_key = "{access}"
secret_key_file = "{place}/secret"
private = ["user"]
time = {{ column = "time", format = "unix" }}

[sources.format]
type = "ndjson"
columns = {{ time = "bigint", key = "varchar", value = "bigint", user = "varchar" }}

[[metrics]]
name = "requests"
every = "1m"
labels = ["key"]
values.n = {{ value = "count(*)", kind = "counter" }}
values.total = "sum(value)"
values.users = "count(distinct user)"
values.top = "max(value)"

[[sinks]]
name = "out"
type = "file"
path = "{place}/out.ndjson"
"""


@dataclass
class Crew:
    """A place for the files, and the processes that run there."""

    place: Path
    bucket: RealBucket
    scheme: str = "tcp"
    tls: str = ""
    port: int = field(init=False)
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        (self.place / "secret").write_text(SECRET)
        self.config.write_text(
            CONFIG.format(
                place=self.place,
                scheduler=f"{self.scheme}://127.0.0.1:{self.port}",
                tls=self.tls,
                endpoint=self.bucket.server.url,
                region=REGION,
                bucket=self.bucket.name,
                access=ACCESS,
            )
        )
        self.config.chmod(0o600)

    @property
    def config(self) -> Path:
        return self.place / "config.toml"

    def scheduler(self, *options: str) -> subprocess.Popen[str]:
        """Start one, and wait until it listens."""
        command = ["--host", "127.0.0.1", "--port", str(self.port), "--protocol", self.scheme, "--no-dashboard"]
        process = self._start(str(PROGRAMS / "dask"), "scheduler", *command, *options)
        until(self._listens)
        return process

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def worker(self, *options: str, config: Path | None = None) -> subprocess.Popen[str]:
        """Start one."""
        return self._start(str(PROGRAMS / "pegel"), "worker", str(config or self.config), "--threads", "1", *options)

    def run(self, *options: str) -> subprocess.Popen[str]:
        """Start a coordinator."""
        return self._start(str(PROGRAMS / "pegel"), "run", str(self.config), *options)

    def _start(self, *command: str) -> subprocess.Popen[str]:
        log = (self.place / f"{len(self.processes)}.log").open("w")
        process = subprocess.Popen(command, stdout=log, stderr=log, text=True, env={**os.environ, "DASK_CONFIG": "/"})
        log.close()
        self.processes.append(process)
        return process

    def heard(self, process: subprocess.Popen[str]) -> str:
        """What a process has said so far."""
        return (self.place / f"{self.processes.index(process)}.log").read_text()

    def counted(self) -> int:
        """Objects of which the state says that they count."""
        try:
            with sqlite3.connect(f"file:{self.place}/state/state.db?mode=ro", uri=True) as connection:
                ((count,),) = connection.execute("select count(*) from streams where done")
        except sqlite3.Error:
            return 0
        return int(count)

    def points(self) -> dict[tuple[str, str], dict[str, Any]]:
        """The values that the sink has, by window and key: of the highest revision."""
        found: dict[tuple[str, str], dict[str, Any]] = {}
        best: dict[tuple[str, str], int] = {}
        path = self.place / "out.ndjson"
        for line in path.read_text().splitlines() if path.exists() else ():
            point = json.loads(line)
            if point["metric"] == "requests":
                place = (point["time"], point["labels"]["key"])
                revision = point.get("revision", 1)
                if revision >= best.get(place, 0):
                    best[place], found[place] = revision, point["values"]
        return found

    def stop(self) -> None:
        """End what still runs."""
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
        for process in self.processes:
            process.wait(20)


def until(true: Callable[[], bool], patience: float = _PATIENCE) -> None:
    """Wait for something that other processes do."""
    end, tick = time.monotonic() + patience, threading.Event()
    while not true():
        assert time.monotonic() < end, "it did not happen"
        tick.wait(0.02)
