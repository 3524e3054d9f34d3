"""The application, its log rotation, the disk and the network: everything around a runner, from one seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from simulation.oracle import SECOND, Record
from simulation.records import spell
from simulation.stage import LOG
from simulation.world import SimClock, SimFiles

KEYS = ("a", "b", "c")
MOST_ARCHIVES = 6


@dataclass(frozen=True)
class Habits:
    """How one simulated machine is set up; drawn from the seed.

    Attributes:
        rotation: `rename`, `copytruncate` or `mixed`.
        packing: `none`, `gzip`, `hidden` (under another name until complete) or `away` (the source is gone
            before the archive is complete).
        delayed: The newest archive stays plain, as with logrotate's `delaycompress`.
        keep: Archives that retention leaves.
        lines: Lines of a record.
        late: Share of records that come minutes or an hour after their time.
        skewed: The wall clock of the runner is set forward and back by minutes.
        births: The file system tells when files were created.
        faulty: Files are unreadable at times.
    """

    rotation: str
    packing: str
    delayed: bool
    keep: int
    lines: int
    late: float
    skewed: bool
    births: bool
    faulty: bool


def draw_habits(rng: random.Random) -> Habits:
    """The habits of a seed."""
    return Habits(
        rotation=rng.choice(["rename", "rename", "copytruncate", "mixed"]),
        packing=rng.choice(["none", "gzip", "gzip", "hidden", "away"]),
        delayed=rng.random() < 0.5,
        keep=rng.randint(1, 4),
        lines=rng.choice([1, 1, 2]),
        late=rng.choice([0.0, 0.0, 0.1]),
        skewed=rng.random() < 0.25,
        births=rng.random() < 0.3,
        faulty=rng.random() < 0.3,
    )


class Application:
    """Writes records, some of them in two halves, and reopens its log when the rotation tells it to."""

    def __init__(self, rng: random.Random, clock: SimClock, files: SimFiles, habits: Habits) -> None:
        self._rng = rng
        self._files = files
        self._habits = habits
        self._skew = 0.0
        self._clock = clock
        self._writer = files.writer(LOG)
        self.half = b""
        self.written: list[Record] = []
        self.quiet = False
        self._pending: Record | None = None
        self._first_number = rng.choice([1, 1100, 11090, 111090])

    def true_time(self) -> float:
        """The time that the application believes in: never set back or forward."""
        return self._clock.wall() - self._skew

    def write(self) -> None:
        """Some records; the last one perhaps only in part."""
        if self.quiet:
            return
        self.finish()
        for _ in range(self._rng.randint(1, 6)):
            self._put(spell(self._record(), lines=self._habits.lines))
            self._settle()
        if self._rng.random() < 0.3:
            self._begin()

    def dribble(self) -> None:
        """Write only the first bytes of a record."""
        if not self.quiet and not self.half:
            self._begin(most=4)

    def _begin(self, most: int = 100) -> None:
        text = spell(self._record(), lines=self._habits.lines)
        cut = self._rng.randint(1, min(most, len(text) - 1))
        self.half = text[cut:]
        self._put(text[:cut])

    def finish(self) -> None:
        """Write the other half."""
        if self.half and not self.quiet:
            self._put(self.half)
            self.half = b""
            self._settle()

    def reopen(self) -> None:
        """Follow the name to the new file."""
        self._writer.close()
        self._writer = self._files.writer(LOG)

    def shift_clock(self) -> None:
        """Set the machine's clock a little wrong, or right again."""
        skew = self._rng.choice([0.0, self._rng.uniform(-200.0, 200.0)])
        self._clock.step(skew - self._skew)
        self._skew = skew

    def right_clock(self) -> None:
        """Set the machine's clock right."""
        self._clock.step(-self._skew)
        self._skew = 0.0

    def _put(self, data: bytes) -> None:
        self._writer.write(data)

    def _settle(self) -> None:
        """The record is whole now: it counts."""
        if self._pending is not None:
            self.written.append(self._pending)
            self._pending = None

    def _record(self) -> Record:
        age = self._rng.uniform(0.0, 4.0)
        if self._rng.random() < self._habits.late:
            age = self._rng.choice([self._rng.uniform(30.0, 200.0), self._rng.uniform(30.0, 3600.0)])
        self._pending = Record(
            number=self._first_number + len(self.written),
            time_us=round((self.true_time() - age) * SECOND),
            key=self._rng.choice(KEYS),
            value=self._rng.randint(0, 999),
            user=f"u{self._rng.randint(0, 12)}",
        )
        return self._pending


class Rotator:
    """Log rotation, one step at a time, so that a runner may look between any two of them."""

    def __init__(self, rng: random.Random, files: SimFiles, application: Application, habits: Habits) -> None:
        self._rng = rng
        self._files = files
        self._application = application
        self._habits = habits
        self._job: Iterator[None] | None = None
        self._rotated: set[bytes] = set()

    @property
    def busy(self) -> bool:
        """A rotation or a compression is under way."""
        return self._job is not None

    def work(self) -> None:
        """One step of what is under way, or the begin of something new."""
        if self._job is None:
            self._job = self._choose()
        if next(self._job, self) is self:
            self._job = None

    def finish(self) -> None:
        """Bring what is under way to its end."""
        while self.busy:
            self.work()

    def hurry(self) -> None:
        """Two rotations in a row, with only the first bytes of a record between them."""
        for _ in range(2):
            self.finish()
            if len(self._numbers()) < MOST_ARCHIVES:
                self._job = self._rotate()
            self.finish()
            self._application.dribble()

    def retain(self) -> None:
        """Delete the oldest archives; called only when every record of them was counted."""
        for number in self._numbers()[self._habits.keep :]:
            self._files.unlink(self._name(number))

    def _choose(self) -> Iterator[None]:
        packable = [
            n for n in self._numbers() if not self._name(n).endswith(".gz") and (n > 1 or not self._habits.delayed)
        ]
        if self._habits.packing != "none" and packable and self._rng.random() < 0.7:
            return self._pack(packable[-1])
        return self._rotate()

    def _rotate(self) -> Iterator[None]:
        text = self._files.read(LOG)
        if len(self._numbers()) >= MOST_ARCHIVES or text in self._rotated:
            return iter(())  # of two files with the same bytes nobody can say which is which
        self._rotated.add(text)
        copied = self._habits.rotation == "copytruncate" or (
            self._habits.rotation == "mixed" and self._rng.random() < 0.5
        )
        if copied:
            return self._copy_and_truncate() if b"\n" in text else iter(())
        return self._rename_and_create()

    def _rename_and_create(self) -> Iterator[None]:
        yield from self._shift()
        self._files.rename(LOG, f"{LOG}.1")
        yield
        self._files.create(LOG)
        for _ in range(self._rng.randint(1, 3)):
            yield
        self._application.reopen()

    def _copy_and_truncate(self) -> Iterator[None]:
        """Nothing is written between the begin of the copy and the cut: that would be lost by any rotator."""
        self._application.quiet = True
        yield from self._shift()
        text = self._files.read(LOG)
        middle = self._rng.randint(text.index(b"\n") + 1, len(text))
        self._files.create(f"{LOG}.1", text[:middle])
        yield
        self._files.append(f"{LOG}.1", text[middle:])
        yield
        self._files.truncate(LOG)
        self._application.quiet = False
        yield

    def _shift(self) -> Iterator[None]:
        for number in reversed(self._numbers()):
            name = self._name(number)
            self._files.rename(name, name.replace(f"{LOG}.{number}", f"{LOG}.{number + 1}"))
            yield

    def _pack(self, number: int) -> Iterator[None]:
        name, packing = f"{LOG}.{number}", self._habits.packing
        size = max(20, len(self._files.read(name)) // self._rng.randint(2, 12))
        return self._files.gzip(name, f"{name}.gz", hidden=packing == "hidden", away=packing == "away", slice_size=size)

    def _numbers(self) -> list[int]:
        """The archives, newest first."""
        names = [name for name in self._files.glob(f"{LOG}.*") if "~" not in name]
        return sorted({int(name.split(".")[2]) for name in names})

    def _name(self, number: int) -> str:
        plain = f"{LOG}.{number}"
        return plain if self._files.exists(plain) else f"{plain}.gz"


class Network:
    """What becomes of requests: outages of a sink, lost replies, requests that lie in a proxy."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.down = False
        self.healed = False

    def fault(self) -> str:
        """The fate of the next request."""
        if self.healed:
            return ""
        if self.down:
            return "refused"
        return self._rng.choices(["", "refused", "reply lost", "late"], [90, 3, 4, 3])[0]
