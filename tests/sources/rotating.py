"""An application and its rotator on the simulated file system, in small steps that a reader can see between."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from simulation.world import SimClock, SimFiles
from sources.driving import LOG


@dataclass
class Rotator:
    """Writes records that are all different and rotates by one method.

    `method` is what happens to the live file, `naming` what archives are called, `packing` when and how they
    become `.gz`. `banner` is a first line that all files share; `gaps` writes a record between copy and
    truncation, which the rotator destroys (the reader may have seen it). Every step of packing is one `next` of
    the iterators in `running`.
    """

    files: SimFiles
    clock: SimClock
    dice: random.Random
    method: Literal["rename", "copytruncate", "mixed"] = "rename"
    naming: Literal["number", "time"] = "number"
    packing: Literal["none", "in_place", "hidden", "delayed"] = "none"
    banner: bool = False
    gaps: bool = False
    written: Counter[bytes] = field(default_factory=Counter)
    in_gaps: Counter[bytes] = field(default_factory=Counter)
    running: list[Iterator[None]] = field(default_factory=list)
    _half: bytes = b""
    _number: int = 0
    _copying: Iterator[None] | None = None

    def write(self) -> None:
        """A few records, the last one maybe only in part."""
        if self.is_copying:
            return
        data = self._half
        if self.banner and not data and not (self.files.exists(LOG) and self.files.stat(LOG).size):
            self.written[b"<banner>"] += 1
            data = b"<banner>\n"
        for _ in range(self.dice.randint(1, 4)):
            record = b"<%d:%s>" % (self._number, b"x" * self.dice.choice([0, 1, 5, 40, 400]))
            self._number += 1
            self.written[record] += 1
            data += record + b"\n"
        keep = self.dice.choice([0, 0, 0, 1, 3])
        self._half = data[len(data) - keep :]
        self.files.append(LOG, data[: len(data) - keep])

    def finish_line(self) -> None:
        """The rest of the last record."""
        while self.is_copying:
            self.copy_step()
        if self._half:
            self.files.append(LOG, self._half)
            self._half = b""

    def step(self) -> None:
        """One step of something that is going on."""
        self.copy_step()
        if self.running:
            work = self.dice.choice(self.running)
            if next(work, self) is self:
                self.running.remove(work)

    def finish(self) -> None:
        """All that is going on comes to its end."""
        while self.is_copying:
            self.copy_step()
        while self.running:
            self.step()

    def rotate(self) -> None:
        """Rotate once what is there; numbers cannot be shifted while something is being packed."""
        if not self.files.exists(LOG) or self.is_copying:
            return
        if self.naming == "number":
            self.finish()
            self._shift()
        target = f"{LOG}.1" if self.naming == "number" else self._timed()
        if (self.dice.choice(["rename", "copytruncate"]) if self.method == "mixed" else self.method) == "rename":
            self.files.rename(LOG, target)
            self._pack(target)
        else:
            self._copying = self._copytruncate(target)
            self.copy_step()

    def copy_step(self) -> None:
        """One step of the copy that is going on; the application does not write meanwhile."""
        if self._copying is not None and next(self._copying, self) is self:
            self._copying = None

    @property
    def is_copying(self) -> bool:
        """Whether a copy is made and the original is not truncated yet."""
        return self._copying is not None

    def _timed(self) -> str:
        self.clock.advance(0.002)  # two archives never have the same name
        now = datetime.fromtimestamp(self.clock.wall(), UTC)
        return f"{LOG}.{now:%Y%m%d%H%M%S}{now.microsecond // 1000:03}"

    def _shift(self) -> None:
        for number in range(60, 0, -1):
            for ending in ("", ".gz"):
                old = f"{LOG}.{number}{ending}"
                if self.files.exists(old):
                    self.files.rename(old, f"{LOG}.{number + 1}{ending}")

    def _copytruncate(self, target: str) -> Iterator[None]:
        content = self.files.read(LOG)
        self.files.create(target, content[: len(content) // 2])
        yield
        self.files.append(target, content[len(content) // 2 :])
        yield
        if self.gaps and not self._half and len(content) > 300 and self.method != "mixed":
            self._number += 1
            self.in_gaps[b"<gap:%d>" % self._number] += 1
            self.files.append(LOG, b"<gap:%d>\n" % self._number)
            yield
        self.files.truncate(LOG)
        self._pack(target)

    def _pack(self, target: str) -> None:
        if self.packing == "delayed":
            older = f"{LOG}.2"
            if self.naming == "number" and self.files.exists(older):
                self.running.append(self.files.gzip(older, f"{older}.gz"))
        elif self.packing != "none":
            hidden = self.packing == "hidden"
            self.running.append(self.files.gzip(target, f"{target}.gz", hidden=hidden, slice_size=100))
