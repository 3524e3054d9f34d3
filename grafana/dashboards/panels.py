"""The kinds of panels that our dashboards use, with the settings that make them readable on a phone and on a wall."""

from __future__ import annotations

from typing import Any

from dashboards.model import FLUX, INFLUXQL, PROMETHEUS, Json, Level, Panel, Source, Target

LEGEND: dict[str, Json] = {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}


def promql(
    text: str, legend: str = "", *, table: bool = False, instant: bool = False, source: Source = PROMETHEUS
) -> Target:
    """A query of Prometheus; a table is always one of the present moment."""
    now = instant or table
    settings: dict[str, Json] = {
        "editorMode": "code",
        "format": "table" if table else "time_series",
        "instant": now,
        "range": not now,
        "legendFormat": legend or "__auto",
    }
    return Target(source, text, settings)


def flux(text: str) -> Target:
    """A query of InfluxDB in Flux; the bucket is `v.defaultBucket`."""
    return Target(FLUX, text.strip())


def influxql(text: str, alias: str = "") -> Target:
    """A query of InfluxDB in InfluxQL."""
    settings: dict[str, Json] = {"rawQuery": True, "resultFormat": "time_series", "alias": alias}
    return Target(INFLUXQL, text, settings)


def timeseries(*, stack: str = "none", bars: bool = False, legend: dict[str, Json] = LEGEND, **panel: Any) -> Panel:
    """Lines over time, or bars; `stack` is `none`, `normal` or `percent`. Gaps stay gaps."""
    custom: dict[str, Json] = {
        "drawStyle": "bars" if bars else "line",
        "fillOpacity": 70 if bars or stack != "none" else 10,
        "lineWidth": 1 if bars else 2,
        "showPoints": "never" if bars else "auto",
        "spanNulls": False,
        "stacking": {"mode": stack, "group": "A"},
        **panel.pop("custom", {}),
    }
    options = {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}, **panel.pop("options", {})}
    return Panel(kind="timeseries", custom=custom, options=options, **({"width": 12, "height": 9} | panel))


def stat(*, curve: bool = False, names: bool = False, **panel: Any) -> Panel:
    """One number (or word) for each series, large; `names` writes the name of the series beside it."""
    colored = bool(panel.get("levels"))
    options: dict[str, Json] = {
        "colorMode": "background" if colored else "value",
        "graphMode": "area" if curve else "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "textMode": "value_and_name" if names else "value",
        "wideLayout": True,
        **panel.pop("options", {}),
    }
    return Panel(kind="stat", options=options, **({"width": 4, "height": 5} | panel))


def in_time(*, late: float, no: float, **panel: Any) -> Panel:
    """Yes, late or no in the place of an age: `late` and `no` are the seconds from which it is that."""
    levels = [Level(None, "yes", "green"), Level(late, "late", "yellow"), Level(no, "no", "red")]
    return stat(unit="s", words=True, levels=levels, **({"width": 6} | panel))


def table(**panel: Any) -> Panel:
    """Rows and columns; the units of columns are overrides."""
    custom: dict[str, Json] = {
        "align": "auto",
        "cellOptions": {"type": "auto"},
        "inspect": False,
        **panel.pop("custom", {}),
    }
    options: dict[str, Json] = {"showHeader": True, "cellHeight": "sm", **panel.pop("options", {})}
    return Panel(kind="table", custom=custom, options=options, **({"width": 12, "height": 11} | panel))


def bargauge(**panel: Any) -> Panel:
    """One bar for each row or series, from left to right, with its number."""
    options: dict[str, Json] = {
        "displayMode": "basic",
        "orientation": "horizontal",
        "minVizHeight": 16,
        "minVizWidth": 8,
        "namePlacement": "left",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "showUnfilled": True,
        "sizing": "auto",
        "valueMode": "color",
        **panel.pop("options", {}),
    }
    return Panel(kind="bargauge", options=options, **({"width": 8, "height": 11, "minimum": 0} | panel))


def state_timeline(**panel: Any) -> Panel:
    """Which state each series was in, and when; states have words, so give `levels` with `words`, or `texts`."""
    custom: dict[str, Json] = {"fillOpacity": 75, "lineWidth": 0, **panel.pop("custom", {})}
    options: dict[str, Json] = {
        "mergeValues": True,
        "showValue": "auto",
        "alignValue": "left",
        "rowHeight": 0.9,
        "legend": LEGEND,
        "tooltip": {"mode": "single", "sort": "none"},
        **panel.pop("options", {}),
    }
    return Panel(kind="state-timeline", custom=custom, options=options, **({"width": 24, "height": 6} | panel))
