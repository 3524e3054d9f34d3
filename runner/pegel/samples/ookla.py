"""Invented Ookla access logs: true in form, reproducible, fast to make.

    python -m pegel.samples.ookla --out DIR --records 1000000
    python -m pegel.samples.ookla --out DIR --live --per-second 100

writes `DIR/ooklaserver-access.log` and its archives.
"""

from __future__ import annotations

import argparse
import math
import signal
import threading
import time as clock
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from random import Random

from pegel.samples.ookla_catalogue import FOREIGN_LINES
from pegel.samples.ookla_traffic import Request, Traffic
from pegel.samples.rotation import RotatingLog
from pegel.units import duration, size

LOG_NAME = "ooklaserver-access.log"

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_RECORDS_PER_WRAP_GROUP = 250
_NUL_HOLE = 4096
_LIVE_STEP = 0.05


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How a log looks.

    Options:
        per_minute: Records of an average minute.
        daily: Follow a daily curve (quiet at night, busy in the evening) with some noise; else every minute
            is the same.
        wrapped: Share of the `HI` records that stretch over several lines; exact in every 250 records.
        odd_tokens: Share of `HI` requests whose token is missing, broken or incomplete.
        dirt: Share of records that are cut short, hit by invalid UTF-8, or have foreign lines or a hole of
            NUL bytes before them.
        other_zone: Share of records with a time zone other than GMT in their time.
        devices: How many devices there are.
    """

    per_minute: float = 6000.0
    daily: bool = True
    wrapped: float = 0.04
    odd_tokens: float = 0.02
    dirt: float = 0.0
    other_zone: float = 0.002
    devices: int = 50_000


def records(seed: int, start: float, shape: Shape = Shape()) -> Iterator[tuple[float, bytes]]:
    """An endless log from `start` (seconds since 1970): (time of writing, bytes with the line end) for each record.

    The same arguments give the same bytes. Times never go back; what a record says about its time can be up
    to a second older, as in a real log.
    """
    random = Random(seed)  # noqa: S311 (has to be reproducible, protects nothing)
    traffic = Traffic(random, shape.devices, shape.odd_tokens)
    wraps = _wraps(random, shape.wrapped)
    for time, request in zip(_times(random, start, shape), traffic.requests(), strict=False):
        wrap = request.hi and next(wraps)
        line = _line(random, time, request, shape)
        if shape.dirt and random.random() < shape.dirt:
            yield time, _soil(random, line)
        else:
            yield time, _wrap(random, line) if wrap else line


def _wraps(random: Random, share: float) -> Iterator[bool]:
    """Which `HI` records are wrapped: in each group of 25 (one in ten records), the share rounded."""
    group = _RECORDS_PER_WRAP_GROUP // 10
    owed = 0.0
    while True:
        owed += share * group
        chosen = set(random.sample(range(group), min(group, int(owed + 1e-9))))
        owed -= len(chosen)
        yield from (number in chosen for number in range(group))


def _times(random: Random, start: float, shape: Shape) -> Iterator[float]:
    minute = start
    while True:
        count = shape.per_minute * (_daily_curve(minute) * max(0.2, random.gauss(1, 0.08)) if shape.daily else 1.0)
        step = 60.0 / max(1, round(count))
        yield from (minute + (number + random.random()) * step for number in range(max(1, round(count))))
        minute += 60.0


def _daily_curve(time: float) -> float:
    """Mean 1 over a day; 0.4 at 7:30 UTC, 1.6 at 19:30."""
    return 1.0 + 0.6 * math.sin(2 * math.pi * (time / 86400.0 - 13.5 / 24))


def _stamp(random: Random, time: float, shape: Shape) -> str:
    moment = int(time) - (random.random() < 0.01)
    zone = "GMT"
    if random.random() < shape.other_zone:
        zone, moment = random.choice((("+0100", moment + 3600), ("-0330", moment - 12600), ("Z", moment), ("", moment)))
    year, month, day, hour, minute, second, *_ = clock.gmtime(moment)
    return f"{day:02d}/{_MONTHS[month - 1]}/{year}:{hour:02d}:{minute:02d}:{second:02d} {zone}".rstrip()


def _line(random: Random, time: float, request: Request, shape: Shape) -> bytes:
    device = request.test.device
    head = f"{device.client} - {request.test.session} [{_stamp(random, time, shape)}]"
    tail = f'{request.status} {request.size} "{device.referer}" "{device.agent}"'
    return f'{head} "{request.text}" {tail}\n'.encode()


def _wrap(random: Random, line: bytes) -> bytes:
    """Break a `HI` record into lines: within its token, before `WS/1.0`, or both."""
    newline = b"\r\n" if random.random() < 0.3 else b"\n"
    start = line.index(b'"HI ') + 4 + 36
    end = line.index(b" WS/1.0")
    token_break = random.randrange(start + 1, end) if end > start + 1 else end
    kind = random.randrange(4)
    if kind == 0:  # the blank before WS/1.0 is lost
        return line[:end] + newline + line[end + 1 :]
    if kind == 1:  # and here it is kept
        return line[: end + 1] + newline + line[end + 1 :]
    if kind == 2:  # both in one record
        return line[:token_break] + newline + line[token_break:end] + newline + line[end + 1 :]
    return line[:token_break] + newline + line[token_break:]


def _soil(random: Random, line: bytes) -> bytes:
    kind = random.randrange(4)
    if kind == 0:
        return line[: random.randrange(45, len(line) - 2)].rstrip(b"\n") + b"\n"
    if kind == 1:
        return random.choice(FOREIGN_LINES) + line
    if kind == 2:
        return line[:-2] + b' caf\xe9 \xff\xfe cut \xe2\x82"\n'
    return b"\0" * _NUL_HOLE + line


def write(directory: Path, count: int, seed: int, start: float, shape: Shape, **rotation: object) -> None:
    """Write a log of `count` records and its archives into a directory."""
    with RotatingLog(directory / LOG_NAME, **rotation) as log:  # type: ignore[arg-type]
        for time, record in islice(records(seed, start, shape), count):
            log.write(time, record)


def follow(directory: Path, past: float, seed: int, shape: Shape, stop: threading.Event, **rotation: object) -> None:
    """Write the last `past` seconds at once, then go on at the pace of the clock until `stop` is set."""
    with RotatingLog(directory / LOG_NAME, **rotation) as log:  # type: ignore[arg-type]
        for time, record in records(seed, clock.time() - past, shape):
            while time > clock.time():
                log.flush()
                if stop.wait(_LIVE_STEP):
                    return
            log.write(time, record)


def main(arguments: list[str] | None = None) -> None:
    """Write a log as the command line says."""
    options = _parser().parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    shape = Shape(
        per_minute=options.per_second * 60, daily=not options.steady, wrapped=options.wrapped, dirt=options.dirt
    )
    rotation = {"limit": options.rotate, "compression": options.compression, "keep": options.keep}
    if not options.live:
        write(options.out, options.records, options.seed, options.start.timestamp(), shape, **rotation)
        return
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    follow(options.out, options.past, options.seed, shape, stop, **rotation)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pegel.samples.ookla", description="Write an invented Ookla access log."
    )
    parser.add_argument("--out", type=Path, required=True, help="directory of the log and its archives")
    parser.add_argument("--records", type=int, default=100_000, help="how many records (without --live)")
    parser.add_argument("--start", type=_moment, default="2026-03-03T12:00:00Z", help="time of the first record")
    parser.add_argument("--live", action="store_true", help="go on at the pace of the clock until interrupted")
    parser.add_argument("--past", type=duration, default="0s", help="with --live: how much to write at once")
    parser.add_argument("--per-second", type=float, default=100.0, help="records of an average second")
    parser.add_argument("--steady", action="store_true", help="the same rate in every minute")
    parser.add_argument("--wrapped", type=float, default=0.04, help="share of HI records over several lines")
    parser.add_argument("--dirt", type=float, default=0.0, help="share of damaged records")
    parser.add_argument("--rotate", type=size, default="10MiB", help="size at which the file rotates")
    parser.add_argument("--compression", choices=("in_place", "hidden", "none"), default="in_place")
    parser.add_argument("--keep", type=int, default=None, help="archives that are kept; default all")
    parser.add_argument("--seed", type=int, default=1)
    return parser


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


if __name__ == "__main__":
    main()
