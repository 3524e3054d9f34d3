"""Arguments that commands share: the configuration, and the source that is meant."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pegel.plan import SourcePlan

CONFIG = Path("config.toml")

Config = Annotated[Path, typer.Argument(help="The configuration.", envvar="PEGEL_CONFIG")]


def chosen_source(sources: Sequence[SourcePlan], wanted: str | None, purpose: str) -> SourcePlan:
    """The source that a command means: the one that was named, or the only one.

    Args:
        sources: Those of the configuration.
        wanted: What `--source` says.
        purpose: What it is needed for, behind "say with --source which one".

    Raises:
        typer.BadParameter: There is none of this name, or several and nothing is said.
    """
    known = {one.name: one for one in sources}
    if wanted is None and len(known) > 1:
        raise typer.BadParameter(f"say with --source which one {purpose}: {', '.join(known)}")
    chosen = wanted or next(iter(known))
    if chosen not in known:
        raise typer.BadParameter(f"there is no source {chosen}; there are: {', '.join(known)}")
    return known[chosen]
