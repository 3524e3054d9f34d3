"""What a runner under test is given, and what it has to offer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pegel.seams import Clock, Files
from pegel.sinks import Sink
from pegel.state import Connect

LOG = "/var/log/app/app.log"
"""The live file of the simulated application."""


class Subject(Protocol):
    """A runner: the product's, the reference model, or a broken variant of one of them."""

    def open(self) -> None: ...

    def step(self) -> bool: ...

    def rejected(self) -> int:
        """Text that was used up without being a record."""

    def late(self) -> int:
        """Records that came when their window was closed."""

    def close(self) -> None: ...


@dataclass(frozen=True)
class Timing:
    """The options about time, in seconds."""

    every: float = 60.0
    over: float = 300.0
    disorder: float = 5.0
    idle_after: float = 60.0
    lateness: float = 7200.0


@dataclass(frozen=True)
class Stage:
    """Everything outside the runner, for one of its lives."""

    state: Path
    clock: Clock
    files: Files
    connect: Connect
    sinks: Sequence[Sink]
    timing: Timing
    rotation: str
    """`rename`, `copytruncate` or `auto`: what the operator could tell the runner."""


Build = Callable[[Stage], Subject]
