"""`pegel check`: everything that is wrong with a configuration, before anything starts."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from pegel.cli.arguments import CONFIG, Config

if TYPE_CHECKING:
    from pegel.config import Checked


def check(
    config: Config = CONFIG,
    as_json: Annotated[bool, typer.Option("--json", help="Print problems and warnings as JSON.")] = False,
) -> None:
    """Say everything that is wrong with a configuration.

    Nothing is opened, started or changed. Problems come in the order of the file, all at once.

    Examples:
        pegel check
            config.toml in this directory.
        pegel check /etc/pegel/config.toml --json
            For editors and scripts.
    """
    from pegel import config as configuration

    checked = configuration.check(config)
    if as_json:
        typer.echo(json.dumps(_facts(checked), ensure_ascii=False, indent=2))
    else:
        _print(checked)
    if checked.plan is None:
        raise typer.Exit(2)


def _facts(checked: Checked) -> list[dict[str, str | int]]:
    found = [("error", problem) for problem in checked.problems]
    found += [("warning", problem) for problem in checked.warnings]
    return [{"severity": severity, **problem.as_json()} for severity, problem in found]


def _print(checked: Checked) -> None:
    from pegel.cli.problems import print_problems, print_refusal
    from pegel.seams import SystemFiles

    print_problems(checked.warnings, sys.stderr, warning=True)
    if checked.plan is None:
        print_refusal(checked.problems)
        return
    plan = checked.plan
    parts = [
        _count(len(plan.sources), "source"),
        _count(len(plan.metrics), "metric"),
        _count(len(plan.sinks), "sink"),
    ]
    if checked.warnings:
        parts.append(_count(len(checked.warnings), "warning"))
    typer.echo(f"{', '.join(parts)}; fine")
    for source in plan.sources:
        for doubt in source.source.doubts(SystemFiles()):
            typer.echo(f"note: {source.name}: {doubt}", err=True)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
