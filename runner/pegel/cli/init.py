"""`pegel init`: a commented configuration to begin with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

CONFIG = Path("config.toml")
_MODE = 0o640
"""Not for everybody: a configuration may come to hold a secret."""


def init(
    path: Annotated[Path, typer.Argument(help="The file to write; it must not exist.")] = CONFIG,
    preset: Annotated[str | None, typer.Option(metavar="NAME", help="Begin with this preset.")] = None,
) -> None:
    """Write a commented configuration to begin with.

    Nothing is overwritten. Without --preset the file counts the requests of a web server.

    Examples:
        pegel init --preset ookla
            A configuration for the log of a speed-test server.
        pegel init /etc/pegel/config.toml
            One for a web server, somewhere else.
    """
    from pegel.config.presets import names
    from pegel.config.starting import starter

    if preset is not None and preset not in names():
        raise typer.BadParameter(f'there is no preset "{preset}"; there is {", ".join(names())}', param_hint="--preset")
    text = starter(str(path), preset)
    try:
        path.touch(_MODE, exist_ok=False)
        path.write_text(text, encoding="utf-8")
    except FileExistsError:
        typer.echo(f"pegel: {path} exists already; nothing was written", err=True)
        raise typer.Exit(1) from None
    except OSError as error:
        typer.echo(f"pegel: {path} cannot be written: {(error.strerror or 'unknown reason').lower()}", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"{path} is written; go on with: pegel check {path}")
