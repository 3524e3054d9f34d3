"""The stage of the numbered scenarios: a log, a runner in one of three conditions, and what must be counted."""

from __future__ import annotations

import zlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from simulation.world import SimClock, SimFiles, pack
from sources.driving import LOG, Runner

Condition = Literal["running", "stopped", "killed"]

CONDITIONS: tuple[Condition, ...] = ("running", "stopped", "killed")


@dataclass
class Story:
    """Something happens to a log while the runner is running, stopped, or was killed with work in flight."""

    condition: Condition
    options: dict[str, object] = field(default_factory=dict)
    expected: Counter[bytes] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.clock = SimClock()
        self.files = SimFiles(self.clock)
        self.runner = Runner(self.files, self.clock, dict(self.options))
        self._number = 0

    def write(self, count: int = 1, path: str = LOG, size: int = 20) -> None:
        """Append whole records that no other file has."""
        for _ in range(count):
            self.files.append(path, self.record(size) + b"\n")

    def record(self, size: int = 20) -> bytes:
        """A new record that must be counted once."""
        self._number += 1
        record = b"<%d:%s>" % (self._number, (b"%d" % zlib.crc32(b"%d" % self._number)) * (1 + size // 10))
        self.expected[record] += 1
        return record

    def records(self, count: int) -> bytes:
        """Lines of new records."""
        return b"".join(self.record() + b"\n" for _ in range(count))

    def meet(self) -> None:
        """The runner has read the log so far; from here on it is in its condition."""
        self.runner.open()
        self.runner.settle(8)
        self._leave()

    def meet_nothing(self) -> None:
        """As `meet`, but nothing is in flight."""
        self.runner.open()
        self.runner.settle(8)
        if self.condition == "stopped":
            self.runner.stop()
        elif self.condition == "killed":
            self.runner.kill()

    def _leave(self) -> None:
        if self.condition == "stopped":
            self.runner.stop()
        elif self.condition == "killed":
            self.write()
            self.runner.clock.advance(1.0)
            while self.runner.read():
                pass
            self.runner.kill()

    def look(self, seconds: float = 2.0) -> None:
        """A running runner notices what happened so far; for the others time passes."""
        if self.runner.source is not None:
            self.runner.settle(seconds)
        else:
            self.clock.advance(seconds)

    def finish(self, seconds: float = 40.0) -> dict[str, int]:
        """Whatever the condition, the runner reads on; returns what it noticed."""
        if self.runner.source is None:
            self.runner.open()
        self.runner.settle(seconds)
        missing, extra = self.expected - self.runner.records, self.runner.records - self.expected
        assert (missing, extra) == (Counter(), Counter())
        return self.runner.counts

    def finish_after_healing(self) -> None:
        """Somebody mends every fault, and the runner reads on without one."""
        self.files.heal()
        self.write(1)
        assert self.finish().get("quarantined_archives", 0) == 0
        assert self.runner.source is not None
        assert self.runner.source.status().state == "idle"

    def archive(self, suffix: str, content: bytes) -> None:
        """An archive with that content, packed if its name says so."""
        self.files.create(LOG + suffix, pack(content) if suffix.endswith(".gz") else content)

    def gzip(self, suffix: str, *, hidden: bool = False) -> None:
        """Pack an archive from begin to end."""
        for _ in self.files.gzip(LOG + suffix, f"{LOG}{suffix}.gz", hidden=hidden):
            pass

    def rotate(self, suffix: str = ".1") -> None:
        """Rename the live file; the next one is not there yet."""
        self.files.rename(LOG, LOG + suffix)

    def copytruncate(self, suffix: str = ".1") -> None:
        """Copy the live file and cut it."""
        self.files.copy(LOG, LOG + suffix)
        self.files.truncate(LOG)
