"""`pegel plan`: what a changed configuration does to a state, before anything happens."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pegel.cli.arguments import CONFIG, Config
from pegel.cli.manual import FAILED, STATE_REFUSED
from pegel.cli.terminal import Terminal, standard_output

if TYPE_CHECKING:
    from pegel.pipeline.changes import Remembered
    from pegel.pipeline.telling import Line

_COUNTED = {"=": "unchanged", "+": "new", "-": "gone", "~": "changed", "!": "to think about"}


def plan(
    config: Config = CONFIG,
    directory: Annotated[
        Path | None, typer.Option("--state", help="The state directory, instead of the configured one.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The lines as JSON.")] = False,
    refuse_loss: Annotated[
        bool, typer.Option("--refuse-loss", help="Exit with 1 if a line is marked with !, for scripts.")
    ] = False,
) -> None:
    """Say what a changed configuration would do to the state.

    Nothing is changed; it may be asked beside a running runner. Each source, metric and sink has a line with a
    mark: = goes on as before, + is new, - is gone, ~ is changed, ! loses something or needs a decision.

    What run would do is decided by the same code; when run takes a changed configuration over, it logs the same
    sentences.

    Examples:
        pegel plan new.toml
            What would happen if new.toml took over.
        pegel plan new.toml --refuse-loss && mv new.toml config.toml
            Take it over only if nothing is lost.

    Exit codes:
        1: with --refuse-loss: something would be lost
        3: the state is refused, or run would refuse the configuration on it
    """
    from pegel.config import load
    from pegel.pipeline.changes import decide
    from pegel.pipeline.telling import tell

    new = load(config)
    where = directory or new.runner.state
    remembered = _remembered(where)
    changes = decide(remembered, new)
    lines = tell(changes)
    if as_json:
        typer.echo(json.dumps([_facts(line) for line in lines], ensure_ascii=False, indent=2))
    else:
        if not remembered.sources and not remembered.standings:
            typer.echo(f"no configuration was run on {where} yet; all of this one begins anew")
        _print(lines, standard_output())
    if any(one.kind == "refused" for one in changes.sources):
        raise typer.Exit(STATE_REFUSED)
    if refuse_loss and any(line.loses for line in lines):
        raise typer.Exit(FAILED)


def _remembered(directory: Path) -> Remembered:
    """What the state knows; nothing where there is none yet."""
    from pegel.pipeline.changes import Remembered
    from pegel.pipeline.registry import remembered
    from pegel.state.place import database
    from pegel.state.report import looking

    if database(directory) is None:
        return Remembered()
    with looking(directory) as connection:
        return remembered(connection)


def _facts(line: Line) -> dict[str, str | bool]:
    return {"mark": line.mark, "what": line.what, "name": line.name, "sentence": line.sentence, "loses": line.loses}


def _print(lines: Sequence[Line], terminal: Terminal) -> None:
    width = max(len(f"{line.what} {line.name}") for line in lines)
    for line in lines:
        text = f"{line.mark} {f'{line.what} {line.name}':{width}}  {line.sentence}"
        typer.echo(terminal.dim(text) if line.mark == "=" else terminal.bold(text) if line.loses else text)
    counts = Counter(line.mark for line in lines)
    typer.echo(", ".join(f"{counts[mark]} {word}" for mark, word in _COUNTED.items() if counts[mark]))
