"""The stack as an operator runs it: a fresh clone, `docker compose up`, kills, `down` and `up`, a lost volume.

The production file is used as it is; images that cannot be pulled are replaced by doubles (see engine.py).
"""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from prove.bench import SERVICES, Bench, cloned
from prove.engine import running

MOST_SECONDS = 60.0
"""From `up` with images present to healthy services, and to data."""
MOST_CPU = 0.02
"""Twice what is promised: a slow or busy machine needs more time for the same work. The figure itself is printed."""
MOST_BYTES = 120 * 2**20
IDLE = 30.0
LONGEST = 1200
"""Seconds for everything: four times what two busy cores take. What is not done then hangs."""

Figures = dict[str, str]


def prove_stack() -> tuple[str, list[str]]:
    """Everything; returns a summary and what was wrong."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="pegel-stack-") as place, running(Path(place)) as docker:
        docker.make_images()
        figures, wrong = {"made": f"images in {time.monotonic() - begun:.0f} s"}, []
        bench = cloned(docker, Path(place))
        try:
            with _deadline(LONGEST):
                for part in PARTS:
                    began, name = time.monotonic(), part.__name__.strip("_")
                    wrong += [f"{name}: {fault}" for fault in part(bench, figures)]
                    figures["parts"] = f"{figures.get('parts', '')} {name} {time.monotonic() - began:.0f}"
        except RuntimeError as error:
            wrong.append(f"{error}\n{bench.health()}")
        finally:
            with contextlib.suppress(RuntimeError):
                bench.compose("--profile", "*", "down", "--timeout", "1", "--volumes", check=False)
    parts = figures.pop("parts", "").strip()
    return "; ".join([*figures.values(), f"{time.monotonic() - begun:.0f} s in all ({parts})"]), wrong


def _first_start(bench: Bench, figures: Figures) -> Iterator[str]:
    """A fresh clone: one command builds what is missing and starts; from then on against the clock."""
    bench.sell(10)
    built = bench.up()
    begun = bench.begun()
    healthy = time.time() - begun
    yield from _within(MOST_SECONDS, lambda: bench.stored() == 10, "InfluxDB has no data")
    yield from _within(MOST_SECONDS, lambda: bench.scraped('up{job="runner"} == 1') == [1.0], "Prometheus has no data")
    data = time.time() - begun
    if healthy > MOST_SECONDS or data > MOST_SECONDS:
        yield f"healthy after {healthy:.0f} s, data after {data:.0f} s"
    figures["start"] = f"up {built:.0f} s with a build, of it healthy after {healthy:.0f} s, data after {data:.0f} s"


def _left_alone(bench: Bench, figures: Figures) -> Iterator[str]:
    """What the runner costs that has nothing to do, its health checks included; all is well, and no alert fires."""
    first = bench.stats("runner")
    yield from _second_up(bench)
    yield from _secrets(bench)
    _pause(IDLE)
    last = bench.stats("runner")
    cpu = (_cpu(last)[0] - _cpu(first)[0]) / (_cpu(last)[1] - _cpu(first)[1])
    memory = last["memory_stats"]["usage"] - last["memory_stats"]["stats"].get("cache", 0)
    if cpu > MOST_CPU or memory > MOST_BYTES:
        yield f"an idle runner takes {cpu:.2%} of a core and {memory / 2**20:.0f} MiB"
    figures["idle"] = f"idle runner {cpu:.2%} of a core, {memory / 2**20:.0f} MiB"
    yield from _well(bench)


def _well(bench: Bench) -> Iterator[str]:
    """Every target answers, and of all alerts only the one that always fires does."""
    yield from _within(30.0, lambda: bool(bench.scraped('ALERTS{alertname="Watchdog"}')), "no rule is evaluated")
    yield from _within(30.0, lambda: not bench.alerts(), lambda: f"alerts of a stack that is well: {bench.alerts()}")


def _second_up(bench: Bench) -> Iterator[str]:
    before = bench.ids()
    bench.up()
    if bench.ids() != before:
        yield "a second up has started something again"


def _secrets(bench: Bench) -> Iterator[str]:
    """Nobody can read what is another's, and no log has a secret."""
    script = "cat /run/stack-tokens/runner-write"
    if bench.compose("exec", "-T", "grafana", "sh", "-c", script, check=False):
        yield "Grafana can read the token of the runner"
    shown = (
        ("grafana", "/var/lib/grafana/secrets/admin-password"),
        ("grafana", "/var/lib/grafana/secrets/secret-key"),
        ("grafana", "/run/stack-tokens/grafana-read"),
        ("influxdb", "/var/lib/influxdb2/secrets/operator-token"),
        ("influxdb", "/var/lib/influxdb2/secrets/admin-password"),
    )
    logs = bench.compose("logs")
    for service, path in shown:
        secret = bench.compose("exec", "-T", service, "cat", path).strip()
        if len(secret) < 40:
            yield f"{path} of {service} is no secret"
        if secret in logs:
            yield f"{path} of {service} is in a log"
    if "docker compose exec grafana cat /var/lib/grafana/secrets/admin-password" not in logs:
        yield "no log says how to see the login"


def _kills(bench: Bench, figures: Figures) -> Iterator[str]:
    """Each container dies while lines are written, the next one before the last is back."""
    push = "echo 'kept 42' | curl -sS --data-binary @- http://pushgateway:9091/metrics/job/proof"
    bench.compose("exec", "-T", "grafana", "sh", "-c", push)
    pushed = bench.scraped("pegel_runner_commits")
    _pause(2.0)
    for service in SERVICES:
        bench.sell(7)
        bench.crash(service)
        bench.sell(7)
        _pause(1.0)
    bench.up()
    figures["kills"] = f"{len(SERVICES)} containers killed, {bench.lines} lines counted"
    yield from _totals(bench)
    yield from _within(30.0, lambda: bench.scraped("kept") == [42.0], "the Pushgateway has lost what was pushed")
    if not pushed or not bench.scraped("max_over_time(pegel_runner_commits[1h] offset 10s)"):
        yield "Prometheus has lost its past"


def _down_and_up(bench: Bench, figures: Figures) -> Iterator[str]:
    del figures
    login = bench.compose("exec", "-T", "grafana", "cat", "/var/lib/grafana/secrets/admin-password")
    bench.compose("down")
    bench.sell(11)
    bench.up()
    yield from _totals(bench)
    if bench.compose("exec", "-T", "grafana", "cat", "/var/lib/grafana/secrets/admin-password") != login:
        yield "the login is another one"


def _lost_tokens(bench: Bench, figures: Figures) -> Iterator[str]:
    """The volume of the tokens is gone; what was counted is not."""
    del figures
    bench.compose("down")
    bench.docker.run("volume", "rm", "pegel_stack-tokens")
    bench.sell(13)
    bench.up()
    yield from _totals(bench)


def _demo(bench: Bench, figures: Figures) -> Iterator[str]:
    """The profile with invented data, of a server that is well."""
    begun = time.monotonic()
    bench.compose("--profile", "demo", "up", "--detach", "--wait")
    seconds = time.monotonic() - begun
    demo = 'filter(fn: (r) => r.server == "demo" and r._field == "tests")'
    query = f'from(bucket: "telemetry") |> range(start: -3h) |> {demo} |> sum()'
    yield from _within(MOST_SECONDS, lambda: bool(bench.flux(query)), "the demo has no data")
    yield from _well(bench)
    figures["demo"] = f"demo healthy after {seconds:.0f} s"


def _bundle(bench: Bench, figures: Figures) -> Iterator[str]:
    """All images go through a file to an engine that has none; a damaged file is refused."""
    bench.compose("--profile", "*", "down")
    figures["bundle"] = "bundle of " + bench.bundle("save").partition(", are in")[0].strip()
    images = (bench.clone / "pegel-bundle" / "images").read_text().split()
    bench.docker.run("image", "rm", "--force", *images)
    archive = bench.clone / "pegel-bundle" / "images.tar.gz"
    with archive.open("ab") as damaged:
        damaged.write(b"x")
    if "Nothing was loaded" not in bench.bundle("load"):
        yield "a damaged bundle was loaded"
    os.truncate(archive, archive.stat().st_size - 1)
    bench.bundle("load")
    bench.up("--no-build", "--pull", "never")
    yield from _totals(bench)


def _totals(bench: Bench) -> Iterator[str]:
    """The same number in both stores."""
    yield from _within(
        MOST_SECONDS, lambda: bench.stored() == bench.lines, lambda: f"InfluxDB has {bench.stored()} of {bench.lines}"
    )
    yield from _within(
        MOST_SECONDS,
        lambda: bench.scraped("sum(shop_sold_total)") == [float(bench.lines)],
        lambda: f"Prometheus has {bench.scraped('sum(shop_sold_total)')} of {bench.lines}",
    )


def _within(seconds: float, reached: Callable[[], bool], fault: str | Callable[[], str]) -> Iterator[str]:
    end = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > end:
            yield fault if isinstance(fault, str) else fault()
            return
        _pause(1.0)


@contextlib.contextmanager
def _deadline(seconds: int) -> Iterator[None]:
    """Raise in the middle of whatever is not done by then."""

    def late(*_: object) -> None:
        raise RuntimeError(f"not done after {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _pause(seconds: float) -> None:
    signal.sigtimedwait([], seconds)


def _cpu(stats: dict[str, Any]) -> tuple[float, float]:
    """Seconds of CPU, and the moment when they were counted."""
    return stats["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9, datetime.fromisoformat(stats["read"][:19]).timestamp()


PARTS = (_first_start, _left_alone, _kills, _down_and_up, _lost_tokens, _demo, _bundle)
