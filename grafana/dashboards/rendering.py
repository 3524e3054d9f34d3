"""A dashboard as the JSON that Grafana reads: identifiers, the grid, and the same words in the same places always."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import count, pairwise
from string import ascii_uppercase

from dashboards.model import Annotation, Dashboard, Json, Level, Link, Override, Panel, Row, Source, Target, Variable

SCHEMA_VERSION = 42
COLUMNS = 24
QUESTION_HEIGHT = 2

Object = dict[str, Json]


def text(dashboard: Dashboard) -> str:
    """The content of its file."""
    return json.dumps(render(dashboard), indent=2, ensure_ascii=False) + "\n"


def render(dashboard: Dashboard) -> Object:
    """Grafana's classic dashboard."""
    picker: Object = {"nowDelay": dashboard.now_delay} if dashboard.now_delay else {}
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": dashboard.question,
        "tags": list(dashboard.tags),
        "schemaVersion": SCHEMA_VERSION,
        "editable": False,
        "graphTooltip": 1,
        "time": {"from": dashboard.start, "to": "now"},
        "timepicker": picker,
        "timezone": dashboard.timezone,
        "refresh": dashboard.refresh,
        "links": [_top_link(link) for link in dashboard.links],
        "templating": {"list": [_variable(variable) for variable in dashboard.variables]},
        "annotations": {"list": [_annotation(annotation) for annotation in dashboard.annotations]},
        "panels": list(_panels(dashboard)),
    }


# -- the grid -------------------------------------------------------------------------------------------------------


def _panels(dashboard: Dashboard) -> Iterator[Object]:
    numbers = count(1)
    yield _question(dashboard, next(numbers))
    y = QUESTION_HEIGHT
    for row in dashboard.rows:
        heading: Object = {
            "id": next(numbers),
            "type": "row",
            "title": row.title,
            "collapsed": row.collapsed,
            "gridPos": _place(0, y, COLUMNS, 1),
        }
        y += 1
        placed = [
            _panel(panel, next(numbers), _place(x, y + dy, width, height))
            for panel, x, dy, width, height in _lines(row)
        ]
        yield {**heading, "panels": placed if row.collapsed else []}
        if not row.collapsed:
            yield from placed
            y += max((dy + height for _, _, dy, _, height in _lines(row)), default=0)


def _lines(row: Row) -> Iterator[tuple[Panel, int, int, int, int]]:
    """Each panel with its place in the row; all of a line are as high as the highest."""
    line: list[Panel] = []
    y = 0
    for panel in [*row.panels, None]:
        if panel is None or sum(one.width for one in line) + panel.width > COLUMNS:
            height = max((one.height for one in line), default=0)
            x = 0
            for one in line:
                yield one, x, y, one.width, height
                x += one.width
            y += height
            line = []
        if panel is not None:
            line.append(panel)


def _place(x: int, y: int, width: int, height: int) -> Object:
    return {"x": x, "y": y, "w": width, "h": height}


# -- panels -----------------------------------------------------------------------------------------------------------


def _question(dashboard: Dashboard, number: int) -> Object:
    return {
        "id": number,
        "type": "text",
        "title": "",
        "transparent": True,
        "gridPos": _place(0, 0, COLUMNS, QUESTION_HEIGHT),
        "options": {"mode": "markdown", "content": f"**{dashboard.question}**"},
    }


def _panel(panel: Panel, number: int, place: Object) -> Object:
    made: Object = {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": _described(panel),
        "gridPos": place,
        "datasource": _source(panel.targets[0].source),
        "targets": [
            {"refId": letter, **_target(target)} for letter, target in zip(ascii_uppercase, panel.targets, strict=False)
        ],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": [_override(one) for one in panel.overrides]},
        "options": dict(panel.options),
        "transformations": list(panel.transformations),
    }
    optional: Object = {
        "interval": panel.interval,
        "timeFrom": panel.looks_back,
        "maxDataPoints": panel.max_points,
    }
    return {**made, **{name: value for name, value in optional.items() if value}}


def _described(panel: Panel) -> str:
    """A colour is said in words, too."""
    if not panel.levels:
        return panel.description
    first, *rest = panel.levels
    words = [first.word, *(f"{level.word} from {level.start:g}" for level in rest)]
    return f"{panel.description}\n\nLevels: {', '.join(words)}."


def _defaults(panel: Panel) -> Object:
    made: Object = {
        "unit": panel.unit,
        "noValue": panel.no_value,
        "color": {"mode": "thresholds" if panel.levels else panel.color},
        "custom": dict(panel.custom),
        "mappings": [*_words(panel.levels if panel.words else ()), *_texts(panel)],
        "thresholds": {"mode": "absolute", "steps": _steps(panel.levels)},
        "links": [_link(link) for link in panel.links],
    }
    optional: Object = {
        "displayName": panel.label or None,
        "decimals": panel.decimals,
        "min": panel.minimum,
        "max": panel.maximum,
    }
    return {**made, **{name: value for name, value in optional.items() if value is not None}}


def _steps(levels: Sequence[Level]) -> list[Json]:
    return [{"color": level.color, "value": level.start} for level in levels] or [{"color": "blue", "value": None}]


def _words(levels: Sequence[Level]) -> Iterator[Json]:
    """The highest first: a value on a bound belongs to the level above it."""
    starts = [level.start for level in levels]
    for index, (level, (start, end)) in enumerate(reversed(list(zip(levels, pairwise([*starts, None]), strict=True)))):
        result: Object = {"text": level.word, "color": level.color, "index": index}
        yield {"type": "range", "options": {"from": start, "to": end, "result": result}}


def _texts(panel: Panel) -> Iterator[Json]:
    if panel.texts:
        yield {
            "type": "value",
            "options": {
                value: {"text": text, "index": index} for index, (value, text) in enumerate(panel.texts.items())
            },
        }


def _override(override: Override) -> Object:
    matcher = "byRegexp" if override.name.startswith("/") else "byName"
    links: list[Json] = [{"id": "links", "value": [_link(link) for link in override.links]}] if override.links else []
    properties: list[Json] = [{"id": name, "value": value} for name, value in override.properties.items()]
    return {"matcher": {"id": matcher, "options": override.name}, "properties": [*properties, *links]}


def _target(target: Target) -> Object:
    word = "expr" if target.source.type == "prometheus" else "query"
    return {"datasource": _source(target.source), word: target.text, **target.settings}


def _source(source: Source) -> Object:
    return {"type": source.type, "uid": source.uid}


def _link(link: Link) -> Object:
    return {"title": link.title, "url": link.address, "targetBlank": not link.url.startswith("/")}


# -- what stands above the panels -------------------------------------------------------------------------------------


def _top_link(link: Link) -> Object:
    """In the bar; it takes the time range along by itself, and only the variables that it names.

    All of them would be too many: two dashboards may mean different things by one name.
    """
    chosen = "&".join(f"${{{name}:queryparam}}" for name in link.variables)
    return {
        "title": link.title,
        "type": "link",
        "icon": "dashboard" if link.url.startswith("/") else "doc",
        "tooltip": link.title,
        "url": f"{link.url}?{chosen}" if chosen else link.url,
        "tags": [],
        "asDropdown": False,
        "targetBlank": not link.url.startswith("/"),
        "includeVars": False,
        "keepTime": link.url.startswith("/"),
    }


def _variable(variable: Variable) -> Object:
    common: Object = {
        "name": variable.name,
        "label": variable.label,
        "description": variable.description,
        "type": variable.kind,
        "hide": 0,
        "skipUrlSync": False,
    }
    if variable.kind == "textbox":
        value = variable.values[0]
        return {**common, "query": value, "current": {"text": value, "value": value}}
    choice: Object = {**common, "multi": variable.several, "includeAll": variable.several}
    if variable.several:
        choice |= {"allValue": variable.everything, "current": {"text": ["All"], "value": ["$__all"]}}
    if variable.kind == "custom":
        chosen: Object = (
            {} if variable.several else {"current": {"text": variable.values[0], "value": variable.values[0]}}
        )
        return {**choice, "query": ",".join(variable.values), **chosen}
    assert variable.target is not None, f"variable {variable.name} has no query"
    return {**choice, **_asked(variable.target), "regex": variable.pattern}


def _asked(target: Target) -> Object:
    """A query variable: asked again when the time range changes, for a server may be new."""
    query: Json = target.text
    if target.source.type == "prometheus":
        query = {"qryType": 5, "query": target.text, "refId": "PrometheusVariableQueryEditor-VariableQuery"}
    return {
        "datasource": _source(target.source),
        "query": query,
        "definition": target.text,
        "refresh": 2,
        "sort": 1,
    }


def _annotation(annotation: Annotation) -> Object:
    made: Object = {
        "name": annotation.name,
        "enable": True,
        "hide": False,
        "iconColor": annotation.color,
        "datasource": _source(annotation.target.source),
    }
    if annotation.target.source.type == "prometheus":
        # Some versions of the data source look for the query in the one place, some in the other.
        asked: Object = {"refId": "Anno", "expr": annotation.target.text, "interval": "", "range": True}
        texts: Object = {"titleFormat": annotation.name, "textFormat": annotation.text}
        return {**made, **texts, "expr": annotation.target.text, "target": asked}
    target: Object = {"refId": "Anno", "query": annotation.target.text}
    return {**made, "target": target, "mappings": {"text": {"source": "field", "value": annotation.text or "text"}}}
