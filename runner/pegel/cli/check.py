"""`pegel check`: everything that is wrong with a configuration, before anything starts."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from pegel.cli.arguments import CONFIG, Config

if TYPE_CHECKING:
    from pegel.config import Checked, Problem


def check(
    config: Config = CONFIG,
    as_json: Annotated[bool, typer.Option("--json", help="Print problems and warnings as JSON.")] = False,
    connect: Annotated[
        bool, typer.Option("--connect", help="Try every sink and enricher too: address, rights, clock; up to 10 s.")
    ] = False,
) -> None:
    """Say everything that is wrong with a configuration.

    Nothing is opened, started or changed. Problems come in the order of the file, all at once. With `--connect`
    whatever the configuration depends on is tried as well, everything at once; nothing is stored there.

    Examples:
        pegel check
            config.toml in this directory.
        pegel check /etc/pegel/config.toml --json
            For editors and scripts.
        pegel check --connect
            Before the first start: is the token right, does the server answer?

    Exit codes:
        1: the file is fine, but an endpoint is not (with --connect)
    """
    from pegel import config as configuration

    checked = configuration.check(config)
    failed = _tried(checked) if connect and checked.plan is not None else []
    if as_json:
        typer.echo(json.dumps(_facts(checked, failed), ensure_ascii=False, indent=2))
    else:
        _print(checked, failed)
    if checked.plan is None:
        raise typer.Exit(2)
    if failed:
        raise typer.Exit(1)


def _tried(checked: Checked) -> list[Problem]:
    """What is wrong outside, each at the entry that depends on it."""
    from pegel.cli.probing import probe_all

    answers = probe_all(checked.endpoints)
    return [endpoint.problem(sentence) for endpoint, sentences in answers for sentence in sentences]


def _facts(checked: Checked, failed: list[Problem]) -> list[dict[str, str | int]]:
    found = [("error", problem) for problem in checked.problems]
    found += [("warning", problem) for problem in checked.warnings]
    found += [("endpoint", problem) for problem in failed]
    return [{"severity": severity, **problem.as_json()} for severity, problem in found]


def _print(checked: Checked, failed: list[Problem]) -> None:
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
    print_problems(failed, sys.stderr)
    if failed:
        typer.echo(f"{', '.join(parts)}; the file is fine, {_count(len(failed), 'problem')} outside", err=True)
    else:
        typer.echo(f"{', '.join(parts)}; fine")
    for source in plan.sources:
        for doubt in source.source.doubts(SystemFiles()):
            typer.echo(f"note: {source.name}: {doubt}", err=True)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
