"""An application that writes a log, as a process of its own: `python writer.py LOG TRUTH LOCK SEED PER_SECOND`.

It appends with O_APPEND, follows a renamed log when it finds the name missing or leading elsewhere (with a sixth
argument `waits` only elsewhere: the rotator makes the new file), and writes some records in two halves, so that
a rotation may fall between them. What it wrote is in TRUTH, one JSON array per record, written when the record is
complete. A shared lock is held while it writes: a rotator that copies and truncates takes it, since what is
written in that moment is lost by any rotator. SIGTERM ends it behind a whole record.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

KEYS = ("a", "b", "c", "d")


class Application:
    """Writes records until it is told to stop."""

    def __init__(self, log: str, truth: str, lock: str, seed: int, *, waits: bool = False) -> None:
        self._log = log
        self._waits = waits
        self._rng = random.Random(seed)
        self._truth = os.open(truth, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._lock = os.open(lock, os.O_RDWR | os.O_CREAT)
        self._fd = self._opened()
        self._number = 0
        self.stopped = False

    def _opened(self) -> int:
        return os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def _follow(self) -> None:
        """Go to the file that the name means now."""
        try:
            same = Path(self._log).stat().st_ino == os.fstat(self._fd).st_ino
        except FileNotFoundError:
            same = self._waits
        if not same:
            os.close(self._fd)
            self._fd = self._opened()

    def write(self, count: int, pause: float) -> None:
        """Some records, the last one perhaps in two halves with a pause between them."""
        records = [self._record() for _ in range(count)]
        text = b"".join(_spell(record) for record in records)
        cut = self._rng.randint(1, len(text) - 1) if self._rng.random() < 0.3 else len(text)
        self._put(text[:cut])
        if cut < len(text):
            time.sleep(pause * self._rng.random())
            self._put(text[cut:])
        os.write(self._truth, b"".join(json.dumps(record).encode() + b"\n" for record in records))

    def _put(self, text: bytes) -> None:
        fcntl.flock(self._lock, fcntl.LOCK_SH)
        self._follow()
        os.write(self._fd, text)
        fcntl.flock(self._lock, fcntl.LOCK_UN)

    def _record(self) -> tuple[int, int, str, int, str]:
        self._number += 1
        age = self._rng.uniform(0.0, 2.0) if self._rng.random() < 0.98 else self._rng.uniform(20.0, 600.0)
        user = f"u{self._rng.randint(0, 40)}"
        return (
            self._number,
            time.time_ns() // 1000 - round(age * 1e6),
            self._rng.choice(KEYS),
            self._rng.randint(0, 999),
            user,
        )


def _spell(record: tuple[int, int, str, int, str]) -> bytes:
    number, time_us, key, value, user = record
    return f'{number} {time_us} {key} {value} "{user}";\n'.encode()


def main(log: str, truth: str, lock: str, seed: str, per_second: str, habit: str = "") -> None:
    """Write until SIGTERM."""
    application = Application(log, truth, lock, int(seed), waits=habit == "waits")

    def stop(_number: int, _frame: object) -> None:
        application.stopped = True

    signal.signal(signal.SIGTERM, stop)
    while not application.stopped:
        application.write(max(1, int(per_second) // 20), 0.03)
        time.sleep(0.05)


if __name__ == "__main__":
    main(*sys.argv[1:])
