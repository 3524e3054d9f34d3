"""Where engines are: one complete directory each, keyed by name and version, moved into place by a rename."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


def home(environ: Mapping[str, str] = os.environ) -> Path:
    """`$PEGEL_ENGINES`, or `~/.cache/pegel/engines`."""
    named = environ.get("PEGEL_ENGINES")
    return Path(named) if named else Path.home() / ".cache" / "pegel" / "engines"


@contextmanager
def placing(directory: Path) -> Iterator[Path]:
    """A new directory that becomes `directory` when the block ends well, and vanishes when it does not.

    A second one for the same directory waits for the first, in this process or another; what a run that was
    killed left behind is removed.
    """
    directory.parent.mkdir(parents=True, exist_ok=True)
    with directory.with_name(f".{directory.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        unfinished = directory.with_name(f".{directory.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        try:
            yield unfinished
            if not directory.exists():
                unfinished.rename(directory)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
