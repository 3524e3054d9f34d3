"""Memory: what stays for good, and what was freed and should be seen to be free."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable
from typing import Any

_ARENA_MAX = -8
"""What `mallopt` calls the number of arenas, in the header of glibc."""

_COLLECT_AFTER = 20_000
"""New objects between two looks of the garbage collector: a fold fetches thousands of rows, and no row is ever part
of a cycle."""


def _find(name: str) -> Callable[..., Any] | None:
    try:
        function: Callable[..., Any] = getattr(ctypes.CDLL(None), name)
    except (OSError, AttributeError):  # not glibc: its allocator keeps to itself
        return None
    return function


_trim = _find("malloc_trim")
_option = _find("mallopt")


def settle() -> None:
    """After the start: what is loaded stays for good, and the threads to come share one arena.

    The garbage collector need not look at modules and plans again. With an arena for each thread, what the reader
    gives up is of no use to the workers (20 MB of a backlog, measured, and no difference in time).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER)
    if _option is not None:
        _option(_ARENA_MAX, 1)


def give_back() -> None:
    """Return freed pages to the system; glibc keeps those of big batches for ever (200 MB, measured)."""
    if _trim is not None:
        _trim(0)
