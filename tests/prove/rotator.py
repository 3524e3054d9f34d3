"""A log rotator as a process of its own: `python rotator.py LOG LOCK SEED HABIT SECONDS`.

HABIT is `rename`, `copytruncate` or `mixed`. Archives are numbered as logrotate does it and packed by real gzip
processes; the newest stays plain for one rotation, or is packed at once. It keeps 40 archives, more than the
runner under test can be behind. SIGTERM ends it between two rotations.
"""

from __future__ import annotations

import fcntl
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

KEEP = 40


class Rotator:
    """Rotates one log."""

    def __init__(self, log: Path, lock: Path, seed: int, habit: str) -> None:
        self._log = log
        self._rng = random.Random(seed)
        self._habit = habit
        self._lock = lock.open("w")
        self._delayed = self._rng.random() < 0.5
        self.rotations = 0

    def rotate(self) -> None:
        """Shift the numbers, put the live file aside, pack."""
        if not self._log.exists() or not self._log.stat().st_size:
            return
        habit = self._rng.choice(["rename", "copytruncate"]) if self._habit == "mixed" else self._habit
        if habit == "rename":
            self._shift()
            self._log.rename(self._archive(1))
            self._wait_for_the_writer()
        else:
            self._copy_and_truncate()
        self.rotations += 1
        self._pack()

    def _shift(self) -> None:
        for number in sorted(self._numbers(), reverse=True):
            for ending in ("", ".gz"):
                name = self._archive(number, ending)
                if name.exists() and number >= KEEP:
                    name.unlink()
                elif name.exists():
                    name.rename(self._archive(number + 1, ending))

    def _copy_and_truncate(self) -> None:
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._shift()
        shutil.copyfile(self._log, self._archive(1))
        with self._log.open("r+") as live:
            live.truncate(0)
        fcntl.flock(self._lock, fcntl.LOCK_UN)

    def _wait_for_the_writer(self) -> None:
        """The writer makes the new file; until then it may still write to the old one."""
        while not self._log.exists():
            time.sleep(0.01)

    def _pack(self) -> None:
        for number in sorted(self._numbers()):
            plain = self._archive(number)
            if plain.exists() and (number > 1 or not self._delayed):
                subprocess.run(["gzip", "-f", str(plain)], check=True)

    def _numbers(self) -> set[int]:
        names = (path.name.removeprefix(self._log.name + ".") for path in self._log.parent.glob(self._log.name + ".*"))
        return {int(name.removesuffix(".gz")) for name in names if name.removesuffix(".gz").isdigit()}

    def _archive(self, number: int, ending: str = "") -> Path:
        return self._log.with_name(f"{self._log.name}.{number}{ending}")


def main(log: str, lock: str, seed: str, habit: str, seconds: str) -> None:
    """Rotate until SIGTERM."""
    rotator = Rotator(Path(log), Path(lock), int(seed), habit)
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: stopped.append(number))
    rng = random.Random(seed)
    while not stopped:
        time.sleep(float(seconds) * rng.uniform(0.2, 1.8))
        rotator.rotate()
    sys.stdout.write(f"{rotator.rotations}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
