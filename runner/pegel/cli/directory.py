"""The state directory of a configuration, found without loading the whole plan."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

from pegel.errors import StateError


def state_directory(config: Path) -> Path:
    """The directory from `PEGEL_STATE`, else from the configuration, else the default.

    Raises:
        StateError: There is no configuration to look into.
    """
    if "PEGEL_STATE" in os.environ:
        return Path(os.environ["PEGEL_STATE"])
    try:
        text = config.read_text(encoding="utf-8")
    except OSError as error:
        raise StateError(
            f"cannot read {config}: {error.strerror}; name a configuration, or a directory with --state"
        ) from error
    try:
        runner = tomllib.loads(text).get("runner", {})
    except tomllib.TOMLDecodeError as error:
        raise StateError(f"{config} is not valid TOML ({error}); pegel check says more") from error
    found = runner.get("state", "pegel-state")
    return Path(os.path.expandvars(str(found)))
