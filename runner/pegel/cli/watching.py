"""Looking again and again, on a screen that is drawn anew each time."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import typer

from pegel.seams import Clock, SystemClock

PAUSE = 2.0
"""Seconds between two looks."""


def watching(*, again: bool, clock: Clock | None = None) -> Iterator[int]:
    """Numbers of the looks: one, or one after another until Ctrl-C, each on a clean screen."""
    number, never = 0, threading.Event()
    clock = clock or SystemClock()
    while True:
        if again and sys.stdout.isatty():
            typer.echo("\x1b[H\x1b[2J", nl=False)
        yield number
        if not again:
            return
        number += 1
        try:
            clock.wait(never, PAUSE)
        except KeyboardInterrupt:
            return
