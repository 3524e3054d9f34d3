"""`pegel test`: the tests that a configuration brings along."""

# ruff: noqa: PT028 - a command, and no test

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pegel.cli.arguments import CONFIG, Config
from pegel.cli.manual import FAILED
from pegel.cli.terminal import Terminal, standard_output
from pegel.sinks.safe_text import clean

_LONGEST = 1000
"""Characters of a line; what came from a log is cut there."""

if TYPE_CHECKING:
    from pegel.pipeline.cases import Difference, Verdict
    from pegel.plan import Case


def test(
    config: Config = CONFIG,
    only: Annotated[str, typer.Option(metavar="TEXT", help="Only tests with this in their names.")] = "",
    preset: Annotated[str | None, typer.Option(metavar="NAME", help="The tests of a preset instead.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Names, verdicts and differences as JSON.")] = False,
) -> None:
    """Run the tests of a configuration.

    Each [[tests]] entry has records and the points that they must make. They run through the real pipeline with a
    state that is thrown away; the sources' logs, the state and the sinks are not touched. docs/configuration.md
    says how to write them; tests in conf.d/tests.toml keep the configuration itself short.

    Examples:
        pegel test
            All tests of config.toml.
        pegel test --only token
            Those with "token" in their names.
        pegel test --preset ookla
            Those that come with the preset.

    Exit codes:
        1: a test failed, or there is none
    """
    from pegel.config import load
    from pegel.pipeline.cases import judge

    plan = load(_shipped(preset) if preset else config)
    cases = [case for case in plan.tests if only.lower() in case.name.lower()]
    if not cases:
        typer.echo(_nothing(plan.tests, only), err=True)
        raise typer.Exit(FAILED)
    verdicts = []
    for case in cases:
        verdict = judge(plan, case)
        verdicts.append(verdict)
        if not as_json:
            typer.echo("\n".join(_lines(verdict, standard_output())))
    if as_json:
        typer.echo(json.dumps([_facts(one) for one in verdicts], ensure_ascii=False, indent=2))
    else:
        typer.echo(_summary(verdicts))
    if not all(verdict.passed for verdict in verdicts):
        raise typer.Exit(FAILED)


def _shipped(preset: str) -> Path:
    from pegel.config.presets import names, shipped_tests

    if preset not in names():
        raise typer.BadParameter(f"there is no preset {preset}; there is {', '.join(names())}")
    return shipped_tests(preset)


def _nothing(tests: Sequence[Case], only: str) -> str:
    if tests:
        return f'none of {len(tests)} tests has "{only}" in its name'
    return "there is no test; write one as [[tests]] with input and points (docs/configuration.md)"


def _lines(verdict: Verdict, terminal: Terminal) -> Iterator[str]:
    if verdict.passed:
        yield f"{terminal.dim('ok')}    {clean(verdict.case.name)}"
        return
    yield f"{terminal.bold('FAIL')}  {terminal.bold(clean(verdict.case.name))}"
    for difference in verdict.differences:
        for line in _told(difference):
            yield f"      {clean(line, _LONGEST)}"


def _told(difference: Difference) -> Iterator[str]:
    if difference.expected is not None:
        word = "missing" if difference.got is None else "expected"
        yield f"{difference.where}: {word:8}  {difference.expected}"
    if difference.got is not None:
        word = "surplus" if difference.expected is None else "got"
        yield f"{difference.where}: {word:8}  {difference.got}"
    for sentence in difference.wrong:
        yield f"{difference.where}: {sentence}"


def _facts(verdict: Verdict) -> dict[str, Any]:
    return {
        "name": verdict.case.name,
        "passed": verdict.passed,
        "differences": [
            {"where": one.where, "expected": one.expected, "got": one.got, "wrong": list(one.wrong)}
            for one in verdict.differences
        ],
    }


def _summary(verdicts: Sequence[Verdict]) -> str:
    failed = sum(not verdict.passed for verdict in verdicts)
    passed = len(verdicts) - failed
    return f"{passed} passed" + (f", {failed} failed" if failed else "")
