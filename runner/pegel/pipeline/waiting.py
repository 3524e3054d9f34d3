"""Points begin to wait for a sink: of each series and window the newest, whatever came first."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from pegel.sinks import Point
from pegel.sinks.points import merge, pack, unpack
from pegel.state.outbox import Outbox


def put(
    outbox: Outbox,
    sink: str,
    points: Iterable[Point],
    now: int,
    *,
    older: bool = False,
    turn: int | None = None,
) -> None:
    """Let points wait, in the place of older ones that have not left; part of the running transaction.

    Args:
        outbox: Where they wait.
        sink: For whom.
        points: In any order.
        now: Wall clock in us.
        older: Those that wait already are newer where revisions are equal.
        turn: Number of the oldest commit that is in them; None for the running one.
    """
    for (metric, pane), group in groupby(sorted(points, key=_window), key=_window):
        window = list(group)
        waiting = outbox.waiting(sink, metric, pane)
        if waiting is not None:
            window = merge(window, unpack(waiting)) if older else merge(unpack(waiting), window)
        outbox.put(sink, metric, pane, pack(window), len(window), now, turn)


def _window(point: Point) -> tuple[str, int]:
    return (point.metric, point.start_us)
