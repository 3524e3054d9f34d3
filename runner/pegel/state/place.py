"""Where a state is, for those who look at it from outside: it belongs to the user of the runner, and only to it."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from pegel.errors import StateError


def database(directory: Path) -> Path | None:
    """The database in a state directory; None if there is none yet.

    Raises:
        StateError: It may not be looked at; the sentence says who may.
    """
    path = directory / "state.db"
    return path if is_there(path) else None


def is_there(path: Path) -> bool:
    """Whether there is a file that can be read.

    Raises:
        StateError: It may not be looked at; the sentence says who may.
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise StateError(f"cannot look into {path.parent}: {error.strerror}; ask {who_may(path.parent)}") from error
    if not os.access(path, os.R_OK, effective_ids=os.access in os.supports_effective_ids):
        raise StateError(f"cannot read {path}: Permission denied; ask {who_may(path)}")
    return True


def who_may(path: Path) -> str:
    """Who may look at a path, and the command for that: its owner, or root where that is nobody with a name.

    With DynamicUser= in the unit there is no name while the service is stopped, and the directory is hidden.
    """
    try:
        number = path.stat().st_uid
        owner = pwd.getpwuid(number).pw_name if number else "root"
    except (OSError, KeyError):
        owner = "root"
    return "as root (sudo pegel …)" if owner == "root" else f"as {owner} (sudo -u {owner} pegel …)"
