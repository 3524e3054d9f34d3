"""What a runner takes of its machine, and since when: looked at, never counted."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from pegel.sinks import Value
from pegel.state import snapshots

_PAGES = Path("/proc/self/statm")
"""Only Linux has it."""


def footprint(state: Path) -> dict[str, Value]:
    """Memory and CPU of this process, size of its state, room beside it, and the newest snapshot, if there is one.

    What cannot be looked at is left out.

    Args:
        state: The database.
    """
    found: dict[str, Value] = {"cpu_seconds": round(time.process_time(), 3)}
    with suppress(OSError):
        found["memory_bytes"] = int(_PAGES.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    with suppress(OSError):
        room = os.statvfs(state.parent)
        found |= {"state_bytes": _size(state), "free_bytes": room.f_bavail * room.f_frsize}
    taken = snapshots.taken(state)
    return found if taken is None else {**found, "snapshot_timestamp_seconds": round(taken)}


def _size(state: Path) -> int:
    """Bytes of the database, those included that it has not taken over from its log."""
    journal = state.with_name(f"{state.name}-wal")
    return state.stat().st_size + (journal.stat().st_size if journal.exists() else 0)
