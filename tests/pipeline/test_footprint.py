"""What a runner takes of its machine."""

from __future__ import annotations

from pathlib import Path

from pegel.pipeline.footprint import footprint


def test_a_state_that_is_gone_leaves_out_what_nobody_can_know(tmp_path: Path) -> None:
    """Whoever deletes the state of a running runner should read that in its log, not in a traceback of its metrics."""
    found = footprint(tmp_path / "gone" / "state.db")
    assert found.keys() == {"cpu_seconds", "memory_bytes"}


def test_the_older_snapshot_counts_while_the_newest_one_is_moved(tmp_path: Path) -> None:
    """A look that falls between two renames must not see a runner without snapshots."""
    state = tmp_path / "state.db"
    state.touch()
    state.with_name("state.db.snapshot-1").touch()
    assert "snapshot_timestamp_seconds" in footprint(state)


def test_what_is_still_in_the_journal_belongs_to_the_state(tmp_path: Path) -> None:
    """A young state is all journal; a snapshot of it needs that room."""
    state = tmp_path / "state.db"
    state.write_bytes(bytes(10))
    state.with_name("state.db-wal").write_bytes(bytes(90))
    assert footprint(state)["state_bytes"] == 100
