"""The long proof of the CDN's job: 200,000 rows between a real bucket and a real Prometheus."""

from __future__ import annotations

import tempfile
from pathlib import Path

from engines.catalog import program
from engines.delivery import Size, Story, Told

PARTS = 12
"""In which the objects come; each is a quarter of an hour, and the receiver is away for four of them."""


def missing() -> str:
    """The servers that are not installed; empty if all are."""
    lacking = []
    for name in ("versitygw", "prometheus"):
        try:
            program(name)
        except FileNotFoundError:
            lacking.append(name)
    return f"./dev engines {' '.join(lacking)}" if lacking else ""


def prove(*, seed: int, rows: int, kills: int) -> Told:
    """Tell the story once; its directory is kept where something was wrong."""
    place = tempfile.mkdtemp(prefix="pegel-cdn77-")
    size = Size(rows=rows, minutes=190, window=120, parts=PARTS, kills=-(-kills // PARTS), life=8.0)
    told = Story(Path(place), size, seed).tell()
    told.keep_or_remove(Path(place))
    return told
