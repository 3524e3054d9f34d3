"""What a dashboard is made of. Only what our dashboards use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Json = str | int | float | bool | None | Sequence["Json"] | Mapping[str, "Json"]

Kind = Literal[
    "barchart",
    "bargauge",
    "gauge",
    "geomap",
    "heatmap",
    "histogram",
    "logs",
    "piechart",
    "stat",
    "state-timeline",
    "status-history",
    "table",
    "text",
    "timeseries",
    "xychart",
]


@dataclass(frozen=True)
class Source:
    """A data source, as it is provisioned."""

    type: str
    uid: str


PROMETHEUS = Source("prometheus", "pegel-prometheus")
PROMETHEUS_MINUTES = Source("prometheus", "pegel-prometheus-minutes")
"""The same server for series that are written to it once a minute: `$__rate_interval` is wide enough for them."""
FLUX = Source("influxdb", "pegel-influx-flux")
INFLUXQL = Source("influxdb", "pegel-influx-influxql")


@dataclass(frozen=True)
class Target:
    """One query of a panel.

    Attributes:
        source: Who answers it.
        text: The query itself, in the language of its source.
        settings: What else Grafana keeps with it.
    """

    source: Source
    text: str
    settings: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True)
class Level:
    """What a value means from a bound on; the first level has none.

    Attributes:
        start: The least value that belongs to it.
        word: What it is called, in the description and, if the panel says so, in the place of the value.
        color: Of the theme: `green`, `yellow`, `orange`, `red`, `blue`, `text`.
    """

    start: float | None
    word: str
    color: str


@dataclass(frozen=True)
class Link:
    """A way on. Inside Grafana (`/d/UID`) it takes the time range along, and the variables that it names.

    Attributes:
        title: What is there.
        url: Where it leads.
        variables: Variables of the dashboard that go along as they are set.
        values: Variables that are set there, by what: `asn` -> `${__data.fields.asn}`.
    """

    title: str
    url: str
    variables: Sequence[str] = ()
    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """The whole of it."""
        if not self.url.startswith("/"):
            return self.url
        chosen = [f"${{{name}:queryparam}}" for name in self.variables]
        fixed = [f"var-{name}={value}" for name, value in self.values.items()]
        return f"{self.url}?" + "&".join(["${__url_time_range}", *chosen, *fixed])


@dataclass(frozen=True)
class Override:
    """What is different for one field (a column of a table, a line of a chart).

    Attributes:
        name: Of the field; a pattern if it begins with `/`.
        properties: As Grafana's editor names them: `unit`, `displayName`, `custom.width`, …
        links: Where a click on it leads.
    """

    name: str
    properties: Mapping[str, Json] = field(default_factory=dict)
    links: Sequence[Link] = ()


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One question and its answer.

    Attributes:
        kind: How it is shown.
        title: What is shown.
        description: What it means and what to make of it; the levels are added to it in words.
        targets: The queries.
        unit: Of Grafana's list: `short`, `s`, `percentunit`, `bytes`, …
        no_value: What to look at when there is nothing.
        width: In the 24 columns of the grid.
        height: In rows of the grid.
        label: What a series is called: `${__field.labels.server}`; Grafana's choice if empty.
        levels: What values mean; ascending.
        words: Whether the word of the level takes the place of the value.
        texts: Words in the place of single values.
        decimals: Digits after the point; Grafana's choice if None.
        minimum: Of the scale.
        maximum: Of the scale.
        color: Grafana's colour mode; by the levels where there are any.
        links: Where a click on a value leads.
        overrides: What is different for single fields.
        custom: Defaults of a field for this kind.
        options: Of this kind.
        transformations: As Grafana's editor names them.
        interval: The least time between two points; empty: that of the source.
        max_points: The most points of a series, where a query has much to do for each; 0: one for each pixel.
        looks_back: What it shows instead of the chosen time: so long before its end, such as `30d`.
    """

    kind: Kind
    title: str
    description: str
    targets: Sequence[Target]
    unit: str
    no_value: str
    width: int = 8
    height: int = 8
    label: str = ""
    levels: Sequence[Level] = ()
    words: bool = False
    texts: Mapping[str, str] = field(default_factory=dict)
    decimals: int | None = None
    minimum: float | None = None
    maximum: float | None = None
    color: str = "palette-classic"
    links: Sequence[Link] = ()
    overrides: Sequence[Override] = ()
    custom: Mapping[str, Json] = field(default_factory=dict)
    options: Mapping[str, Json] = field(default_factory=dict)
    transformations: Sequence[Mapping[str, Json]] = ()
    interval: str = ""
    max_points: int = 0
    looks_back: str = ""


@dataclass(frozen=True)
class Row:
    """Panels under one heading, from left to right; what does not fit goes into the next line."""

    title: str
    panels: Sequence[Panel]
    collapsed: bool = False


@dataclass(frozen=True, kw_only=True)
class Variable:
    """What the reader can choose.

    Attributes:
        name: In queries: `$name`.
        label: For the reader.
        description: What choosing does.
        kind: `query` (values of a store), `custom` (values written here), `textbox`.
        target: The query of `query`.
        values: Of `custom`; the first is the default. The default of `textbox`.
        several: Whether more than one can be chosen. All of them is then the default.
        everything: What stands for all, in the language of the query.
        pattern: Takes an answer apart: the group `value` is used, the group `text` is shown. Empty: the whole is both.
    """

    name: str
    label: str
    description: str
    kind: Literal["query", "custom", "textbox"] = "query"
    target: Target | None = None
    values: Sequence[str] = ()
    several: bool = False
    everything: str = ".*"
    pattern: str = ""


@dataclass(frozen=True, kw_only=True)
class Annotation:
    """Moments that explain a curve: restarts, rotations, changes of the configuration.

    Attributes:
        name: What they are.
        target: A query whose every point (every value above 0) is such a moment.
        color: Of the mark.
        text: Which column says what happened (Flux), or the text itself (PromQL).
    """

    name: str
    target: Target
    color: str = "blue"
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class Dashboard:
    """One question, answered from the whole to the part.

    Attributes:
        uid: In addresses; also the name of its file.
        title: In lists; no other dashboard has it.
        question: What it answers; stands at the top.
        tags: To find it by.
        rows: First the state, then rates, then details.
        variables: What the reader can choose.
        annotations: Moments to mark.
        links: Other dashboards, at the top.
        start: Beginning of the time range when it is opened.
        refresh: How often it asks again.
        now_delay: How much later data is complete than now.
        timezone: `browser`: that of the reader; `utc` where a panel has a point for each day of ours, since Grafana
            begins days where the reader's begin.
    """

    uid: str
    title: str
    question: str
    tags: Sequence[str]
    rows: Sequence[Row]
    variables: Sequence[Variable] = ()
    annotations: Sequence[Annotation] = ()
    links: Sequence[Link] = ()
    start: str = "now-6h"
    refresh: str = "1m"
    now_delay: str = ""
    timezone: Literal["browser", "utc"] = "browser"
