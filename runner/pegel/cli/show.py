"""`pegel show`: a configuration with its presets spelled out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

CONFIG = Path("config.toml")


def show(
    config: Annotated[Path, typer.Argument(help="The configuration.", envvar="PEGEL_CONFIG")] = CONFIG,
) -> None:
    """Print a configuration with its presets spelled out.

    The output is one file that means the same: copy from it what you want to change. Secrets are shown as ***,
    references to environment variables stay references.
    """
    from pegel.config.showing import spell_out

    typer.echo(spell_out(config), nl=False)
