"""A sample log that is written at the pace of the clock, for demonstrations."""

from __future__ import annotations

import argparse
import signal
import threading
import time as clock
from collections.abc import Callable, Iterator
from pathlib import Path

from pegel.samples.rotation import RotatingLog, Rotation
from pegel.units import duration, size

Records = Callable[[float], Iterator[tuple[float, bytes]]]
"""Makes the records from a time on: each with its time, in seconds since 1970, and its line end."""

_PACE = 0.05
"""Seconds between two looks at the clock."""


def follow(log: Path, records: Records, past: float, rotation: Rotation, stop: threading.Event) -> None:
    """Write the last `past` seconds at once, then go on at the pace of the clock until `stop` is set.

    A log that is there goes on where it ended, as far as that is within `past`: what it has said is not said again.
    """
    start = max(clock.time() - past, log.stat().st_mtime if log.exists() else 0.0)
    with RotatingLog(log, rotation) as file:
        for time, record in records(start):
            while time > clock.time() and not stop.is_set():
                file.flush()
                stop.wait(_PACE)
            if stop.is_set():
                return
            file.write(time, record)


def stop_after(seconds: float | None) -> threading.Event:
    """An event that is set by SIGINT, SIGTERM, or when the time is over."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, lambda *_: stop.set())
    signal.setitimer(signal.ITIMER_REAL, seconds or 0.0)
    return stop


def add_options(parser: argparse.ArgumentParser) -> None:
    """What a command that can write live is asked."""
    parser.add_argument("--live", action="store_true", help="write a log at the pace of the clock until interrupted")
    parser.add_argument("--past", type=duration, default="0s", help="with --live: how much to write at once")
    parser.add_argument("--seconds", type=float, help="with --live: stop after so long")
    parser.add_argument("--rotate", type=size, default="10MiB", help="size at which the log rotates")
    parser.add_argument("--compression", choices=("in_place", "hidden", "none"), default="in_place")
    parser.add_argument("--keep", type=int, help="archives that are kept; default all")


def rotation(options: argparse.Namespace) -> Rotation:
    """How the log rotates, by those options."""
    return Rotation(limit=options.rotate, compression=options.compression, keep=options.keep)
