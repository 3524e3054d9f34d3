"""Durations and sizes: strings with a unit in the config ("90s", "64MiB"), numbers inside."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import NewType

Duration = NewType("Duration", float)
"""Seconds."""

Size = NewType("Size", int)
"""Bytes."""

DURATION_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
"""Seconds by unit."""

SIZE_UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "kB": 10**3, "MB": 10**6, "GB": 10**9}
"""Bytes by unit."""


_LONGEST = 1000 * 366 * 86400
"""Seconds; a longer time is a slip, and would not fit beside the others."""


def duration(text: str) -> Duration:
    """Read a duration such as `500ms`, `90s`, `2h` or `1h30m`.

    Raises:
        ValueError: The text has no unit or an unknown one; the message names those that exist.
    """
    parts = re.findall(r"(\d+(?:\.\d+)?)([a-z]+)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(
            f'"{text}" is not a duration; write a number and a unit ({", ".join(DURATION_UNITS)}), such as "90s"'
        )
    for _, unit in parts:
        if unit not in DURATION_UNITS:
            raise ValueError(f'"{unit}" is not a unit of time; there are {", ".join(DURATION_UNITS)}')
    seconds = sum(float(number) * DURATION_UNITS[unit] for number, unit in parts)
    if seconds > _LONGEST:
        raise ValueError(f'"{_short(text)}" is longer than a thousand years')
    return Duration(seconds)


def size(text: str) -> Size:
    """Read a size such as `64MiB` or `500kB`.

    Raises:
        ValueError: The text has no unit or an unknown one; the message names those that exist.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([A-Za-z]+)", text)
    if match is None or match[2] not in SIZE_UNITS:
        raise ValueError(
            f'"{text}" is not a size; write a number and a unit ({", ".join(SIZE_UNITS)}), such as "64MiB"'
        )
    count = float(match[1]) * SIZE_UNITS[match[2]]
    if count >= 2**63:
        raise ValueError(f'"{_short(text)}" is more than any machine has')
    return Size(int(count))


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:30]}..."


def show_duration(seconds: float) -> str:
    """Write a duration the way the config would: the largest unit that gives a whole number."""
    for unit in ("d", "h", "m", "s", "ms"):
        count = seconds / DURATION_UNITS[unit]
        if count >= 1 and abs(count - round(count)) < 1e-9:
            return f"{round(count)}{unit}"
    return f"{seconds:g}s"


def show_size(count: float) -> str:
    """Write a number of bytes for people: `1.5 MiB`."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


def show_moment(us: float) -> str:
    """Write a time (microseconds since 1970) for people, to the second, in UTC: `2026-03-03 12:00:00`."""
    return datetime.fromtimestamp(us / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S")
