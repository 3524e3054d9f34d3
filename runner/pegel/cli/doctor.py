"""`pegel doctor`: everything around the runner that can keep it from working, and what to do about it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from pegel.cli.arguments import CONFIG, Config


def doctor(
    config: Config = CONFIG,
    as_json: Annotated[bool, typer.Option("--json", help="The findings, for machines.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Do not try sinks and enrichers.")] = False,
) -> None:
    """Look at everything around the runner and say what would keep it from working.

    Versions, the configuration and its mode, the state directory (owner, mode, file system, room), the files of
    every source (which, how big, readable for this user), the clock, sinks and enrichers, the systemd unit. Nothing
    is changed, and no secret is printed. Run it as the user that the service runs as: rights are looked at for
    whoever asks.

    Examples:
        pegel doctor /etc/pegel/config.toml
            When nothing arrives, or before the first start.
        sudo -u ookla pegel doctor /etc/pegel/config.toml
            With the eyes of the user that the service runs as.
        pegel doctor --json --offline
            For a script, on a machine without network.

    Exit codes:
        1: there is a problem
    """
    from pegel import config as configuration
    from pegel.cli.doctor_looks import Machine, looks
    from pegel.cli.doctor_screen import lines
    from pegel.cli.problems import print_refusal
    from pegel.cli.terminal import standard_output

    checked = configuration.check(config)
    if checked.plan is None:
        print_refusal(checked.problems)
        raise typer.Exit(2)
    findings = list(looks(config, checked, Machine(), connect=not offline))
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in findings], indent=2, ensure_ascii=False))
    else:
        typer.echo("\n".join(lines(findings, standard_output())))
    if any(one.level == "problem" for one in findings):
        raise typer.Exit(1)
