"""The stack as an operator runs it: a fresh clone, `docker compose up`, kills, `down` and `up`, a lost volume.

The production file is used as it is; images that cannot be pulled are replaced by doubles (see engine.py).
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prove.engine import BASE, Docker, running

ROOT = Path(__file__).parents[2]
SERVICES = ("prometheus", "pushgateway", "influxdb", "grafana", "runner")
PORT = "13000"
MOST_SECONDS = 60.0
"""From `up` with images present to healthy services, and to data."""
MOST_CPU = 0.01
MOST_BYTES = 120 * 2**20
IDLE = 40.0

CONFIG = """
[[sources]]
name = "shop"
type = "file"
path = "/logs/shop.log"
format = { template = '{time} sold {thing}' }
time = { column = "time", format = "%Y-%m-%dT%H:%M:%SZ" }

[[metrics]]
name = "shop"
every = "1m"
values.sold = { value = "count(*)", kind = "counter" }
"""
"""In front of the sinks of the shipped configuration: each line of a log, counted."""


@dataclass
class Bench:
    """A clone of the repository, an engine, and a log whose lines are known."""

    docker: Docker
    clone: Path
    files: tuple[str, ...]
    lines: int = 0

    def compose(self, *words: str, check: bool = True) -> str:
        """Compose in the clone, as the operator calls it."""
        named = [word for file in self.files for word in ("--file", file)]
        return self.docker.run("compose", *named, *words, cwd=self.clone, check=check, **self.variables)

    @property
    def variables(self) -> dict[str, str]:
        return {"GRAFANA_PORT": PORT, "PEGEL_CONFIG_DIR": str(self.clone / "own")}

    def bundle(self, word: str) -> str:
        """`stack/bundle`, in the clone; returns all that it says."""
        environ = {**self.docker.environ, **self.variables, "COMPOSE_FILE": ":".join(self.files)}
        command = ["stack/bundle", word]
        done = subprocess.run(command, cwd=self.clone, env=environ, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    def up(self, *words: str) -> float:
        """Returns the seconds until everything was healthy."""
        begun = time.monotonic()
        self.compose("up", "--detach", "--wait", *words)
        return time.monotonic() - begun

    def ids(self) -> dict[str, str]:
        """Of the containers, with the moment of their start."""
        words = ("inspect", "--format", "{{.Id}} {{.State.StartedAt}}")
        return {name: self.docker.run(*words, self.container(name)).strip() for name in SERVICES}

    def container(self, service: str) -> str:
        return self.compose("ps", "--all", "--quiet", service).strip()

    def sell(self, count: int) -> None:
        """Write lines to the log."""
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        with (self.clone / "logs" / "shop.log").open("a") as log:
            log.write("".join(f"{now} sold thing-{self.lines + n}\n" for n in range(count)))
        self.lines += count

    def stored(self) -> int:
        """What InfluxDB has, asked by Grafana with Grafana's token."""
        flux = 'from(bucket: "telemetry") |> range(start: -1d) |> filter(fn: (r) => r._measurement == "shop") |> sum()'
        rows = self.flux(flux)
        return sum(int(row.rsplit(",", 1)[-1]) for row in rows) if rows else 0

    def flux(self, query: str) -> list[str]:
        """The rows of a query, as text."""
        script = (
            'curl -sS -m 10 -H "Authorization: Token $(cat /run/stack-tokens/grafana-read)"'
            ' -H "Accept: application/csv" -H "Content-Type: application/vnd.flux"'
            ' "http://influxdb:8086/api/v2/query?org=pegel" --data-binary "$0"'
        )
        shown = f'{query} |> keep(columns: ["_value"])'
        printed = self.compose("exec", "-T", "grafana", "sh", "-c", script, shown, check=False)
        return [line for line in printed.split() if line.startswith(",") and not line.startswith(",result")]

    def scraped(self, expression: str) -> list[float]:
        """What Prometheus answers to a query."""
        ask = ("exec", "-T", "grafana", "curl", "-sS", "-m", "10", "-G", "http://prometheus:9090/api/v1/query")
        printed = self.compose(*ask, "--data-urlencode", f"query={expression}", check=False)
        with contextlib.suppress(ValueError, KeyError):
            return [float(one["value"][1]) for one in json.loads(printed)["data"]["result"]]
        return []

    def health(self) -> str:
        """What each container's last health check said, and the end of the runner's log."""
        last = "{{.Name}}: {{.State.Status}} {{with .State.Health}}{{range .Log}}{{.Output}}{{end}}{{end}}"
        ids = self.compose("ps", "--all", "--quiet").split()
        said = self.docker.run("inspect", "--format", last, *ids, check=False) if ids else ""
        return said[-3000:] + self.compose("logs", "--tail", "10", "runner", check=False)[-1500:]

    def crash(self, service: str) -> None:
        """SIGKILL from outside: for the engine it is a crash, and not a wish of the operator."""
        pid = int(self.docker.run("inspect", "--format", "{{.State.Pid}}", self.container(service)))
        if pid:
            os.kill(pid, signal.SIGKILL)


def prove_stack() -> tuple[str, list[str]]:
    """Everything; returns a summary and what was wrong."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="pegel-stack-") as place, running(Path(place)) as docker:
        docker.make_images()
        bench = Bench(docker, *_clone(Path(place)))
        figures, wrong = {"made": f"images in {time.monotonic() - begun:.0f} s"}, []
        try:
            for part in (_first_start, _second_up, _secrets, _idle, _kills, _down_and_up, _lost_tokens, _demo, _bundle):
                wrong += [f"{part.__name__.strip('_')}: {fault}" for fault in part(bench, figures)]
        except RuntimeError as error:
            wrong.append(f"{error}\n{bench.health()}")
        finally:
            bench.compose("--profile", "*", "down", "--volumes", check=False)
    return "; ".join([*figures.values(), f"{time.monotonic() - begun:.0f} s in all"]), wrong


def _clone(place: Path) -> tuple[Path, tuple[str, ...]]:
    """What somebody has who cloned the repository, a configuration of his own, and the doubles."""
    clone = place / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    (clone / "own").mkdir()
    shipped = (clone / "stack" / "config" / "config.toml").read_text()
    (clone / "own" / "config.toml").write_text(CONFIG + shipped)
    (clone / "logs").mkdir()
    (clone / "logs" / "shop.log").touch()
    override = clone / "compose.override.yaml"
    mounted = f'volumes: ["{clone}/logs:/logs:ro"], build: {{args: {{BASE: "{BASE}"}}}}'
    override.write_text(f"services: {{runner: {{{mounted}}}}}\n")
    return clone, ("compose.yaml", "stack/compose.test.yaml", str(override))


Figures = dict[str, str]


def _first_start(bench: Bench, figures: Figures) -> Iterator[str]:
    """The runner's image is built because it is not there; then once more with all images, against the clock."""
    bench.sell(10)
    built = bench.up()
    bench.compose("down", "--volumes")
    begun = time.monotonic()
    healthy = bench.up()
    yield from _within(MOST_SECONDS, lambda: bench.stored() == 10, "InfluxDB has no data")
    yield from _within(MOST_SECONDS, lambda: bench.scraped('up{job="runner"} == 1') == [1.0], "Prometheus has no data")
    data = time.monotonic() - begun
    if healthy > MOST_SECONDS or data > MOST_SECONDS:
        yield f"healthy after {healthy:.0f} s, data after {data:.0f} s"
    figures["start"] = f"up {built:.0f} s with a build, healthy {healthy:.0f} s, data {data:.0f} s"


def _second_up(bench: Bench, figures: Figures) -> Iterator[str]:
    before = bench.ids()
    figures["again"] = f"second up {bench.up():.0f} s"
    if bench.ids() != before:
        yield "a second up has started something again"


def _secrets(bench: Bench, figures: Figures) -> Iterator[str]:
    """Nobody can read what is another's, and no log has a secret."""
    del figures
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


def _idle(bench: Bench, figures: Figures) -> Iterator[str]:
    """What the runner costs that has nothing to do, its health checks included."""
    container = bench.container("runner")
    first = _stats(bench.docker, container)
    _pause(IDLE)
    last = _stats(bench.docker, container)
    cpu = (last["cpu_stats"]["cpu_usage"]["total_usage"] - first["cpu_stats"]["cpu_usage"]["total_usage"]) / 1e9 / IDLE
    memory = last["memory_stats"]["usage"] - last["memory_stats"]["stats"].get("cache", 0)
    if cpu > MOST_CPU or memory > MOST_BYTES:
        yield f"an idle runner takes {cpu:.2%} of a core and {memory / 2**20:.0f} MiB"
    figures["idle"] = f"idle runner {cpu:.2%} of a core, {memory / 2**20:.0f} MiB"


def _kills(bench: Bench, figures: Figures) -> Iterator[str]:
    """Each container dies while lines are written."""
    push = "echo 'kept 42' | curl -sS --data-binary @- http://pushgateway:9091/metrics/job/proof"
    bench.compose("exec", "-T", "grafana", "sh", "-c", push)
    pushed = bench.scraped("pegel_runner_commits")
    _pause(2.0)
    for service in SERVICES:
        bench.sell(7)
        bench.crash(service)
        bench.sell(7)
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
    """The profile with invented data."""
    begun = time.monotonic()
    bench.compose("--profile", "demo", "up", "--detach", "--wait")
    seconds = time.monotonic() - begun
    demo = 'filter(fn: (r) => r.server == "demo" and r._field == "tests")'
    query = f'from(bucket: "telemetry") |> range(start: -3h) |> {demo} |> sum()'
    yield from _within(MOST_SECONDS, lambda: bool(bench.flux(query)), "the demo has no data")
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


def _pause(seconds: float) -> None:
    signal.sigtimedwait([], seconds)


class _Socket(http.client.HTTPConnection):
    """HTTP over the engine's socket."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.host)


def _stats(docker: Docker, container: str) -> dict[str, Any]:
    connection = _Socket(docker.environ["DOCKER_HOST"].removeprefix("unix://"))
    connection.request("GET", f"/containers/{container}/stats?stream=false", headers={"Host": "docker"})
    answer: dict[str, Any] = json.loads(connection.getresponse().read())
    connection.close()
    return answer
