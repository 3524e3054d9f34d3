"""The one positional argument of every command: the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

CONFIG = Path("config.toml")

Config = Annotated[Path, typer.Argument(help="The configuration.", envvar="PEGEL_CONFIG")]
