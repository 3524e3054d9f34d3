"""The real thing: `pegel run` on a real disk, a writer, a rotator with real gzip processes, and SIGKILL.

What the simulation assumes of processes, descriptors and disks is true here by itself. At the end
`pegel run --once --close` reads what is left, and every window in the sink's file is compared with the oracle.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from simulation.oracle import SECOND, Record, Row, Window, windows
from simulation.simulation import difference

EVERY = 10
"""Seconds of a window."""

HERE = Path(__file__).parent
RUNNER = HERE.parents[1] / "runner"

METRICS = """
[[metrics]]
name = "requests"
help = "Records of the application."
from = "app"
every = "{every}s"
labels = ["key"]
values.n = {{ value = "count(*)", kind = "counter" }}
values.total = {{ value = "sum(value)", kind = "counter" }}
values.users = "count(distinct user)"
values.top = "max(value)"
values.last = "last(value)"
"""
"""What a ledger of the writer is compared with."""

CONFIG = """
[runner]
state = "{place}/state"
commit_interval = "200ms"

[[sources]]
name = "app"
type = "file"
path = "{place}/log/app.log"
format = {{ type = "lines", template = '{{number:int}} {{time:int}} {{key}} {{value:int}} "{{user}}";' }}
time = {{ column = "time", format = "unix_us" }}
disorder = "3s"
private = ["user"]

[[sinks]]
name = "out"
type = "file"
path = "{place}/out.ndjson"
"""


@dataclass
class KillReport:
    """What the loop did and found.

    Attributes:
        wrong: What is not as it must be, as sentences.
        broken_starts: Runs that ended by themselves, with their last words.
    """

    kills: int = 0
    rotations: int = 0
    records: int = 0
    windows: int = 0
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)
    broken_starts: list[str] = field(default_factory=list)
    place: str = ""

    def __str__(self) -> str:
        return (
            f"{self.kills} SIGKILLs, {self.rotations} rotations, {self.records} records, {self.windows} windows: "
            f"{len(self.wrong)} wrong, {len(self.broken_starts)} runs ended by themselves ({self.seconds:.0f} s)"
        )


@dataclass(frozen=True)
class Loop:
    """One loop.

    Attributes:
        seed: Draws the moments of death and the rotator's habits.
        kills: How often the runner dies; 0 for as often as `seconds` allow.
        seconds: How long it goes on if `kills` is 0.
        per_second: Records a second.
        rotate: Seconds between two rotations, on average.
        habit: Of the rotator; None for one drawn from the seed.
    """

    seed: int = 0
    kills: int = 0
    seconds: float = 60.0
    per_second: int = 200
    rotate: float = 2.0
    habit: str | None = None

    def run(self) -> KillReport:
        """Kill, restart, and compare at the end. The place is kept where something was wrong."""
        begun = time.monotonic()
        place = Path(tempfile.mkdtemp(prefix="pegel-sigkill-"))
        (place / "log").mkdir()
        (place / "config.toml").write_text((CONFIG + METRICS).format(place=place, every=EVERY))
        report = KillReport()
        with self._application(place, report):
            self._kill_again_and_again(place, report)
        self._compare(place, report)
        report.seconds = time.monotonic() - begun
        if report.wrong or report.broken_starts:
            report.place = str(place)
        else:
            shutil.rmtree(place)
        return report

    @contextmanager
    def _application(self, place: Path, report: KillReport) -> Iterator[None]:
        """A writer and a rotator for as long as the block lasts."""
        log, lock = place / "log" / "app.log", place / "lock"
        habit = self.habit or random.Random(self.seed).choice(["rename", "copytruncate", "mixed"])
        writer = _python("writer.py", log, place / "truth", lock, self.seed, self.per_second)
        rotator = _python("rotator.py", log, lock, self.seed, habit, self.rotate)
        try:
            yield
        finally:
            rotator.terminate()
            output, _ = rotator.communicate(timeout=60)
            writer.terminate()
            writer.communicate(timeout=60)
        report.rotations = int(output or 0)

    def _kill_again_and_again(self, place: Path, report: KillReport) -> None:
        rng, begun = random.Random(self.seed), time.monotonic()
        while (self.kills and report.kills < self.kills) or (
            not self.kills and time.monotonic() - begun < self.seconds
        ):
            runner = pegel("run", place / "config.toml")
            try:
                _, errors = runner.communicate(timeout=rng.choice([rng.uniform(0.1, 1.0), rng.uniform(0.5, 3.0)]))
                report.broken_starts.append(f"exit code {runner.returncode}: {errors.decode()[-500:]}")
                time.sleep(0.5)
            except subprocess.TimeoutExpired:
                os.kill(runner.pid, signal.SIGKILL)
                runner.communicate()
                report.kills += 1

    def _compare(self, place: Path, report: KillReport) -> None:
        last = pegel("run", place / "config.toml", "--once", "--close")
        _, errors = last.communicate(timeout=300)
        if last.returncode:
            report.wrong.append(f"the last run ended with {last.returncode}: {errors.decode()[-500:]}")
        records = [Record(*json.loads(line)) for line in (place / "truth").read_text().splitlines()]
        expected = windows(records, EVERY * SECOND)
        out = place / "out.ndjson"
        found, report_broken = read_points(out.read_bytes() if out.exists() else b"")
        report.records, report.windows = len(records), len(expected)
        report.wrong += difference("out", expected, found) + report_broken


def read_points(text: bytes) -> tuple[dict[Window, Row], list[str]]:
    """The windows in a sink's file: the highest revision counts, and a revision never has two values."""
    rows: dict[Window, Row] = {}
    revisions: dict[Window, int] = {}
    values: dict[tuple[Window, int], dict[str, Any]] = {}
    broken = []
    for line in text.splitlines():
        point = json.loads(line)
        if point["metric"] != "requests":
            continue
        moment = datetime.fromisoformat(point["time"])
        window = (round(moment.timestamp()) * SECOND, point["labels"]["key"])
        revision = point.get("revision", 1)
        if values.setdefault((window, revision), point["values"]) != point["values"]:
            broken.append(f"{window} has two values of revision {revision}")
        if revision >= revisions.get(window, 0):
            revisions[window], rows[window] = revision, Row(**point["values"])
    return rows, broken


def pegel(*arguments: object) -> subprocess.Popen[bytes]:
    """Start the command."""
    environment = {**os.environ, "PYTHONPATH": str(RUNNER)}
    command = [sys.executable, "-c", "from pegel.cli import main; main()", *map(str, arguments)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, env=environment)


def _python(script: str, *arguments: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, str(HERE / script), *map(str, arguments)], stdout=subprocess.PIPE)
