"""What has changed in the embedded store: new and corrected points, found by looking again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from pegel.cli import points_query as query
from pegel.cli.points_query import Wanted
from pegel.sinks import Point
from pegel.sinks.local_points import LocalPoints, StoredMetric

_FIRST_WINDOWS = 10
"""Windows shown before anything has happened, where nothing else is asked for."""

_MOST_WINDOWS = 240
_MOST_ROWS = 20_000
"""Windows and rows among which corrections are looked for: four hours of minutes, fewer of very many series."""

Stamp = tuple[int, int]
"""Size and time of a file."""

_Key = tuple[int, tuple[tuple[str, str], ...]]


class Changes:
    """What has changed in a store since the last look.

    A store keeps the newest value of each point and no history, so each look compares the newest windows with
    what they were. A window that closes, or is corrected, is one change, however often it changed in between.

    Args:
        path: The store; it may not be there yet.
        pattern: Name of the metric, or a pattern such as `shop_*`.
        wanted: Which points; `since_us` and `last` say what is shown of the past.
        early: Values of open windows too, whenever they have grown.
        stamp: Tells the stamp of a file.
    """

    def __init__(
        self,
        path: Path,
        pattern: str,
        wanted: Wanted,
        *,
        early: bool = False,
        stamp: Callable[[Path], Stamp] | None = None,
    ) -> None:
        self._path = path
        self._pattern = pattern
        self._wanted = wanted
        self._early = early
        self._stamp_of = stamp or stamp_of
        self._stamps: list[Stamp] = []
        self._settled = False
        self._first = True
        self._seen: dict[str, dict[_Key, Point]] = {}

    def news(self, now: float) -> list[Point]:
        """The points that are new or different since the last call, by time and metric.

        The first call gives the past that was asked for.

        Raises:
            PegelError: The store cannot be read, or there is no such label to group by.
        """
        if not self._changed():
            return []
        try:
            store = LocalPoints(self._path)
        except FileNotFoundError:
            self._first = False  # whatever comes is news
            return []
        with store:
            metrics = [metric for metric in store.metrics() if fnmatchcase(metric.name, self._pattern)]
            found = [point for metric in metrics for point in self._of(store, metric, now)]
        self._first = False
        return sorted(found, key=lambda point: (point.start_us, point.metric, point.labels))

    def _changed(self) -> bool:
        """Whether the files have changed, or had at the last look: a write that followed it may bear the same time."""
        stamps = [self._stamp_of(Path(f"{self._path}{suffix}")) for suffix in ("", "-wal")]
        if stamps == self._stamps and self._settled:
            return False
        self._settled = stamps == self._stamps
        self._stamps = stamps
        return True

    def _of(self, store: LocalPoints, metric: StoredMetric, now: float) -> list[Point]:
        count = min(_MOST_WINDOWS, max(2, _MOST_ROWS // max(1, metric.series)))
        recent = self._readable(query.read(store, metric, replace(self._wanted, since_us=None, last=count), now))
        before = self._seen.get(metric.name, {})
        self._seen[metric.name] = {(point.start_us, point.labels): point for point in recent}
        if self._first:
            return self._readable(query.read(store, metric, self._past(), now))
        return [point for point in recent if before.get((point.start_us, point.labels)) != point]

    def _past(self) -> Wanted:
        asked = self._wanted.since_us is not None or self._wanted.last is not None
        return self._wanted if asked else replace(self._wanted, last=_FIRST_WINDOWS)

    def _readable(self, points: Iterable[Point]) -> list[Point]:
        return [point for point in points if self._early or point.revision > 0]


def stamp_of(path: Path) -> Stamp:
    """The stamp of a file; that of a missing one is like no other."""
    try:
        facts = path.stat()
    except OSError:
        return (-1, 0)
    return (facts.st_size, facts.st_mtime_ns)
