"""What a look at something found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """One line of `pegel doctor`.

    Attributes:
        level: `ok`, `note` (worth knowing) or `problem` (it will not work).
        part: What was looked at.
        sentence: What was found.
        advice: What to do about it.
    """

    level: Literal["ok", "note", "problem"]
    part: str
    sentence: str
    advice: str = ""
