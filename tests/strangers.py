"""Another user of the machine, for tests of what such a user is told."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_STRANGER = 65534


@contextmanager
def a_folder_for_all() -> Iterator[Path]:
    """A folder that every user may reach, unlike those of pytest."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@contextmanager
def shut_out(path: Path) -> Iterator[None]:
    """Not be able to look into what has the mode 700: as another user, or for one who is not root, by its mode."""
    user = os.geteuid()
    path.chmod(0o700 if user == 0 else 0)
    if user == 0:
        os.seteuid(_STRANGER)
    try:
        yield
    finally:
        os.seteuid(user)
        path.chmod(0o700)
