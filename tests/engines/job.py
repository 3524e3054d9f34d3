"""A configuration whose points go to a real InfluxDB, as files in a directory of a test."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engines.influxdb import ORG, Bucket, Key, Value
from pegel.config import load
from pegel.plan import Plan
from presets.ookla_oracle import PROVIDERS

RUNNER = Path(__file__).parents[2] / "runner"

SINK = """
[runner]
state = "{directory}/state"
commit_interval = "20ms"

[[sinks]]
name = "influx"
type = "influxdb2"
url = "{url}"
org = "{org}"
bucket = "{bucket}"
token_file = "{directory}/token"
timeout = "{timeout}"
"""

OOKLA = """
[[sources]]
name = "ookla"
preset = "ookla"
path = "{log}/ooklaserver-access.log"
enrichers.asn.files = ["{providers}"]
piece_size = "{piece_size}"
flush_timeout = "100ms"
"""

ENVIRONMENT = {"SERVER_TAG": "st-01"}


@dataclass
class Job:
    """Sources and metrics, with one sink: a bucket, reached directly or through a proxy.

    Attributes:
        directory: Of the configuration, the state and the token.
        bucket: Where the points go.
        sources: The rest of the configuration.
        url: Where the sink sends, if not straight to the server.
        timeout: Of a request.
    """

    directory: Path
    bucket: Bucket
    sources: str
    url: str = ""
    timeout: str = "10s"

    def __post_init__(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        url = self.url or self.bucket.server.url
        sink = SINK.format(directory=self.directory, url=url, org=ORG, bucket=self.bucket.name, timeout=self.timeout)
        self.config.write_text(sink + self.sources, encoding="utf-8")
        self.give_token(self.bucket.write_only.text)

    @property
    def config(self) -> Path:
        return self.directory / "config.toml"

    def give_token(self, text: str) -> None:
        """Put a token where the sink reads it, as an operator would: a new file takes the place of the old one."""
        fresh = self.directory / "token.new"
        fresh.write_text(text + "\n")
        fresh.chmod(0o600)
        fresh.rename(self.directory / "token")

    def plan(self) -> Plan:
        """What the configuration says."""
        return load(self.config, ENVIRONMENT)

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """A real process: `pegel run CONFIG ARGUMENTS`."""
        environment = {**os.environ, **ENVIRONMENT, "PYTHONPATH": str(RUNNER)}
        program = [sys.executable, "-c", "from pegel.cli import main; main()"]
        return subprocess.Popen(
            [*program, "run", str(self.config), *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment,
        )

    def run(self, *arguments: str) -> str:
        """The same, to its end; returns what it said, with its exit code if that is not 0."""
        process = self.start(*arguments)
        _, said = process.communicate(timeout=120)
        return said.decode() + (f"exit code {process.returncode}" if process.returncode else "")


def ookla(log: Path, piece_size: str = "8MiB") -> str:
    """The preset over the log in a directory."""
    return OOKLA.format(log=log, piece_size=piece_size, providers=PROVIDERS)


def spelled(points: Mapping[Key, Mapping[str, Value]]) -> dict[Key, dict[str, str]]:
    """Points whose values differ where their types do: 1 is not 1.0. Those about the runner itself are left out."""
    return {
        key: {name: repr(value) for name, value in sorted(values.items())}
        for key, values in points.items()
        if not key[1].startswith("pegel_")
    }


def differences(
    found: Mapping[Key, Mapping[str, Value]], expected: Mapping[Key, Mapping[str, Value]]
) -> list[tuple[Key, object, object]]:
    """(point, in InfluxDB, as it must be) of all that is not as it must be, types included."""
    got, wanted = spelled(found), spelled(expected)
    return [(key, got.get(key), wanted.get(key)) for key in sorted(got | wanted) if got.get(key) != wanted.get(key)]
