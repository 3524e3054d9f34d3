"""A live log under the real logrotate: a writer, the rotator and `pegel run` as processes of their own.

What is written between copytruncate's copy and its truncation is lost by logrotate, whoever reads. So that the
expected numbers are exact, the writer pauses for that moment: logrotate's own scripts ask for it before the copy
and end it behind the truncation, over two pipes. With `create` the pause is a moment behind the renaming, after
which nobody writes to the old file any more: what a postrotate script does that tells a server to open its log anew.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from engines.influxdb import Bucket, Key, Value
from engines.job import Job
from prove.sigkill import METRICS
from simulation.oracle import SECOND, Record, windows

EVERY = 10
"""Seconds of a window."""

WRITER = Path(__file__).parents[1] / "prove" / "writer.py"

SOURCES = """
[[sources]]
name = "app"
type = "file"
path = "{log}"
format = {{ type = "lines", template = '{{number:int}} {{time:int}} {{key}} {{value:int}} "{{user}}";' }}
time = {{ column = "time", format = "unix_us" }}
disorder = "3s"
rotate_wait = "1s"
private = ["user"]
"""

CONFIG = """
{log} {{
    size 4k
    rotate 200
    {method}
    compress
    {delay}
    missingok
    prerotate
        {before}
    endscript
    postrotate
        {after}
    endscript
}}
"""

METHODS = ("create", "copytruncate")
DELAYS = ("delaycompress", "nodelaycompress")


@dataclass
class Rotated:
    """What a story came to.

    Attributes:
        rotations: By logrotate.
        records: By the writer.
        kills: Of the runner.
        said: By logrotate, and by runners that ended by themselves; empty if nothing went wrong.
        expected: The points that follow from the writer's own ledger.
    """

    rotations: int
    records: int
    kills: int
    said: str
    expected: dict[Key, dict[str, Value]]


@dataclass(frozen=True)
class Story:
    """A log that is written, rotated and read at the same time.

    Attributes:
        logrotate: The program.
        method: `create` (rename) or `copytruncate`.
        delay: `delaycompress` or `nodelaycompress`.
        looks: How often logrotate is started; it rotates where the log has grown enough.
        kills: How often the runner is killed, at random moments, and started again.
        pause: Seconds between two starts of logrotate.
        per_second: Records.
        seed: Draws the records and the moments of death.
    """

    logrotate: Path
    method: str
    delay: str
    looks: int
    kills: int = 0
    pause: float = 0.1
    per_second: int = 1000
    seed: int = 0

    def run(self, place: Path, bucket: Bucket) -> Rotated:
        """Tell it; in the end the runner reads and closes all there is."""
        (place / "log").mkdir()
        log = place / "log" / "app.log"
        job = Job(place / "job", bucket, (SOURCES + METRICS).format(log=log, every=EVERY))
        with _writer(log, place, self.seed, self.per_second, self.method), _Pauses(place) as pauses:
            said = self._rotate(job, self._configuration(place, log, pauses), place)
        said += job.run("--once", "--close")
        records = [Record(*json.loads(line)) for line in (place / "truth").read_text().splitlines()]
        rotations = len(list(log.parent.iterdir())) - 1
        return Rotated(rotations, len(records), self.kills, said, _points(records))

    def _configuration(self, place: Path, log: Path, pauses: _Pauses) -> Path:
        """A file as an administrator writes it."""
        config = place / "logrotate.conf"
        hold, go_on = pauses.hold, pauses.go_on
        before, after = (hold, go_on) if self.method == "copytruncate" else ("true", f"{hold}\n        {go_on}")
        method = self.method if self.method == "copytruncate" else "create 0644"
        config.write_text(CONFIG.format(log=log, method=method, delay=self.delay, before=before, after=after))
        return config

    def _rotate(self, job: Job, config: Path, place: Path) -> str:
        """Start logrotate again and again beside a runner, which dies now and then; returns what they said."""
        rng, said, idle = random.Random(self.seed), "", threading.Event()
        deaths = set(rng.sample(range(1, self.looks), self.kills))
        runner = job.start()
        for look in range(self.looks):
            idle.wait(self.pause)
            said += _run(self.logrotate, "--state", place / "logrotate.state", config)
            if look in deaths:
                said += _end(runner, signal.SIGKILL)
                runner = job.start()
        return said + _end(runner, signal.SIGTERM)


class _Pauses:
    """Lets logrotate's scripts hold the writer: a line in one pipe asks, a line in the other answers."""

    def __init__(self, place: Path) -> None:
        self._ask, self._answer = place / "ask", place / "answer"
        self._lock = (place / "lock").open("w")
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> _Pauses:
        os.mkfifo(self._ask)
        os.mkfifo(self._answer)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ask.write_text("end\n")
        self._thread.join()
        self._lock.close()

    @property
    def hold(self) -> str:
        """Shell that returns when the writer is between two writes, and stays there."""
        return f"echo hold > {self._ask}; read answer < {self._answer}"

    @property
    def go_on(self) -> str:
        """Shell that lets the writer write again."""
        return f"echo on > {self._ask}; read answer < {self._answer}"

    def _serve(self) -> None:
        while (asked := self._ask.read_text()) != "end\n":
            fcntl.flock(self._lock, fcntl.LOCK_EX if asked == "hold\n" else fcntl.LOCK_UN)
            self._answer.write_text("done\n")


@contextmanager
def _writer(log: Path, place: Path, seed: int, per_second: int, method: str) -> Iterator[None]:
    """The application, for as long as the block lasts; with `create` it leaves it to logrotate to make the new log."""
    habit = "waits" if method == "create" else ""
    arguments = [str(one) for one in (log, place / "truth", place / "lock", seed, per_second, habit)]
    writer = subprocess.Popen([sys.executable, str(WRITER), *arguments])
    try:
        yield
    finally:
        writer.terminate()
        writer.wait(30)


def _run(*command: object) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, timeout=60)
    return done.stdout + done.stderr + (f"exit code {done.returncode}" if done.returncode else "")


def _end(runner: subprocess.Popen[bytes], number: int) -> str:
    """End a runner; what it said if it had ended already, or ends otherwise than asked.

    One that is so young that it does not listen to signals yet dies of SIGTERM like any program.
    """
    ended_by_itself = runner.poll() is not None
    runner.send_signal(number)
    _, said = runner.communicate(timeout=60)
    if runner.returncode in (0, -number) and not ended_by_itself:
        return ""
    return f"the runner ended with {runner.returncode}: {said.decode()}"


def _points(records: list[Record]) -> dict[Key, dict[str, Value]]:
    return {
        (f"{datetime.fromtimestamp(start / SECOND, UTC):%Y-%m-%dT%H:%M:%SZ}", "requests", (("key", key),)): {
            "n": row.n,
            "total": row.total,
            "users": row.users,
            "top": row.top,
            "last": row.last,
        }
        for (start, key), row in windows(records, EVERY * SECOND).items()
    }
