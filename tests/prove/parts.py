"""The parts of a proof: each does its work within a budget and returns what it did and what was wrong."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from prove import cdn77 as delivery
from prove import engine
from prove import influxdb as real
from prove.image import image, missing
from prove.install import STEPS, install
from prove.outage import survive
from prove.sigkill import Loop
from prove.stack import prove_stack
from simulation.mutants import MUTANTS, SEEDS
from simulation.product import BUILDS
from simulation.proof import Report, every_crash, every_disk_error, prove
from simulation.simulation import Script, simulate

REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class Budget:
    """How much is done.

    Attributes:
        crashes: Simulated crashes.
        enumerated: Stories of which every single crash is tried.
        kills: Real SIGKILLs.
        examples: Examples of each property test.
        mutant_seeds: Seeds with which a mutant may be caught.
        deaths: Simulated deaths with a real InfluxDB at the end.
        rotated_kills: Real SIGKILLs under the real logrotate.
        outage: Hours without InfluxDB.
        delivery_kills: Real SIGKILLs between a real bucket and a real Prometheus.
    """

    crashes: int
    enumerated: int
    kills: int
    examples: int
    mutant_seeds: int
    deaths: int
    rotated_kills: int
    outage: float
    delivery_kills: int


QUICK = Budget(
    crashes=3_000,
    enumerated=1,
    kills=100,
    examples=500,
    mutant_seeds=40,
    deaths=200,
    rotated_kills=16,
    outage=1.0,
    delivery_kills=24,
)
FULL = Budget(
    crashes=50_000,
    enumerated=20,
    kills=10_000,
    examples=20_000,
    mutant_seeds=150,
    deaths=10_000,
    rotated_kills=800,
    outage=72.0,
    delivery_kills=600,
)


@dataclass(frozen=True)
class Finding:
    """What a part did, in a sentence, and what was wrong."""

    summary: str
    wrong: list[str] = field(default_factory=list)


def crashes(budget: Budget, seed: int) -> Finding:
    """Random stories with crashes at named points."""
    script = Script(ticks=60)
    return _of(prove(BUILDS[-1], seed=seed, crashes=budget.crashes, script=script))


def enumerated(budget: Budget, seed: int) -> Finding:
    """Every single crash of short stories."""
    build = BUILDS[-1]
    return _of(*(every_crash(build, seed=seed + n, ticks=8) for n in range(budget.enumerated)))


def disk(budget: Budget, seed: int) -> Finding:
    """A disk that fails at every statement of short stories, twice in a row."""
    return _of(*(every_disk_error(BUILDS[-1], seed=seed + n, ticks=8) for n in range(budget.enumerated)))


def sigkill(budget: Budget, seed: int) -> Finding:
    """Real processes, really killed; each habit of rotation gets a third."""
    habits = ("rename", "copytruncate", "mixed")
    reports = [Loop(seed=seed, kills=-(-budget.kills // 3), habit=habit).run() for habit in habits]
    wrong = [f"{report.place}: {sentence}" for report in reports for sentence in report.wrong + report.broken_starts]
    return Finding("; ".join(f"{habit}: {report}" for habit, report in zip(habits, reports, strict=True)), wrong)


def mutants(budget: Budget, seed: int) -> Finding:
    """Every known mistake is caught by some seed."""
    begun, caught, missed = time.monotonic(), 0, []
    for mutant in MUTANTS:
        script = Script(ticks=60, rewrite=mutant.rewrite)
        seeds = (*SEEDS, *range(seed, seed + budget.mutant_seeds))
        if any(not text.startswith("the runner") for n in seeds for text in simulate(n, mutant.build, script).wrong):
            caught += 1
        else:
            missed.append(f"not caught: {mutant.name}: {mutant.mistake}")
    return Finding(f"{caught} of {len(MUTANTS)} broken variants caught ({time.monotonic() - begun:.0f} s)", missed)


def properties(budget: Budget, seed: int) -> Finding:
    """The property tests of the whole repository with more examples; parsers see arbitrary bytes there."""
    begun = time.monotonic()
    command = [sys.executable, "-m", "pytest", "-p", "prove.examples", "tests"]
    environment = {
        **os.environ,
        "PYTHONPATH": f"{REPOSITORY / 'tests'}:{REPOSITORY / 'runner'}",
        "PROVE_EXAMPLES": str(budget.examples),
        "PROVE_SEED": str(seed),
    }
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else done.stderr[-200:]
    summary = f"{budget.examples} examples each: {re.sub(r'=+', '', last).strip()} ({time.monotonic() - begun:.0f} s)"
    return Finding(summary, [] if done.returncode == 0 else done.stdout.splitlines()[-20:])


def installed(budget: Budget, seed: int) -> Finding:
    """The wheel in a fresh environment; needs a package index."""
    del budget, seed
    begun = time.monotonic()
    wrong = install()
    return Finding(f"the wheel installs and takes {len(STEPS)} first steps ({time.monotonic() - begun:.0f} s)", wrong)


def influxdb(budget: Budget, seed: int) -> Finding:
    """A real InfluxDB and the real logrotate: deaths, lost and late replies, SIGKILL."""
    report = real.prove(seed=seed, deaths=budget.deaths, kills=budget.rotated_kills)
    return Finding(str(report), report.wrong)


def outage(budget: Budget, seed: int) -> Finding:  # noqa: ARG001 - nothing in it is drawn
    """InfluxDB is away for hours while 10,000 series go on."""
    with real.server() as (running, place):
        survived = survive(running, place, hours=budget.outage, series=10_000)
    return Finding(str(survived), survived.wrong)


def cdn77(budget: Budget, seed: int) -> Finding:
    """A real S3 server, a real Prometheus, and a runner that is killed between them."""
    lacking = delivery.missing()
    if lacking:
        return Finding(f"skipped, needs {lacking}")
    told = delivery.prove(seed=seed, rows=200_000, kills=budget.delivery_kills)
    return Finding(str(told), told.wrong)


def container(budget: Budget, seed: int) -> Finding:
    """The container image, built and run; needs docker and a base image."""
    del budget, seed
    lacking = missing()
    return Finding(f"skipped: {lacking}") if lacking else Finding(*image())


def stack(budget: Budget, seed: int) -> Finding:
    """`docker compose up` in a fresh clone, with an engine of its own; needs docker and debootstrap."""
    del budget, seed
    lacking = engine.missing()
    if lacking:
        return Finding(f"skipped, needs {lacking}")
    try:
        return Finding(*prove_stack())
    except engine.EngineError as error:
        return Finding(f"skipped: {error}")


def _of(*reports: Report) -> Finding:
    summary = "; ".join(str(report) for report in reports)
    wrong = [f"seed {seed}, point {point}: {text}" for report in reports for seed, point, text in report.wrong]
    return Finding(summary, wrong)


PARTS: dict[str, Callable[[Budget, int], Finding]] = {
    "crashes": crashes,
    "enumerated": enumerated,
    "disk": disk,
    "sigkill": sigkill,
    "mutants": mutants,
    "properties": properties,
    "influxdb": influxdb,
    "outage": outage,
    "cdn77": cdn77,
    "installed": installed,
    "image": container,
    "stack": stack,
}
