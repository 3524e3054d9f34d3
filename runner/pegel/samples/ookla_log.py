"""Requests of an invented speed-test server as the lines of its access log, with the faults of real ones."""

from __future__ import annotations

import math
import time as clock
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

from pegel.samples.ookla_catalogue import FOREIGN_LINES
from pegel.samples.ookla_traffic import Request, Traffic

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_HELLOS_IN_GROUP = 25


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How a log looks.

    Options:
        rate: Records in an average second.
        daily: Follow a daily curve (quiet at night, busy in the evening) with some noise; else every minute
            is the same.
        wrapped: Share of the `HI` records that stretch over several lines; exact in every 25 of them where it
            gives a whole number.
        odd_tokens: Share of `HI` requests whose token is missing, broken or incomplete.
        odd_agents: Share of devices whose user agent looks like something else.
        dirt: Share of records that are cut short, hit by invalid UTF-8, or have foreign lines or a hole of
            NUL bytes before them.
        other_zones: Share of records whose time is not in GMT.
        devices: How many devices there are.
    """

    rate: float = 100.0
    daily: bool = True
    wrapped: float = 0.0
    odd_tokens: float = 0.02
    odd_agents: float = 0.004
    dirt: float = 0.0
    other_zones: float = 0.0
    devices: int = 50_000

    def at_rate(self, rate: float) -> Shape:
        """The same at another number of records in a second."""
        return replace(self, rate=rate)


PROFILES = {
    "clean": Shape(),
    "dirty": Shape(wrapped=0.2, odd_tokens=0.2, odd_agents=0.05, dirt=0.03, other_zones=0.02, devices=400),
    "bench": Shape(rate=200.0, daily=False, wrapped=0.04),
}


def records(seed: int, start: float, shape: Shape) -> Iterator[tuple[float, bytes]]:
    """An endless log from `start` (seconds since 1970): (time of writing, bytes with the line end) for each record.

    The same arguments give the same bytes. Times never go back; what a record says about its time can be up
    to a second older, as in a real log.
    """
    random = Random(seed)  # noqa: S311 - it has to be reproducible and protects nothing
    traffic = Traffic(random, shape.devices, shape.odd_tokens, shape.odd_agents)
    wraps = _wraps(random, shape.wrapped)
    for time, request in zip(_times(random, start, shape), traffic.requests(), strict=False):
        line = _line(random, time, request, shape)
        if request.hi and next(wraps):
            line = _wrap(random, line)
        if shape.dirt and random.random() < shape.dirt:
            line = _soil(random, line)
        yield time, line


def _wraps(random: Random, share: float) -> Iterator[bool]:
    """Which `HI` records are wrapped."""
    owed = 0.0
    while True:
        owed += share * _HELLOS_IN_GROUP
        chosen = set(random.sample(range(_HELLOS_IN_GROUP), int(owed + 1e-9)))
        owed -= len(chosen)
        yield from (number in chosen for number in range(_HELLOS_IN_GROUP))


def _times(random: Random, start: float, shape: Shape) -> Iterator[float]:
    minute = start
    while True:
        busy = _daily_curve(minute) * max(0.2, random.gauss(1, 0.08)) if shape.daily else 1.0
        count = max(1, round(60 * shape.rate * busy))
        yield from (minute + (number + random.random()) * 60.0 / count for number in range(count))
        minute += 60.0


def _daily_curve(time: float) -> float:
    """Mean 1 over a day; 0.4 at 7:30 UTC, 1.6 at 19:30."""
    return 1.0 + 0.6 * math.sin(2 * math.pi * (time / 86400.0 - 13.5 / 24))


def _line(random: Random, time: float, request: Request, shape: Shape) -> bytes:
    device = request.test.device
    head = f"{device.client} - {request.test.session} [{_stamp(random, time, shape.other_zones)}]"
    tail = f'{request.status} {request.size} "{device.referer}" "{device.agent}"'
    return f'{head} "{request.text}" {tail}\n'.encode()


def _stamp(random: Random, time: float, other_zones: float) -> str:
    moment = int(time) - (random.random() < 0.01)
    zone = "GMT"
    if other_zones and random.random() < other_zones:
        zone, ahead = random.choice((("+0100", 3600), ("-0330", -12600), ("Z", 0), ("", 0)))
        moment += ahead
    year, month, day, hour, minute, second, *_ = clock.gmtime(moment)
    return f"{day:02d}/{_MONTHS[month - 1]}/{year}:{hour:02d}:{minute:02d}:{second:02d} {zone}".rstrip()


def _wrap(random: Random, line: bytes) -> bytes:
    """Break a `HI` record into lines: within its token, before `WS/1.0`, or both."""
    newline = b"\r\n" if random.random() < 0.3 else b"\n"
    start = line.index(b'"HI ') + len('"HI ') + 37
    end = line.index(b" WS/1.0")
    kind = random.randrange(4)
    if kind == 0 or end <= start:  # the blank before WS/1.0 is lost
        return line[:end] + newline + line[end + 1 :]
    if kind == 1:  # it is kept
        return line[: end + 1] + newline + line[end + 1 :]
    inside = random.randrange(start, end)
    if kind == 2:
        return line[:inside] + newline + line[inside:]
    return line[:inside] + newline + line[inside:end] + newline + line[end + 1 :]


def _soil(random: Random, line: bytes) -> bytes:
    """Cut a record short, spoil its text, or put something before it that is no record."""
    chance = random.random()
    if chance < 0.3:
        return line[: random.randrange(45, len(line) - 2)].rstrip(b"\r\n") + b"\n"
    if chance < 0.6:
        return random.choice(FOREIGN_LINES) + line
    if chance < 0.95:
        return line[:-2] + b' caf\xe9 \xff\xfe cut \xe2\x82"\n'
    return b"\0" * random.choice((1, 512, 4096)) + line
