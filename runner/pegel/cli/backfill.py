"""`pegel backfill`: old archives into the configured sinks, beside the runner."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pegel.cli.arguments import chosen_source

if TYPE_CHECKING:
    from pegel.cli.backfill_summary import Summary
    from pegel.pipeline.backfill import Prepared
    from pegel.sources import Source


def backfill(
    config: Annotated[Path, typer.Argument(help="The configuration.", envvar="PEGEL_CONFIG")],
    files: Annotated[
        list[Path],
        typer.Argument(
            help='Archives (plain or .gz), directories of them, patterns such as "/old/*.gz"; of a bucket hours'
            " (2026-03-01T00..2026-03-08T00), days, or beginnings of keys."
        ),
    ],
    source: Annotated[str | None, typer.Option(help="Whose log they are; needed if there are several.")] = None,
    name: Annotated[str | None, typer.Option("--id", help="Name of the back-fill; that of the source if none.")] = None,
    before: Annotated[
        str | None, typer.Option(help="Only windows up to here: a time such as 2026-03-01T00:00:00Z.")
    ] = None,
    patience: Annotated[str, typer.Option(help="How long a sink may fail before it is given up.")] = "30s",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say only what went wrong.")] = False,
) -> None:
    """Read old archives into the sinks, exactly once, while the runner goes on.

    Files may come in any order and twice (plain and packed): each record counts once, oldest first. Only windows
    that end before the first one that the runner has ever shown are made, so no point of the runner is replaced by
    a smaller one; what is left out is said. Memory stays small and all cores work.

    Stopped or killed, it goes on with the same command where it was; one that has finished changes nothing. Files
    that are younger can be added under the same --id, older ones need another.

    Examples:
        pegel backfill /etc/pegel/config.toml /var/backups/ookla
            Everything in a directory, and below it.
        pegel backfill config.toml "/old/2025-*/access.log*.gz" --source ookla --id year-2025
            A pattern, for one of several sources.
        pegel backfill config.toml /old --before 2026-01-01T00:00:00Z --quiet
            From a script, last year only.
        pegel backfill config.toml 2026-03-01..2026-03-08 --source edge
            A week of objects in a bucket, by the hours in their keys.

    Exit codes:
        1: something could not be read or delivered; the same command tries again
    """
    from pegel.cli.times import moment
    from pegel.units import duration

    cut = None if before is None else moment(before, "--before")
    raise typer.Exit(_backfill(config, files, source, name, cut, duration(patience), quiet=quiet))


def _backfill(
    config: Path,
    files: list[Path],
    source: str | None,
    name: str | None,
    before: int | None,
    patience: float,
    *,
    quiet: bool,
) -> int:
    """Prepare, run and say what came of it; returns the exit code."""
    from pegel import logs
    from pegel.cli.backfill_summary import introduction, say
    from pegel.cli.manual import FAILED, FINE, INTERRUPTED
    from pegel.config import load
    from pegel.pipeline.backfill import prepare
    from pegel.sinks.safe_text import clean

    plan = load(config)
    logs.set_up("warning", plan.runner.log_format)
    chosen = chosen_source(plan.sources, source, "the files belong to").name
    identity = _identity(name or chosen)
    named = _named(next(one.source for one in plan.sources if one.name == chosen), files)
    prepared = prepare(plan, chosen, identity, named, before=before)
    say(introduction(prepared, identity), quiet=quiet)
    stop = threading.Event()
    facts = _run(prepared, stop, patience, quiet=quiet)
    say(facts.lines, quiet=quiet)
    for line in facts.wrong:
        typer.echo(clean(line), err=True)
    if stop.is_set():
        typer.echo("stopped; the same command goes on exactly here", err=True)
        return INTERRUPTED
    return FAILED if facts.wrong else FINE


def _named(source: Source, words: list[Path]) -> list[str]:
    """What is to be read: files that are there, or a part of a bucket."""
    from pegel.cli.backfill_files import expanded

    texts = [str(word) for word in words]
    try:
        return expanded(words) if source.part(texts) is None else texts
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="FILES") from error


def _run(prepared: Prepared, stop: threading.Event, patience: float, *, quiet: bool) -> Summary:
    """Read and send everything; returns what came of it."""
    from pegel.cli.backfill_progress import shown
    from pegel.cli.backfill_summary import summary
    from pegel.cli.scaling import crew
    from pegel.cli.stopping import stop_on_signals
    from pegel.pipeline.backfill import finish
    from pegel.pipeline.service import Service

    stop_on_signals(stop)
    runner = prepared.runner(hands=crew(prepared.plan))
    runner.open()
    try:
        with shown(prepared, runner, quiet=quiet):
            left = Service(runner, stop).run_once(close_all=True, patience=patience)
        if not stop.is_set() and runner.caught_up():
            finish(runner)
        return summary(prepared, runner, left)
    finally:
        runner.close()


def _identity(name: str) -> str:
    import re

    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}", name):
        raise typer.BadParameter("a name of letters, digits, dots, dashes and underscores", param_hint="--id")
    return name
