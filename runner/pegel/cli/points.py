"""`pegel points`: the numbers in the embedded store, as tables, sparklines, charts, CSV or JSON."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from pegel.cli import points_query as query
from pegel.cli import points_view as view
from pegel.cli.directory import state_directory
from pegel.cli.manual import FAILED, FINE
from pegel.cli.points_query import Form, Wanted
from pegel.cli.terminal import Terminal, standard_output
from pegel.cli.timelines import settled, timelines
from pegel.seams import SystemClock
from pegel.sinks import Point
from pegel.sinks.local_points import LocalPoints, StoredMetric
from pegel.sinks.local_schema import FILE_NAME
from pegel.state.place import is_there
from pegel.units import duration

_ROWS_ON_SCREEN = 20


def points(
    config: Annotated[str | None, typer.Argument(help="The configuration (or at once the metric).")] = None,
    metric: Annotated[str | None, typer.Argument(help="The metric; without it, all are listed.")] = None,
    label: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="Only series with this label.")] = None,
    since: Annotated[
        str, typer.Option(metavar="TIME", help="From when: 90s, 2h, 7d ago, or a time such as 2026-03-03T12:00Z.")
    ] = "",
    until: Annotated[str, typer.Option(metavar="TIME", help="Up to when, like --since.")] = "",
    last: Annotated[int | None, typer.Option(min=1, help="Only the newest windows, however old.")] = None,
    form: Annotated[Form, typer.Option("--format", help="How to print; csv, json and ndjson are exact.")] = "table",
    by: Annotated[
        str | None, typer.Option(metavar="LABEL", help="One series per value of this label (sums; of fractions means).")
    ] = None,
    value: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only this value of the metric.")] = None,
    state: Annotated[Path | None, typer.Option(help="The state directory, instead of the configured one.")] = None,
    follow_on: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with new and corrected points until Ctrl-C.")
    ] = False,
    early: Annotated[bool, typer.Option("--early", help="With --follow: growing values of open windows too.")] = False,
) -> None:
    """Show the points of the embedded store.

    Without METRIC: its metrics, each with its newest window and the shape of its latest ones. With METRIC: the
    points of the last hour, on a terminal with a sparkline per value. Times are UTC.

    With --follow METRIC may be a pattern such as "shop_*", all metrics if there is none; ten windows of the past
    come first unless --since or --last say otherwise. A point is shown when its window closes and when it is
    corrected (marked ↻).

    Examples:
        pegel points
            All metrics.
        pegel points ookla_speedtest_minutely --since 6h --format spark
            The last six hours as charts.
        pegel points ookla_speedtest_device_minutely --by model --format csv
            The last hour for a spreadsheet, all servers together.
        pegel points ookla_speedtest_minutely --follow --format ndjson
            A line of JSON for each minute that closes.
    """
    file, name = _arguments(config, metric)
    now = SystemClock().wall()
    wanted = Wanted(
        labels=dict(_pair(text) for text in label or ()),
        since_us=_time(since, now, "--since") if since else None,
        until_us=_time(until, now, "--until") if until else None,
        last=last,
        values=value or (),
        by=by,
        form=form,
    )
    path = store_path(file, state)
    if early and not follow_on:
        raise typer.BadParameter("it needs --follow", param_hint="--early")
    elsewhere = "" if is_there(path) or state is not None else _elsewhere(file)
    if elsewhere:
        _nothing(form, elsewhere)
        raise typer.Exit(FAILED if follow_on else FINE)
    if follow_on:
        from pegel.cli.points_follow import follow

        raise typer.Exit(follow(path, name or "*", wanted, early=early))
    try:
        store = LocalPoints(path)
    except FileNotFoundError:
        _nothing(form, f"no points yet: {path} appears when the first window closes. Is the runner running?")
        return
    with store:
        metrics = store.metrics()
        if name is None:
            _show_metrics(store, metrics, wanted, now)
        else:
            _show_metric(store, query.find(metrics, name, path), wanted, now)


def _elsewhere(config: Path) -> str:
    """Where the points of a configuration go that has no embedded store, as a sentence; empty if it has one."""
    sinks = [sink for file in (config, *sorted(config.parent.glob("conf.d/*.toml"))) for sink in _sinks(file)]
    if not sinks or any(sink.get("type") == "local" for sink in sinks):
        return ""
    names = ", ".join(dict.fromkeys(str(sink.get("name") or sink.get("type")) for sink in sinks))
    return (
        f"{config} has no `local` sink, which keeps points on this machine: they go to {names} (pegel status says how"
        ' that is, pegel preview shows points without storing them); to see them here, add [[sinks]] type = "local"'
    )


def _sinks(file: Path) -> Sequence[dict[str, object]]:
    return tomllib.loads(file.read_text(encoding="utf-8")).get("sinks", ()) if file.is_file() else ()


def store_path(config: Path, state: Path | None) -> Path:
    """Where the embedded store of a configuration is: where its `local` sink says, else in the state directory."""
    if state is not None:
        return state / FILE_NAME
    directory = state_directory(config)
    local = [sink for sink in _sinks(config) if sink.get("type") == "local" and "path" in sink]
    return Path(os.path.expandvars(str(local[0]["path"]))) if local else directory / FILE_NAME


def picture(metric: StoredMetric, found: Sequence[Point], wanted: Wanted, terminal: Terminal) -> list[str]:
    """The points of a metric for people: in a pipe the bare table, on a terminal with its shapes above."""
    lines = timelines(settled(found))
    head = view.heading(metric, found, terminal)
    if wanted.by is not None:
        head.append(terminal.dim(view.grouping(found, wanted.by)))
    if wanted.form == "spark":
        return [*head, "", *view.charts(lines, terminal)]
    if terminal.width is None:
        return view.rows(found, terminal)
    shapes = ["", *view.sparklines(lines, terminal)] if len(lines.windows) > 1 else []
    shown = found if wanted.last is not None else found[-_ROWS_ON_SCREEN:]
    hidden = len(found) - len(shown)
    more = f"{hidden:,} earlier rows are not shown; --last N shows more, --format csv all" if hidden else ""
    return [*head, *shapes, "", *view.rows(shown, terminal), *([terminal.dim(more)] if more else [])]


def _arguments(first: str | None, second: str | None) -> tuple[Path, str | None]:
    """The configuration and the metric: a single word that names no file is the metric."""
    default = Path(os.environ.get("PEGEL_CONFIG", "config.toml"))
    if first is None or second is not None:
        return Path(first) if first else default, second
    is_file = first.endswith(".toml") or "/" in first or Path(first).is_file()
    return (Path(first), None) if is_file else (default, first)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise typer.BadParameter(f'"{text}" is not name=value', param_hint="--label")
    return name, value


def _time(text: str, now: float, option: str) -> int:
    """A moment in microseconds, from a duration before now or from a date (UTC unless it says otherwise)."""
    try:
        return int((now - duration(text)) * 1e6)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        message = f'"{text}" is neither a duration such as 90s, 2h or 7d nor a time such as 2026-03-03T12:00Z'
        raise typer.BadParameter(message, param_hint=option) from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1e6)


def _show_metrics(store: LocalPoints, metrics: Sequence[StoredMetric], wanted: Wanted, now: float) -> None:
    if wanted.form in ("csv", "json", "ndjson"):
        from pegel.cli.points_export import metrics_text

        typer.echo(metrics_text(metrics, wanted.form), nl=False)
    elif not metrics:
        _nothing(wanted.form, "no points yet; they appear when the first window closes. Is the runner running?")
    else:
        samples = {metric.name: query.sample(store, metric) for metric in metrics}
        _print(view.overview(metrics, samples, now, standard_output()))


def _show_metric(store: LocalPoints, metric: StoredMetric, wanted: Wanted, now: float) -> None:
    found = query.read(store, metric, wanted, now)
    if not found:
        _nothing(wanted.form, query.why_nothing(store, metric, wanted, now))
    elif wanted.form in ("csv", "json", "ndjson"):
        from pegel.cli.points_export import points_text

        typer.echo(points_text(found, wanted.form), nl=False)
    else:
        _print(picture(metric, found, wanted, standard_output()))


def _nothing(form: Form, sentence: str) -> None:
    """Say why there is nothing; a script that reads JSON gets an empty document."""
    if form == "json":
        typer.echo("[]")
    typer.echo(f"pegel: {sentence}", err=True)


def _print(lines: Sequence[str]) -> None:
    typer.echo("\n".join(lines))
