"""Points for people: tables, sparklines and charts. Pure functions from points to lines of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from pegel.cli.chart import cells, extremes, fit, legend, line_chart, short, sparkline
from pegel.cli.terminal import Terminal, table
from pegel.cli.timelines import Timelines, additive, columns, group_by, settled, timelines
from pegel.sinks import Histogram, Point, Value
from pegel.sinks.local_points import StoredMetric
from pegel.sinks.safe_text import clean
from pegel.units import show_duration

SHAPE_WIDTH = 24
"""Windows in the small picture of a metric."""

_OPEN = ("…", " ")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_AGES = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


def overview(
    metrics: Sequence[StoredMetric], samples: Mapping[str, Sequence[Point]], now: float, terminal: Terminal
) -> list[str]:
    """A line per metric: its series, its newest window, and the shape of its first value.

    Args:
        metrics: Those of the store.
        samples: Newest points by metric, for the shape.
        now: Seconds since 1970.
        terminal: Where it is printed.
    """
    rows = [
        [
            metric.name,
            f"{metric.series:,}",
            show_duration(metric.width_us / 1e6),
            clock(metric.newest_us, date=True),
            age(metric.newest_us + metric.width_us, now),
            *_shape(samples.get(metric.name, ())),
        ]
        for metric in metrics
    ]
    header = ["metric", "series", "every", "newest (UTC)", "ended", "latest windows", "last", "value"]
    return table(header, rows, [False, True, True, True, True, True, True, False], terminal)


def heading(metric: StoredMetric, points: Sequence[Point], terminal: Terminal) -> list[str]:
    """What is shown: the metric, its sentence, the time and the series that it covers."""
    windows = len({point.start_us for point in points})
    series = len({point.labels for point in points})
    count = f"{windows:,} {'window' if windows == 1 else 'windows'} of {show_duration(metric.width_us / 1e6)}"
    facts = [f"{between(points[0].start_us, points[-1].end_us)} UTC", count]
    facts += [f"{series:,} series"] if series > 1 else []
    title = f"{terminal.bold(metric.name)}  {clean(metric.help)}".rstrip()
    return [title, terminal.dim(" · ".join(facts))]


def grouping(points: Sequence[Point], label: str) -> str:
    """What `--by` did to the values of several series, in words."""
    summed = additive(points)
    added = [name for name, each in summed.items() if each]
    averaged = [name for name, each in summed.items() if not each]
    words = [f"{', '.join(names)} {done}" for names, done in ((added, "added up"), (averaged, "averaged")) if names]
    return f"by {label}: {'; '.join(words)}"


def sparklines(lines: Timelines, terminal: Terminal) -> list[str]:
    """A line of blocks per value and series with its lowest, highest and last value."""
    values = max(map(cells, lines.lines), default=0)
    names = min(30, max([cells(name) for named in lines.lines.values() for name in named], default=0))
    left = values + names + 4 if names else values + 2
    room = max(10, min(60, len(lines.windows), (terminal.width or 100) - left - 36))
    shown = []
    for value, named in lines.lines.items():
        for number, (name, line) in enumerate(named.items()):
            label = fit(clean(value) if not number else "", values) + (f"  {fit(name, names)}" if names else "")
            blocks = terminal.series(number, fit(sparkline(line, room), room))
            shown.append(f"{label}  {blocks}  {terminal.dim(extremes(line))}".rstrip())
    return shown


def charts(lines: Timelines, terminal: Terminal, height: int = 10) -> list[str]:
    """A chart per value, with the lines of its series and a legend."""
    windows = lines.windows
    dates = _several_days(windows[0], windows[-1])
    middle = [windows[len(windows) // 2]] if len(windows) % 2 or len(windows) > 20 else []  # else there is none
    times = [clock(start, date=dates) for start in dict.fromkeys((windows[0], *middle, windows[-1]))]
    shown: list[str] = []
    for value, named in lines.lines.items():
        plot = line_chart(
            named, width=min(terminal.width or 80, 110), height=height, times=times, paint=terminal.series
        )
        marks = legend(named, terminal.series) if list(named) != [""] else [terminal.dim(extremes(named[""]))]
        shown += ["", terminal.bold(clean(value)), *plot, *marks]
    return shown[1:]


def rows(points: Sequence[Point], terminal: Terminal) -> list[str]:
    """The points as a table, oldest first; an open window, whose values will still grow, is marked."""
    labels, values = columns(points)
    dates = terminal.width is None or _several_days(points[0].start_us, points[-1].start_us)
    early = any(point.revision == 0 for point in points)
    body = [
        [
            clock(point.start_us, date=dates) + (" " + _OPEN[point.revision > 0] if early else ""),
            *[dict(point.labels).get(name, "") for name in labels],
            *[figure(point.values[name]) if name in point.values else "" for name in values],
        ]
        for point in points
    ]
    numbers = [all(not isinstance(point.values.get(name), str) for point in points) for name in values]
    header = ["time".ljust(len(body[0][0])), *labels, *values]
    return table(header, body, [True, *[False] * len(labels), *numbers], terminal)


def figure(value: Value | Histogram) -> str:
    """A value in a table: whole numbers whole, others with four digits, a histogram as its count and mean."""
    if isinstance(value, Histogram):
        count = value.counts[-1] if value.counts else 0
        return f"{count:,}" + (f" · ø {short(value.sum / count)}" if count else "")
    if isinstance(value, float):
        return f"{value:,.0f}" if 10_000 <= abs(value) < 1e15 else f"{value:.4g}"
    return value if isinstance(value, str) else f"{value:,}"


def age(us: int, now: float) -> str:
    """How long ago a time was, in its largest unit: `2m ago`; `open` if it is still to come."""
    seconds = now - us / 1e6
    if seconds < 0:
        return "open"
    return next((f"{int(seconds // size)}{unit} ago" for size, unit in _AGES if seconds >= size), "now")


def clock(us: int, *, date: bool = False) -> str:
    """A time in UTC for people: hours and minutes, seconds only where there are some."""
    moment = _EPOCH + timedelta(microseconds=us)
    time = moment.strftime("%H:%M:%S" if moment.second else "%H:%M")
    return f"{moment.date()} {time}" if date else time


def between(first: int, last: int) -> str:
    """From when to when; the date once if it is the same."""
    return f"{clock(first, date=True)} to {clock(last, date=_several_days(first, last))}"


def _several_days(first: int, last: int) -> bool:
    return clock(first, date=True)[:10] != clock(last, date=True)[:10]


def _shape(points: Sequence[Point]) -> list[str]:
    """The sparkline of a metric's first value over all its series, its newest number, and what it is."""
    points = settled(points)
    series = len({point.labels for point in points})
    for name, named in timelines(group_by(points, None)).lines.items() if points else ():
        line = named[""]
        last = next(value for value in reversed(line) if value is not None)
        word = "sum" if additive(points)[name] else "mean"
        what = f"{name}, {word}" if series > 1 else name
        return [sparkline(line[-SHAPE_WIDTH:]), short(last), what]
    return ["", "", ""]
