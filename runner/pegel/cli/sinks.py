"""`pegel sinks`: what waits for each sink, and what to do with points that one refused for good."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from pegel.cli.arguments import CONFIG
from pegel.units import show_size


def sinks(
    action: Annotated[
        Literal["list", "retry", "discard"], typer.Argument(help="What to do; `retry` and `discard` need SINK.")
    ] = "list",
    sink: Annotated[str | None, typer.Argument(help="The name of a sink.")] = None,
    config: Annotated[Path, typer.Option(help="The configuration.", envvar="PEGEL_CONFIG")] = CONFIG,
    directory: Annotated[
        Path | None, typer.Option("--state", help="The state directory, instead of the configured one.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="With list: all facts, for machines.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="With discard: do not ask.")] = False,
) -> None:
    """Show what waits for each sink; retry or discard the points that one refused for good.

    Points that a server can never store as they are (another type than a field has, older than the bucket keeps)
    are set aside as dead letters, with the reason. When the reason was mended, `retry` lets them wait to be sent
    again; one of which a newer value was stored meanwhile is left out. `discard` deletes them. Both work beside
    a running runner, which sends within seconds, and without one.

    Examples:
        pegel sinks
            What waits, and what was refused, by reason.
        pegel sinks retry influx --config /etc/pegel/config.toml
            After the retention of the bucket was made longer.
        pegel sinks discard influx --yes
            They are not wanted any more.
    """
    from pegel.cli.directory import state_directory

    place = directory or state_directory(config)
    if action == "list":
        _list(place, sink, as_json=as_json)
    elif sink is None:
        raise typer.BadParameter(f"say of which sink; pegel sinks {action} SINK", param_hint="SINK")
    elif sink not in (known := _known(place)):
        raise typer.BadParameter(f"there is no sink {sink}; there is: {', '.join(known) or 'none'}", param_hint="SINK")
    elif action == "retry":
        _retry(place, sink)
    else:
        _discard(place, sink, yes=yes)


def _list(directory: Path, sink: str | None, *, as_json: bool) -> None:
    from pegel.state.report import report

    found = [one for one in report(directory)["sinks"] if sink in (None, one["name"])]
    if as_json:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    for one in found:
        for line in _lines(one):
            typer.echo(line)
    if not found:
        typer.echo("nothing waits" if sink is None else f"nothing waits for {sink}")


def _lines(sink: Mapping[str, Any]) -> Iterator[str]:
    if sink["waiting_points"]:
        size = show_size(sink["waiting_bytes"])
        yield f"{sink['name']}: {sink['waiting_points']:,} points wait ({size}) since {_time(sink['oldest'])} UTC"
    else:
        yield f"{sink['name']}: nothing waits"
    for one in sink["reasons"]:
        span = _time(one["first"]) + (f" to {_time(one['last'])}" if one["last"] != one["first"] else "")
        yield f"  {one['points']:,} refused: {one['reason']} (windows of {span} UTC)"
    if sink["reasons"]:
        yield f"  pegel sinks retry {sink['name']} sends them again, pegel sinks discard {sink['name']} deletes them"


def _known(directory: Path) -> list[str]:
    """The sinks that ran on a state last, and those that something waits for or was refused by."""
    from pegel.pipeline.registry import remembered
    from pegel.state.report import looking, report

    with looking(directory) as connection:
        summary = remembered(connection).summary
    return sorted({*(summary.sinks if summary else ()), *(one["name"] for one in report(directory)["sinks"])})


def _retry(directory: Path, sink: str) -> None:
    from pegel.pipeline.letters import retry
    from pegel.state.lock import holder
    from pegel.state.visiting import visiting

    with visiting(directory) as visit:
        sent, outdated = retry(visit.outbox, visit.letters, sink, round(time.time() * 1e6))
    if not sent + outdated:
        typer.echo(f"no points of {sink} were refused")
        return
    when = "when the runner runs again" if holder(directory) is None else "now"
    typer.echo(f"{sent:,} points are sent to {sink} again {when}")
    if outdated:
        typer.echo(f"{outdated:,} are left out: a newer value is on its way")


def _discard(directory: Path, sink: str, *, yes: bool) -> None:
    from pegel.state.visiting import visiting

    with visiting(directory) as visit:
        count = visit.letters.count(sink)
    if count and not yes:
        if not sys.stdin.isatty():
            raise typer.BadParameter(f"{count:,} points would be deleted; say --yes if they may", param_hint="--yes")
        typer.confirm(f"Delete {count:,} points that {sink} refused?", abort=True)
    with visiting(directory) as visit:
        typer.echo(f"{visit.letters.drop(sink):,} points of {sink} deleted")


def _time(us: int) -> str:
    return datetime.fromtimestamp(us / 1e6, UTC).strftime("%Y-%m-%d %H:%M")
