"""The preset `ookla` at work on a directory with a log: the whole road from files to a sink, in this process."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pegel.config import load
from pegel.pipeline import Runner
from pegel.pipeline.service import Service
from pegel.plan import Plan
from pegel.state.report import report
from presets.ookla_oracle import PROVIDERS

CONFIG = """
[runner]
state = "{directory}/state"
commit_interval = "20ms"

[[sources]]
name = "ookla"
preset = "ookla"
path = "{log}/ooklaserver-access.log"
enrichers.asn.files = {providers}
piece_size = "{piece_size}"
flush_timeout = "100ms"

[[sinks]]
type = "file"
path = "{directory}/points.ndjson"

[[sinks]]
type = "local"
"""

Key = tuple[str, str, tuple[tuple[str, str], ...]]


@dataclass
class Run:
    """A configuration with the preset, its state and what its sinks have got, all in one directory."""

    directory: Path
    log: Path
    piece_size: str = "8MiB"
    providers: tuple[Path, ...] = (PROVIDERS,)

    def plan(self) -> Plan:
        self.directory.mkdir(exist_ok=True)
        config = self.directory / "config.toml"
        providers = json.dumps([str(file) for file in self.providers])
        text = CONFIG.format(directory=self.directory, log=self.log, piece_size=self.piece_size, providers=providers)
        config.write_text(text, encoding="utf-8")
        return load(config, {"SERVER_TAG": "st-01"})

    def once(self, *, close: bool) -> None:
        """What `pegel run --once` does."""
        runner = Runner(self.plan())
        runner.open()
        try:
            assert Service(runner, threading.Event()).run_once(close_all=close, patience=10.0) == ""
        finally:
            runner.close()

    def points(self) -> dict[Key, Any]:
        """What the file sink has: the highest revision counts, and that is the last one."""
        return keyed("\n".join(self.lines()))

    def lines(self) -> list[str]:
        """Everything that the file sink got, in its order."""
        file = self.directory / "points.ndjson"
        return file.read_text(encoding="utf-8").split("\n") if file.exists() else []

    def rejects(self) -> dict[str, int]:
        counters = report(self.directory / "state")["counters"]
        return {one["labels"]["reason"]: one["value"] for one in counters if one["name"] == "rejects_total"}


def keyed(ndjson: str) -> dict[Key, Any]:
    """Values by time, metric and labels."""
    points = [json.loads(line) for line in ndjson.split("\n") if line]
    return {(p["time"], p["metric"], tuple(sorted(p["labels"].items()))): p["values"] for p in points}
