"""`pegel preview`: the points that an input would make, without touching state or sinks."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pegel.cli.arguments import CONFIG, Config, chosen_source

if TYPE_CHECKING:
    from pegel.plan import Plan
    from pegel.sinks import Point


class Form(StrEnum):
    """How points are written."""

    ndjson = "ndjson"
    influx = "influx"
    prometheus = "prometheus"
    table = "table"


def preview(
    config: Config = CONFIG,
    files: Annotated[
        list[Path] | None, typer.Argument(help="Read these (plain or .gz) instead of the configured input.")
    ] = None,
    form: Annotated[Form, typer.Option("--format", help="How to write the points.")] = Form.table,
    source: Annotated[
        str | None, typer.Option(help="The source that reads the files; needed if there are several.")
    ] = None,
) -> None:
    """Print the points of the configured or given input, all windows closed.

    Nothing is kept and nothing is sent: state and sinks of the configuration are not touched. No server is asked
    either: of addresses whose provider only whois knows, those are known that the runner has asked about.

    Examples:
        pegel preview
            The points of all that the configuration reads.
        pegel preview config.toml access.log.1 access.log.2.gz --format influx
            Of these files only, in InfluxDB's line protocol.
    """
    from pegel.config import load

    plan = load(config)
    if files:
        plan = _reading(plan, files, source)
    points = collect(plan, snapshot=form is Form.prometheus)
    if not points:
        typer.echo("no points: nothing was read, or no record counts (pegel check says which log is missing)", err=True)
        return
    typer.echo(_write(points, form), nl=False)


def collect(plan: Plan, *, snapshot: bool = False) -> list[Point]:
    """The points of a plan over all its input; with `snapshot`, what a view would show at the end instead."""
    from pegel.pipeline import trial

    return list(trial.run(plan, snapshot=snapshot, remembered=plan.runner.state).points)


def _reading(plan: Plan, files: Sequence[Path], source: str | None) -> Plan:
    """The plan with one source reading the given files and no other source."""
    from pegel.pipeline import trial

    chosen = chosen_source(plan.sources, source, "reads the files")
    missing = [str(file) for file in files if not file.is_file()]
    if missing:
        raise typer.BadParameter(f"no such file: {', '.join(missing)}")
    return trial.reading(plan, chosen.name, [str(file) for file in files])


def _write(points: Sequence[Point], form: Form) -> str:
    if form is Form.table:
        return _table(points)
    if form is Form.influx:
        from pegel.sinks import influx as writer
    elif form is Form.prometheus:
        from pegel.sinks import exposition as writer  # type: ignore[no-redef]
    else:
        from pegel.sinks import ndjson as writer  # type: ignore[no-redef]
    return writer.encode(points).decode()


def _table(points: Sequence[Point]) -> str:
    """Aligned columns: time, metric, labels, values."""
    from pegel.units import show_moment

    rows = [("time", "metric", "labels", "values")]
    for point in points:
        time = show_moment(point.start_us)
        labels = " ".join(f"{name}={value}" for name, value in point.labels)
        shown = {
            name: f"{value:,.10g}" if isinstance(value, int | float) else value for name, value in point.values.items()
        }
        values = "  ".join(f"{name} {value}" for name, value in shown.items())
        rows.append((time, point.metric, labels, values))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "".join(
        "  ".join([*(f"{cell:{width}}" for cell, width in zip(row, widths, strict=False)), row[3]]) + "\n"
        for row in rows
    )
