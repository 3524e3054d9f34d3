"""The preset `cdn77` at work on objects in a directory: the whole road from packed bytes to points, in this process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pegel.config import load
from pegel.pipeline import trial
from pegel.plan import Plan
from pegel.sinks import ndjson
from presets.ookla_run import Key, keyed

CONFIG = """
[runner]
state = "{directory}/state"

[[sources]]
name = "cdn77"
preset = "cdn77"
type = "file"
path = "none"
{more}
"""

ENVIRON = {"S3_ACCESS_KEY": "key", "S3_SECRET_KEY": "secret"}


def plan(directory: Path, places: Path | None = None, more: str = "", environ: dict[str, str] | None = None) -> Plan:
    """The preset with a database of places, if there is one."""
    config = directory / "config.toml"
    config.write_text(CONFIG.format(directory=directory, more=more), encoding="utf-8")
    database = {"GEOIP_DB_PATH": str(places)} if places else {}
    return load(config, {**ENVIRON, **database, **(environ or {})})


def read(plan_: Plan, files: Sequence[Path]) -> tuple[dict[Key, Any], dict[str, int]]:
    """The points and the rejects of some objects, read in their order."""
    tried = trial.run(trial.reading(plan_, "cdn77", [str(file) for file in files]))
    assert tried.trouble == ""
    return keyed(ndjson.encode(tried.points).decode()), dict(tried.rejects)


def by_upload(directory: Path) -> list[Path]:
    """The objects of a directory, oldest first: by hour and sequence."""
    return sorted(directory.rglob("*.ndjson.gz"), key=lambda file: (file.parts[-3:-1], file.name.split("+")[-1]))
