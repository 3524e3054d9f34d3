"""Memory that was freed and should be seen to be free."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any


def _find() -> Callable[[int], Any] | None:
    try:
        trim: Callable[[int], Any] = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):  # not glibc: its allocator keeps to itself
        return None
    return trim


_trim = _find()


def give_back() -> None:
    """Return freed pages to the system; glibc keeps those of big batches for ever (200 MB, measured)."""
    if _trim is not None:
        _trim(0)
