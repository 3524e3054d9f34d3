"""`pegel schema`: the configuration language, for editors."""

from __future__ import annotations

import json

import typer


def schema() -> None:
    """Print the JSON Schema of the configuration, for editors.

    With it an editor completes options, shows what they mean and marks what is wrong. Write it to a file and name
    that file in the first line of a configuration: `#:schema pegel.schema.json`.

    Examples:
        pegel schema > pegel.schema.json
            Once, and again after each update of Pegel.
    """
    from pegel.config.schema import schema as made

    typer.echo(json.dumps(made(), ensure_ascii=False, indent=2))
