"""`pegel show`: a configuration with its presets spelled out."""

from __future__ import annotations

import typer

from pegel.cli.arguments import CONFIG, Config


def show(
    config: Config = CONFIG,
) -> None:
    """Print a configuration with its presets spelled out.

    The output is one file that means the same: copy from it what you want to change. Secrets are shown as ***,
    references to environment variables stay references.

    Examples:
        pegel show
            What config.toml really says.
        pegel show config.toml > spelled-out.toml
            A file to change freely, without the preset.
    """
    from pegel.config.showing import spell_out

    typer.echo(spell_out(config), nl=False)
