"""The CDN's job between a real bucket and a real Prometheus, killed for real: a short telling of `./dev prove`."""

from __future__ import annotations

from pathlib import Path

from engines.conftest import program_or_skip
from engines.delivery import Size, Story

SHORT = Size(rows=4_500, minutes=36, window=12, parts=5, kills=1, life=4.0)


def test_a_killed_runner_on_bad_roads_counts_each_row_once(tmp_path: Path) -> None:
    """And nothing is deleted before the receiver has it and a snapshot knows of it."""
    for name in ("versitygw", "prometheus"):
        program_or_skip(name)
    told = Story(tmp_path, SHORT, seed=5).tell()
    assert told.wrong == []
    assert told.deleted == told.objects > 100
