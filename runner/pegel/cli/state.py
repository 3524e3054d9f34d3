"""`pegel state`: what the runner remembers, in words or as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from pegel.cli.arguments import CONFIG
from pegel.units import show_moment, show_size

_MOST = 20
"""Streams that are named in words."""


def state(
    words: Annotated[
        list[Path] | None,
        typer.Argument(
            help="The configuration; before it `retry`, to try again what was put aside.",
            metavar="[CONFIG]",
        ),
    ] = None,
    source: Annotated[str | None, typer.Option(help="With retry: of which source; of all if none.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="All facts, for machines.")] = False,
    directory: Annotated[
        Path | None, typer.Option("--state", help="The state directory, instead of the configured one.")
    ] = None,
    new_identity: Annotated[
        bool, typer.Option("--new-identity", help="Give a state that was copied a name of its own, before it is run.")
    ] = False,
) -> None:
    """Show the state: how far each source is, what is open, what waits; or try again what a source put aside.

    It is only read, beside a running runner too. `retry` lets the objects of buckets be read again that were put
    aside (not gzip, cut, not readable): by the running runner within seconds, or by the next one. What has been
    counted already is never counted again.

    A copied state has the name of the first one, and two runners with one name write the same series of a
    Prometheus. `--new-identity` gives it another name, while no runner uses it; counters go on from their totals.

    Examples:
        pegel state
            In words.
        pegel state --json --state /var/lib/pegel
            All facts, without a configuration.
        pegel state retry --source edge
            After somebody has mended the objects.
        pegel state --new-identity --state /srv/second/state
            After a copy.
    """
    from pegel.cli.directory import state_directory
    from pegel.state.report import report

    again = words is not None and words[:1] == [Path("retry")]
    rest = words[1:] if words and again else words or []
    if len(rest) > 1:
        raise typer.BadParameter(f"there is one configuration, and not {rest[1]} too", param_hint="WORDS")
    place = directory or state_directory(rest[0] if rest else Path(os.environ.get("PEGEL_CONFIG", CONFIG)))
    if again:
        _retry(place, source)
        return
    if new_identity:
        typer.echo(f"the runner of {place} is called {_renamed(place)} from now on")
        return
    facts = report(place)
    if as_json:
        typer.echo(json.dumps(facts, indent=2, ensure_ascii=False))
        return
    for line in _lines(facts):
        typer.echo(line)


def _retry(directory: Path, wanted: str | None) -> None:
    """Ask the sources to read again what they put aside."""
    from pegel.state.report import report
    from pegel.state.visiting import visiting

    aside = {one["name"]: len(put_aside(one)) for one in report(directory)["sources"]}
    if wanted is not None and wanted not in aside:
        raise typer.BadParameter(f"there is no source {wanted}; there is: {', '.join(aside) or 'none'}")
    chosen = {name: count for name, count in aside.items() if count and wanted in (None, name)}
    with visiting(directory) as visit:
        for name in chosen:
            visit.positions.ask_again(name)
    for name, count in chosen.items():
        typer.echo(f"{name}: {count:,} will be tried again")
    if not chosen:
        typer.echo("nothing was put aside")


def _renamed(directory: Path) -> str:
    """The new name of a state; it has to exist, and nobody may use it."""
    from pegel.errors import StateError
    from pegel.state import State

    if not (directory / "state.db").is_file():
        raise StateError(f"there is no state in {directory}")
    state = State(directory)
    try:
        with state.transaction():
            return state.renew_identity()
    finally:
        state.close()


def put_aside(source: dict[str, Any]) -> list[tuple[str, str]]:
    """What a source has put aside: the stream, and the reason."""
    mark = "quarantined: "
    fates = [(one["stream"], str(one["cursor"].get("fate", ""))) for one in source["streams"]]
    return [(stream, fate.removeprefix(mark)) for stream, fate in fates if fate.startswith(mark)]


def _lines(facts: dict[str, Any]) -> Iterator[str]:
    size = show_size(facts["bytes"])
    yield f"state    {facts['state']}, {size}, schema {facts['schema']}, start number {facts['starts']}"
    newest = max((one["time"] for one in facts["snapshots"]), default=None)
    yield f"snapshot {f'{show_moment(newest)} UTC' if newest else 'none yet'}"
    counters = facts["counters"]
    for source in facts["sources"]:
        yield ""
        yield from _source(source, counters)
    yield ""
    for metric in facts["metrics"]:
        ended = ", ended" if metric["until"] is not None else ""
        closed = (
            f"closed up to {show_moment(metric['watermark'])} UTC"
            if metric["watermark"] is not None
            else "nothing closed yet"
        )
        yield f"metric   {metric['name']}: {metric['series']} series, {metric['windows']} windows kept, {closed}{ended}"
    yield ""
    for sink in facts["sinks"]:
        yield f"sink     {sink['name']}: {_waiting(sink)}"
        for one in sink["reasons"]:
            yield f"         {one['points']:,} set aside: {one['reason']}"
    if not facts["sinks"]:
        yield "sinks    nothing waits"


def _source(source: dict[str, Any], counters: list[dict[str, Any]]) -> Iterator[str]:
    mine = [one for one in counters if one["labels"].get("source") == source["name"]]
    records = next((one["value"] for one in mine if one["name"] == "records_total"), 0)
    watermark = f"{show_moment(source['watermark'])} UTC" if source["watermark"] is not None else "not known yet"
    yield f"source   {source['name']}: {records:,} records, watermark {watermark}"
    for reject in (one for one in mine if one["name"] == "rejects_total"):
        yield f"         {reject['value']:,} rejected: {reject['labels']['reason']}"
    for noticed in (one for one in mine if one["name"] == "noticed_total"):
        yield f"         {noticed['value']:,} {noticed['labels']['what'].replace('_', ' ')}"
    aside = put_aside(source)
    for stream, reason in aside[:_MOST]:
        yield f"         put aside: {stream}: {reason}"
    if len(aside) > _MOST:
        yield f"         and {len(aside) - _MOST:,} more put aside (--json has all)"
    done = sum(stream["done"] for stream in source["streams"])
    for stream in source["streams"]:
        if not stream["done"]:
            name = stream["cursor"].get("path") or stream["stream"]
            yield f"         at byte {stream['offset']:,} of {name}"
    if done:
        objects = any("etag" in stream["cursor"] for stream in source["streams"])
        yield f"         {done:,} finished {'object' if objects else 'file'}{'s' if done > 1 else ''} remembered"


def _waiting(sink: dict[str, Any]) -> str:
    parts = []
    if sink["waiting_points"]:
        size = show_size(sink["waiting_bytes"])
        parts.append(f"{sink['waiting_points']:,} points wait ({size}), oldest {show_moment(sink['oldest'])} UTC")
    if sink["dead_letters"]:
        parts.append(f"{sink['dead_letters']:,} points set aside (pegel sinks)")
    return ", ".join(parts) or "nothing waits"
