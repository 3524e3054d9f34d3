"""`pegel doctor`: everything around the runner that can keep it from working, and what to do about it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pegel.cli.arguments import CONFIG, Config

if TYPE_CHECKING:
    from pegel.cli.doctor_looks import Machine
    from pegel.cli.findings import Finding


def doctor(
    config: Config = CONFIG,
    as_json: Annotated[bool, typer.Option("--json", help="The findings, for machines.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Do not try sinks and enrichers.")] = False,
    stack: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="A docker compose project of this host; the current directory, if it is one."),
    ] = None,
) -> None:
    """Look at everything around the runner and say what would keep it from working, or why nothing arrives.

    Versions, the configuration and its mode, the state directory (owner, mode, file system, room), the files of
    every source (which, how big, readable for this user), the clock (beside that of each store, too), sinks and
    enrichers, the ports (who has them, who fetches the pages), the systemd unit. For every metric that has had no
    number for an hour: the first place where it stops between source, counting, windows and store, and why. Where
    a docker compose project is, the ports that it publishes. Nothing is changed, and no secret is printed. Run it
    as the user that the service runs as: rights are looked at for whoever asks.

    Examples:
        pegel doctor /etc/pegel/config.toml
            When nothing arrives, or before the first start.
        sudo -u ookla pegel doctor /etc/pegel/config.toml
            With the eyes of the user that the service runs as.
        docker compose exec runner pegel doctor
            In the stack: from where the runner sees the stores.
        pegel doctor --stack /opt/pegel
            On the host of the stack: are the ports free that it publishes?
        pegel doctor --json --offline
            For a script, on a machine without network.

    Exit codes:
        1: there is a problem
    """
    from pegel import config as configuration
    from pegel.cli.doctor_looks import Machine, looks
    from pegel.cli.problems import print_refusal

    machine = Machine()
    of_stack = _stack(stack, machine)
    if stack is not None and not config.exists():
        _print(of_stack, as_json=as_json)
        return
    checked = configuration.check(config)
    if checked.plan is None:
        print_refusal(checked.problems)
        typer.echo("a runner that runs already goes on with the file as it was; a restart would end it", err=True)
        raise typer.Exit(2)
    _print([*looks(config, checked, machine, connect=not offline), *of_stack], as_json=as_json)


def _stack(directory: Path | None, machine: Machine) -> list[Finding]:
    """What the host has for the stack, where there is one."""
    from pegel.cli.compose import project_file

    if directory is None and project_file(Path()) is None:
        return []
    from pegel.cli.doctor_stack import stack_findings

    return list(stack_findings(directory or Path(), os.environ, machine.ports))


def _print(findings: Sequence[Finding], *, as_json: bool) -> None:
    """Print findings; the exit code is the verdict."""
    from pegel.cli.doctor_screen import lines
    from pegel.cli.terminal import standard_output

    if as_json:
        typer.echo(json.dumps([asdict(one) for one in findings], indent=2, ensure_ascii=False))
    else:
        typer.echo("\n".join(lines(findings, standard_output())))
    if any(one.level == "problem" for one in findings):
        raise typer.Exit(1)
