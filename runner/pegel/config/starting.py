"""A configuration to begin with: complete, commented, and right as it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tomli

from pegel.config.presets import FOLDER
from pegel.config.writing import table

_HEAD = """\
# Pegel reads this file from top to bottom: sources -> enrichers -> metrics -> sinks.
#   pegel check {path}      says everything that is wrong with it
#   pegel preview {path}    prints the points it would make, and changes nothing
#   pegel run {path}        runs it
# "${{NAME}}" and "${{NAME:-default}}" in strings stand for environment variables.

[runner]
# Positions, open windows and unsent points: one directory, not shared with another runner.
# state = "/var/lib/pegel"
# labels = {{ site = "berlin" }}      # on every point

"""

_PLAIN_SOURCE = """\
[[sources]]
name = "web"
type = "file"
path = "/var/log/nginx/access.log"    # its rotated archives, also .gz, are found and read too
format = { template = '{client} {_} {user} [{time}] "{request}" {status:int} {bytes:int} "{referer}" "{agent}"' }
time = { column = "time", format = "%d/%b/%Y:%H:%M:%S %z" }
labels = { server = "${HOSTNAME}" }
private = ["client"]                  # only counted: never a label, never stored in clear

# A column of your own, in SQL:
# [[enrichers]]
# type = "sql"
# columns.page = "regexp_extract(request, ' (/[^/? ]*)', 1)"

[[metrics]]
name = "web_requests"
help = "Requests that the server answered."
every = "1m"
labels = ["server"]
values.total = { value = "count(*)", kind = "counter" }
values.users = "count(distinct client)"
values.errors = "count(*) filter (where status >= 500)"
values.p95_bytes = "quantile(bytes, 0.95)"
"""

_SINKS = """
# Points are kept in the embedded store (see them with `pegel points`) until a sink is named here.
# [[sinks]]
# type = "local"
#
# [[sinks]]
# name = "archive"
# type = "file"
# path = "points.ndjson"
# metrics = ["*"]
"""

_COLUMN = 36

START = "start"
"""Folder beside the presets: what a new configuration with a preset has behind its source, written by hand."""


def starter(path: str, preset: str | None, folder: Path = FOLDER) -> str:
    """The text of a new configuration.

    Args:
        path: What the file will be called.
        preset: Build on this preset, None for a small example of one's own.
        folder: Where presets are.
    """
    head = _HEAD.format(path=path)
    if preset is None:
        return head + _PLAIN_SOURCE + _SINKS
    own = folder / START / f"{preset}.toml"
    rest = own.read_text(encoding="utf-8") if own.exists() else _SINKS
    return head + "\n".join(_preset_source(preset, folder)) + "\n" + rest


def _preset_source(preset: str, folder: Path) -> Iterator[str]:
    said: dict[str, Any] = tomli.loads((folder / f"{preset}.toml").read_text(encoding="utf-8"))
    yield from ("[[sources]]", f'name = "{preset}"', f'preset = "{preset}"')
    options = {key: value for key, value in said["sources"][0].items() if key not in ("name", "type")}
    yield "# What the preset says; a line without its # overrides it, `pegel show` prints all of it:"
    yield from (f"# {line}" for line in table("", options).splitlines())
    metrics = said.get("metrics", [])
    on = [metric["name"] for metric in metrics if not metric.get("optional")]
    yield "# The metrics that are on; take some out, or add those marked with (off):"
    yield from (f"# {line}" for line in table("", {"metrics": on}).splitlines())
    for metric in metrics:
        state = "(off) " if metric.get("optional") else ""
        yield f"#   {metric['name']:{_COLUMN}} {state}{metric.get('help', '')}".rstrip()
