"""A real runner, scraped by a real Prometheus, on the dashboard about it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from engines.conftest import StartPrometheus
from engines.grafana_prometheus import Look, called, queries, substituted
from engines.job import RUNNER
from presets import ookla_oracle as oracle

CONFIG = """
[runner]
state = "{directory}/state"

[[sources]]
name = "ookla"
preset = "ookla"
path = "{sample}/{live}"

[[sinks]]
type = "prometheus"
listen = "127.0.0.1:{port}"
"""
LOOK = Look(0, 3600, 1, 1, variables={"instance": ".*", "source": ".*", "sink": ".*"})
PANELS = [
    "Do they answer?",
    "Do they commit?",
    "Running for",
    "Sources that fail",
    "Sources A",
    "Sources B",
    "Bytes not read yet",
    "Age of the newest record",
    "Could it be read?",
    "Time of a commit",
    "Memory",
    "Size of the state",
    "Room on the disk of the state",
]


@pytest.fixture
def port() -> int:
    """One that is free now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        found: int = one.getsockname()[1]
        return found


def test_a_runner_is_on_its_dashboard_seconds_after_it_began(
    tmp_path: Path, port: int, prometheus: StartPrometheus
) -> None:
    """Nobody runs a query by hand, and no name differs between the page and the panels."""
    config = tmp_path / "config.toml"
    config.write_text(CONFIG.format(directory=tmp_path, sample=oracle.SAMPLE, live=oracle.LIVE, port=port))
    environment = {**os.environ, "PYTHONPATH": str(RUNNER), "SERVER_TAG": "st-01"}
    command = [sys.executable, "-c", "from pegel.cli import main; main()", "run", str(config)]
    server = prometheus(
        "global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
        f"scrape_configs: [{{job_name: runner, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}]\n"
    )
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment) as runner:
        try:
            server.until('pegel_source_lag_bytes{source="ookla"} == 0')
            server.until("pegel_records_total > 0")
            every = queries("pegel-itself")
            found = {
                name: [
                    (called(one, every[name]), one.value)
                    for one in server.query(substituted(every[name].expression, LOOK))
                ]
                for name in PANELS
            }
        finally:
            runner.terminate()
    assert [name for name, series in found.items() if len(series) != 1] == []
    assert found["Do they answer?"] == [(f"127.0.0.1:{port}", 1)]
    assert found["Sources that fail"] == [(f"127.0.0.1:{port}", 0)]
