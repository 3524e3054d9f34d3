"""How far a back-fill is: a bar where a person looks, a line now and then where nobody does."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import typer

from pegel.pipeline.backfill import Prepared
from pegel.pipeline.health import span
from pegel.pipeline.runner import Runner
from pegel.units import show_size

_BAR, _LINE = 0.25, 5.0
"""Seconds between two looks."""


@dataclass
class Meter:
    """What is read, of what there is, and how fast.

    Attributes:
        total: Bytes of all files as they lie there.
        now: Gives seconds that never go back.
    """

    total: int
    now: Callable[[], float] = time.monotonic
    done: int = 0
    records: int = 0
    _began: float = field(init=False)
    _first: int | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._began = self.now()

    def update(self, done: int, records: int) -> None:
        """Take a new look; what was done before the first one is no speed of ours."""
        self.done, self.records = min(done, self.total), records
        if self._first is None:
            self._first = self.done

    @property
    def speed(self) -> float:
        """Bytes a second."""
        return (self.done - (self._first or 0)) / max(self.now() - self._began, 1e-3)

    def __str__(self) -> str:
        share = self.done / self.total if self.total else 1.0
        left = span((self.total - self.done) / self.speed) if self.speed > 0 else "unknown"
        rate = self.records / max(self.now() - self._began, 1e-3)
        return (
            f"{share:.0%}, {show_size(self.done)} of {show_size(self.total)}, {show_size(self.speed)}/s,"
            f" {rate:,.0f} records/s, {left} left"
        )


@contextmanager
def shown(prepared: Prepared, runner: Runner, *, quiet: bool) -> Iterator[None]:
    """Show the progress while the block runs."""
    meter = Meter(sum(one.size for one in prepared.files))
    over = threading.Event()

    def look() -> None:
        left = prepared.source.status().lag_bytes
        meter.total = max(meter.total, left)  # how much there is of a bucket is known when it was listed
        meter.update(meter.total - left, runner.turn.figures.records)

    look()  # where it begins: what an earlier start has read is no speed of this one
    draw = _bar if sys.stderr.isatty() else _lines
    thread = threading.Thread(target=draw, args=(meter, look, over), name="progress", daemon=True)
    if not quiet:
        thread.start()
    try:
        yield
    finally:
        over.set()
        if not quiet:
            thread.join()


def _lines(meter: Meter, look: Callable[[], None], over: threading.Event) -> None:
    while not over.wait(_LINE):
        look()
        typer.echo(f"backfill: {meter}", err=True)


def _bar(meter: Meter, look: Callable[[], None], over: threading.Event) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (BarColumn(bar_width=30), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True, auto_refresh=False) as progress:
        task = progress.add_task("", total=meter.total)
        while not over.wait(_BAR):
            look()
            progress.update(task, completed=meter.done, description=str(meter), refresh=True)
