"""`pegel state`: what the runner remembers, in words or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from pegel.cli.arguments import CONFIG, Config
from pegel.units import show_moment, show_size


def state(
    config: Config = CONFIG,
    as_json: Annotated[bool, typer.Option("--json", help="All facts, for machines.")] = False,
    directory: Annotated[
        Path | None, typer.Option("--state", help="The state directory, instead of the configured one.")
    ] = None,
) -> None:
    """Show the state: how far each source is, what is open, what waits.

    It is only read, beside a running runner too.

    Examples:
        pegel state
            In words.
        pegel state --json --state /var/lib/pegel
            All facts, without a configuration.
    """
    from pegel.cli.directory import state_directory
    from pegel.state.report import report

    facts = report(directory or state_directory(config))
    if as_json:
        typer.echo(json.dumps(facts, indent=2, ensure_ascii=False))
        return
    for line in _lines(facts):
        typer.echo(line)


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
    done = sum(stream["done"] for stream in source["streams"])
    for stream in source["streams"]:
        if not stream["done"]:
            name = stream["cursor"].get("path") or stream["stream"]
            yield f"         at byte {stream['offset']:,} of {name}"
    if done:
        yield f"         {done} finished file{'s' if done > 1 else ''} remembered"


def _waiting(sink: dict[str, Any]) -> str:
    parts = []
    if sink["waiting_points"]:
        size = show_size(sink["waiting_bytes"])
        parts.append(f"{sink['waiting_points']:,} points wait ({size}), oldest {show_moment(sink['oldest'])} UTC")
    if sink["dead_letters"]:
        parts.append(f"{sink['dead_letters']:,} points set aside (pegel sinks)")
    return ", ".join(parts) or "nothing waits"
