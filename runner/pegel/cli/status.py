"""`pegel status`: one screen that says whether a runner is well, and why not."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from pegel.cli.arguments import CONFIG, Config


def status(
    config: Config = CONFIG,
    as_json: Annotated[bool, typer.Option("--json", help="The verdict and all facts, for machines.")] = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Look again every two seconds until Ctrl-C.")] = False,
    silent: Annotated[str, typer.Option(help="Time without a record after which a source counts as silent.")] = "6h",
) -> None:
    """Say whether the runner is well, and if not why and what to do.

    Read beside a running runner, or between two runs of cron: how far each source is and what it rejected, the
    newest closed window of each metric, what waits for each sink and what it answered last. It is not well when it
    does not run (or cron no longer starts it), a source or a sink has failed for 5 minutes, a source is silent,
    windows are 10 minutes behind the records, an outbox is half full, points were refused for good, 1 % of the
    records are rejected, snapshots are missing, or the disk is nearly full.

    Examples:
        pegel status /etc/pegel/config.toml
            One screen; the exit code is the verdict, for monitoring.
        pegel status --json --silent 2d
            All facts, for a log that is silent over a weekend.
        pegel status --watch
            Beside a repair: it shows when all is well again.

    Exit codes:
        1: the runner is not well
        3: the state cannot be read
    """
    from pegel.cli.status_facts import gather
    from pegel.cli.status_screen import lines
    from pegel.cli.terminal import standard_output
    from pegel.cli.watching import watching
    from pegel.config import load
    from pegel.pipeline.health import complaints
    from pegel.units import duration

    plan, patience = load(config), duration(silent)
    for _ in watching(again=watch and not as_json):
        vitals = gather(plan, silent=patience)
        wrong = complaints(vitals)
        if as_json:
            facts = {"healthy": not wrong, "complaints": [asdict(one) for one in wrong], **vitals.as_json()}
            typer.echo(json.dumps(facts, indent=2, ensure_ascii=False))
        else:
            typer.echo("\n".join(lines(vitals, wrong, standard_output())))
    if wrong:
        raise typer.Exit(1)
