"""Random stories with a real InfluxDB at the end: what is drawn comes from a seed, what is stored must be exact."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

from engines.influxdb import Bucket
from engines.job import Job, differences, ookla
from engines.lives import FENCE, Lives
from engines.proxy import (
    Exchange,
    Fault,
    Proxy,
    cut_reply,
    disk_full,
    held,
    lost_reply,
    passing,
    reset,
    unavailable,
    web_page,
)
from engines.speedtest import counted, story
from presets import ookla_oracle as oracle
from presets.ookla_run import keyed
from simulation.world import SimClock

GOLDEN = keyed(oracle.GOLDEN.read_text(encoding="utf-8"))

PIECE = "64KiB"
"""A fourteenth of the sample, so that there is something to die between."""

DEATHS = 12
"""Of one story that dies anywhere."""

STEP = 4.0
"""Seconds between two looks of the runner."""


@dataclass
class Told:
    """How a story went: how often the runner died, how many requests came late, and what is wrong in the end."""

    deaths: int
    late: int
    wrong: list[str]


def unreliable(seed: int) -> Fault:
    """A road to the server on which half of all requests meet with something."""
    rng = random.Random(seed)
    faults = [passing] * 7 + [lost_reply, lost_reply, reset, cut_reply, unavailable, disk_full, web_page]
    return lambda exchange: rng.choice(faults)(exchange)


def sample(directory: Path, bucket: Bucket, proxy: Proxy) -> Lives:
    """A runner on the shipped sample."""
    return Lives(Job(directory, bucket, ookla(oracle.SAMPLE, PIECE), proxy.url), SimClock())


def die_anywhere(directory: Path, bucket: Bucket, proxy: Proxy, seed: int) -> Told:
    """The sample, read by a runner that dies again and again, over an unreliable road."""
    lives, rng = sample(directory, bucket, proxy), random.Random(seed)
    random.seed(seed)  # the product shakes its back-off with the global generator
    proxy.otherwise = unreliable(seed)
    for _ in range(DEATHS):  # one that always dies in its first commit would never come to an end
        lives.die(rng.randint(1, 600))
    lives.finish()
    return Told(lives.deaths, 0, [str(one) for one in differences(bucket.points(), GOLDEN)])


class Held:
    """A road on which some requests are given up by the sender and arrive later, before the fence."""

    def __init__(self, proxy: Proxy, lives: Lives, rng: random.Random) -> None:
        self._proxy = proxy
        self._clock = lives.clock
        self._rng = rng
        self._since: list[float] = []
        self.count = 0
        proxy.otherwise = self._pass_or_hold

    def _pass_or_hold(self, exchange: Exchange) -> None:
        fault = self._rng.choice([passing, passing, passing, held, held, lost_reply])
        if fault is held:
            self._since.append(self._clock.monotonic())
            self.count += 1
        fault(exchange)

    def arrive(self) -> None:
        """Some of those that are under way arrive; whatever would be too late to be believed, at once."""
        while self._since and (self._rng.random() < 0.2 or self._clock.monotonic() - self._since[0] > FENCE - 2 * STEP):
            self._since.pop(0)
            self._proxy.release(1)

    def end(self) -> None:
        """All arrive, and the road is good again."""
        self._proxy.otherwise = passing
        self._proxy.release()


def arrive_late(directory: Path, bucket: Bucket, proxy: Proxy, seed: int, minutes: int = 15) -> Told:
    """A live log, a road on which one request in three arrives late, behind newer ones, and a runner that dies."""
    rng = random.Random(seed)
    random.seed(seed)  # the product shakes its back-off with the global generator
    with story(directory, bucket, proxy) as told:
        lives = told.lives
        road = Held(proxy, lives, rng)
        for _ in range(round(minutes * 60 / STEP)):
            told.turn(STEP)
            road.arrive()
            if rng.random() < 0.1:
                lives.points.arm(rng.randint(1, 60))
        lives.points.arm(0)
        road.end()
        lives.finish()
    return Told(lives.deaths, road.count, [str(one) for one in differences(bucket.points(), counted(directory))])
