"""A clone of the repository with an engine: what an operator does with it, and what the stores answer."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from prove.engine import BASE, Docker

ROOT = Path(__file__).parents[2]
SERVICES = ("prometheus", "pushgateway", "influxdb", "grafana", "runner")
PORT = "13000"

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
"""What the operator puts beside the shipped configuration: each line of a log, counted."""


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
        return {"GRAFANA_PORT": PORT}

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

    def begun(self) -> float:
        """When the first container was made: whatever had to be built was built before."""
        made = self.docker.run("inspect", "--format", "{{.Created}}", *(self.container(name) for name in SERVICES))
        return min(datetime.fromisoformat(one[:19] + "+00:00").timestamp() for one in made.split())

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

    def alerts(self) -> list[str]:
        """The names of the alerts that fire, without the one that always does."""
        ask = ("exec", "-T", "grafana", "curl", "-sS", "-m", "10", "http://prometheus:9090/api/v1/alerts")
        printed = self.compose(*ask, check=False)
        with contextlib.suppress(ValueError, KeyError):
            firing = [one for one in json.loads(printed)["data"]["alerts"] if one["state"] == "firing"]
            return sorted({one["labels"]["alertname"] for one in firing} - {"Watchdog"})
        return ["Prometheus does not answer"]

    def health(self) -> str:
        """What each container's last health check said, and the end of the runner's log."""
        last = "{{.Name}}: {{.State.Status}} {{with .State.Health}}{{range .Log}}{{.Output}}{{end}}{{end}}"
        ids = self.compose("ps", "--all", "--quiet").split()
        said = self.docker.run("inspect", "--format", last, *ids, check=False) if ids else ""
        return said[-3000:] + self.compose("logs", "--tail", "10", "runner", check=False)[-1500:]

    def stats(self, service: str) -> dict[str, Any]:
        """What the engine counts of a container."""
        connection = _Socket(self.docker.environ["DOCKER_HOST"].removeprefix("unix://"))
        connection.request(
            "GET", f"/containers/{self.container(service)}/stats?stream=false", headers={"Host": "docker"}
        )
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
        connection.close()
        return answer

    def crash(self, service: str) -> None:
        """SIGKILL from outside: for the engine it is a crash, and not a wish of the operator."""
        pid = int(self.docker.run("inspect", "--format", "{{.State.Pid}}", self.container(service)))
        if pid:
            os.kill(pid, signal.SIGKILL)


def cloned(docker: Docker, place: Path) -> Bench:
    """What somebody has who cloned the repository, a source of his own, and the doubles."""
    clone = place / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    own = clone / "stack" / "config" / "conf.d"
    own.mkdir()
    (own / "shop.toml").write_text(CONFIG)
    (clone / "logs").mkdir()
    (clone / "logs" / "shop.log").touch()
    override = clone / "compose.override.yaml"
    mounted = f'volumes: ["{clone}/logs:/logs:ro"], build: {{args: {{BASE: "{BASE}"}}}}'
    override.write_text(f"services: {{runner: {{{mounted}}}}}\n")
    return Bench(docker, clone, ("compose.yaml", "stack/compose.test.yaml", str(override)))


class _Socket(http.client.HTTPConnection):
    """HTTP over the engine's socket."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.host)
