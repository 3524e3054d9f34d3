"""What `pegel points` asks the store, and why the answer may be empty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pegel.cli.points_view import SHAPE_WIDTH, age, clock
from pegel.cli.timelines import columns, group_by
from pegel.errors import PegelError
from pegel.sinks import Point
from pegel.sinks.local_points import LocalPoints, StoredMetric

Form = Literal["table", "spark", "csv", "json", "ndjson"]

_HOUR_US = 3_600_000_000
_MAX_SHOWN = 20_000
"""Points that are read for a picture; a script gets all that it asks for."""


@dataclass(frozen=True)
class Wanted:
    """What was asked for.

    Attributes:
        labels: Only series with these.
        since_us: Only windows that start then or later; None for the default, the last hour.
        until_us: Only windows that start before.
        last: Only so many of the newest windows, however old.
        values: Only these values, empty for all.
        by: Label to group by.
        form: How to print.
    """

    labels: dict[str, str] = field(default_factory=dict)
    since_us: int | None = None
    until_us: int | None = None
    last: int | None = None
    values: Sequence[str] = ()
    by: str | None = None
    form: Form = "table"


def find(metrics: Sequence[StoredMetric], name: str, path: Path) -> StoredMetric:
    """The metric of this name.

    Raises:
        PegelError: It has no points; the text says which have.
    """
    names = [metric.name for metric in metrics]
    if name in names:
        return metrics[names.index(name)]
    raise PegelError(f"there are no points of {name} in {path}; {_instead(name, names)}")


def sample(store: LocalPoints, metric: StoredMetric) -> list[Point]:
    """The newest windows of a metric, fewer of them where it has many series."""
    windows = store.newest_windows(metric.name, max(2, min(SHAPE_WIDTH, 2000 // metric.series)))
    return store.points(metric.name, since_us=windows[0])


def read(store: LocalPoints, metric: StoredMetric, wanted: Wanted, now: float) -> list[Point]:
    """The points that were asked for, by time, then labels.

    Raises:
        PegelError: There is no such label to group by; the text says which there are.
    """
    since = wanted.since_us
    if since is None and wanted.last is None and wanted.until_us is None:
        since = int(now * 1e6) - _HOUR_US
    windows = _bounds(store, metric, wanted)
    if windows:
        since = windows[0] if since is None else max(since, windows[0])
    found = store.points(metric.name, wanted.labels, since, wanted.until_us, wanted.values or None)
    found = [point for point in found if point.values]
    return found if wanted.by is None else group_by(found, _label(wanted.by, found))


def why_nothing(store: LocalPoints, metric: StoredMetric, wanted: Wanted, now: float) -> str:
    """Why there is nothing to show, and what would show something."""
    unknown = [name for name in wanted.values if metric.kinds and name not in metric.kinds]
    if unknown:
        return f"{metric.name} has no value {unknown[0]}; {_instead(unknown[0], list(metric.kinds))}"
    if not store.series(metric.name, wanted.labels):
        pairs = " and ".join([f"{name}={value}" for name, value in wanted.labels.items()])
        names = dict.fromkeys([name for series in store.series(metric.name) for name in series])
        return f"{metric.name} has no series with {pairs}; its labels: {', '.join(names) or 'none'}"
    newest = f"{clock(metric.newest_us, date=True)} UTC ({age(metric.newest_us + metric.width_us, now)})"
    chosen = wanted.since_us is not None or wanted.until_us is not None
    when = "in that time" if chosen else "in the last hour"
    return f"no points of {metric.name} {when}; the newest is of {newest}. Is the runner running? See --last 20."


def _bounds(store: LocalPoints, metric: StoredMetric, wanted: Wanted) -> list[int]:
    """The newest windows that are read: as many as were asked for, and no more than a picture can show."""
    counts = [wanted.last] if wanted.last is not None else []
    if wanted.form in ("table", "spark"):
        series = len(store.series(metric.name, wanted.labels))
        counts.append(max(1, _MAX_SHOWN // max(1, series)))
    return store.newest_windows(metric.name, min(counts), wanted.until_us) if counts else []


def _label(by: str, found: Sequence[Point]) -> str:
    labels, _ = columns(found)
    if found and by not in labels:
        raise PegelError(f"{found[0].metric} has no label {by}; {_instead(by, labels)}")
    return by


def _instead(name: str, names: Sequence[str]) -> str:
    """What may have been meant, or all that there is."""
    from difflib import get_close_matches

    close = get_close_matches(name, names, 1) or [each for each in names if name and name in each][:1]
    if close:
        return f"did you mean {close[0]}?"
    return f"there are {', '.join(names[:10])}{', …' if len(names) > 10 else ''}" if names else "there are none"
