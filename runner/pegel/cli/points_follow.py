"""`pegel points --follow`: points printed as they are stored, until somebody has seen enough."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import typer

from pegel.cli.manual import FINE, INTERRUPTED
from pegel.cli.points_changes import Changes
from pegel.cli.points_export import points_text
from pegel.cli.points_query import Wanted
from pegel.cli.points_stream import CsvStream, TableStream
from pegel.cli.terminal import Terminal, standard_output
from pegel.seams import Clock, SystemClock
from pegel.sinks import Point

PAUSE = 1.0
"""Seconds between two looks at the store; where nothing has changed a look asks two files for their times."""

Show = Callable[[Sequence[Point]], None]


def follow(
    path: Path,
    pattern: str,
    wanted: Wanted,
    *,
    early: bool = False,
    clock: Clock | None = None,
    stop: threading.Event | None = None,
) -> int:
    """Print what there is and what comes, each batch at once also in a pipe; returns the exit code.

    Args:
        path: The embedded store; it may not be there yet.
        pattern: The metric, or a pattern of several.
        wanted: Which points, and how to print them.
        early: Growing values of open windows too.
        clock: Gives the time and waits between two looks; this machine's if None.
        stop: Set to end it.
    """
    clock, stop = clock or SystemClock(), stop or threading.Event()
    show = printer(wanted, standard_output(), several=any(each in pattern for each in "*?["))
    changes = Changes(path, pattern, wanted, early=early)
    if not path.exists():
        typer.echo(f"pegel: no points yet; waiting for {path}", err=True)
    try:
        while True:
            points = changes.news(clock.wall())
            if points:
                show(points)
            if clock.wait(stop, PAUSE):
                return FINE
    except KeyboardInterrupt:
        return INTERRUPTED


def printer(wanted: Wanted, terminal: Terminal, *, several: bool) -> Show:
    """What prints a batch of points.

    Raises:
        typer.BadParameter: What was asked for has no end to wait for.
    """
    if wanted.until_us is not None:
        raise typer.BadParameter("what is followed has no end; leave one of the two out", param_hint="--until")
    if wanted.form == "json":
        raise typer.BadParameter("an array has an end; --format ndjson has a point per line", param_hint="--format")
    if several and wanted.form in ("csv", "spark"):
        raise typer.BadParameter(f"{wanted.form} is for one metric; name it", param_hint="--format")
    if wanted.form == "spark":
        return _redrawing(terminal)
    if wanted.form == "ndjson":
        return lambda points: typer.echo(points_text(points, "ndjson"), nl=False)
    if wanted.form == "csv":
        csv = CsvStream()
        return lambda points: typer.echo(csv.text(points), nl=False)
    table = TableStream(terminal, several=several)
    return lambda points: typer.echo("\n".join(table.lines(points)))


def _redrawing(terminal: Terminal) -> Show:
    """Charts of all points so far, drawn again in place; below one another in a pipe."""
    from pegel.cli.points_view import charts
    from pegel.cli.timelines import settled, timelines

    drawn: dict[tuple[int, tuple[tuple[str, str], ...]], Point] = {}
    clear = "" if terminal.width is None else "\x1b[H\x1b[2J"

    def show(points: Sequence[Point]) -> None:
        drawn.update({(point.start_us, point.labels): point for point in points})
        newest = sorted(drawn)[-_CHARTED:]
        for key in drawn.keys() - set(newest):
            del drawn[key]
        lines = charts(timelines(settled([drawn[key] for key in newest])), terminal)
        typer.echo(clear + "\n".join(lines))

    return show


_CHARTED = 5000
"""Points in a chart at most."""
