"""What the user who asks may do with a file."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

_SIGNS_OF_A_CONTAINER = (Path("/.dockerenv"), Path("/run/.containerenv"))


def _contained() -> bool:
    return any(sign.exists() for sign in _SIGNS_OF_A_CONTAINER)


def _allowed(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


@dataclass(frozen=True)
class Rights:
    """The rights of one user; access lists count, the kernel is asked.

    Attributes:
        user: Number of the user.
        allowed: Whether the user may do something (os.R_OK, …) with a path.
        contained: Whether all this is in a container, where whoever can change rights is outside.
    """

    user: int = field(default_factory=os.geteuid)
    allowed: Callable[[Path, int], bool] = _allowed
    contained: bool = field(default_factory=_contained)

    @property
    def name(self) -> str:
        """Of the user."""
        return self.name_of(self.user)

    def may_read(self, path: Path) -> bool:
        """Whether a file can be opened."""
        return self.allowed(path, os.R_OK)

    def may_write(self, path: Path) -> bool:
        """Whether something can be made in a directory."""
        return self.allowed(path, os.W_OK | os.X_OK)

    def closed_door(self, path: Path) -> Path | None:
        """The first directory on the way to a path that the user may not pass."""
        way = [*reversed(path.absolute().parents)]
        return next((one for one in way if one.exists() and not self.allowed(one, os.X_OK)), None)

    @staticmethod
    def name_of(number: int) -> str:
        """Name of a user, or the number where there is none."""
        try:
            return pwd.getpwuid(number).pw_name
        except KeyError:
            return str(number)

    @staticmethod
    def group_of(path: Path) -> str:
        """Name of the group of a file."""
        number = path.stat().st_gid
        try:
            return grp.getgrgid(number).gr_name
        except KeyError:
            return str(number)
