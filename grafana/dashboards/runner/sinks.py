"""What the runners send: what waits, for how long, and what is refused."""

from __future__ import annotations

from dashboards.columns import merged, texts
from dashboards.model import Json, Level, Link, Override, Row
from dashboards.panels import promql, state_timeline, table, timeseries
from dashboards.runner import OF_SINK, grown

NO_SINK = "No sink that is sent to: pages are fetched, and nothing waits for them."
NAME = "{{sink}} on {{instance}}"
BAR: dict[str, Json] = {
    "unit": "percentunit",
    "min": 0,
    "max": 1,
    "decimals": 1,
    "custom.cellOptions": {"type": "gauge"},
}
TABLE = table(
    title="Sinks",
    description="What waits for each. When an outbox is full, reading stops or the oldest points are dropped, as "
    "`when_full` says. A click on a name leaves the others out of all charts.",
    targets=[
        promql(f"sum by (instance, sink) ({one})", table=True)
        for one in (
            f"pegel_sink_outbox_points{{{OF_SINK}}}",
            f"pegel_sink_outbox_bytes{{{OF_SINK}}} / pegel_sink_limit_bytes{{{OF_SINK}}}",
            f"pegel_sink_oldest_seconds{{{OF_SINK}}}",
            f"pegel_sink_dead_letters{{{OF_SINK}}}",
        )
    ],
    unit="short",
    no_value=NO_SINK,
    width=24,
    height=7,
    overrides=[
        texts("Sink", "Runner"),
        Override(
            "Sink",
            links=[
                Link("This sink alone", "/d/pegel-itself", ["instance", "source"], {"sink": "${__data.fields.Sink}"})
            ],
        ),
        Override("Outbox", BAR),
        Override("Oldest", {"unit": "s", "decimals": 0}),
    ],
    transformations=merged(
        {"sink": "Sink", "instance": "Runner"}, ["Points waiting", "Outbox", "Oldest", "Dead letters"], "Oldest"
    ),
)


SINKS = Row(
    "Sinks",
    [
        TABLE,
        timeseries(
            title="Points waiting",
            description="In the outbox of each sink. It grows while a store is down, and is sent in order afterwards.",
            targets=[promql(f"sum by (instance, sink) (pegel_sink_outbox_points{{{OF_SINK}}})", NAME)],
            unit="short",
            no_value=NO_SINK,
            minimum=0,
        ),
        timeseries(
            title="Age of the oldest point waiting",
            description="How far a store is behind.",
            targets=[promql(f"max by (instance, sink) (pegel_sink_oldest_seconds{{{OF_SINK}}})", NAME)],
            unit="s",
            no_value=NO_SINK,
            minimum=0,
        ),
        timeseries(
            title="Dead letters per minute by reason",
            description="Points that a store refused for good. They are kept: `pegel sinks` lists, retries, discards.",
            targets=[promql(grown("pegel_dead_letters_total", "sink, reason", OF_SINK), "{{sink}}: {{reason}}")],
            unit="short",
            no_value="None in this time.",
            bars=True,
            stack="normal",
            minimum=0,
        ),
        timeseries(
            title="Points dropped per minute",
            description="Too old, or too many, or letters that took too much room: this store has a gap.",
            targets=[
                promql(grown("pegel_outbox_dropped_total", "sink", OF_SINK), "{{sink}}: before they were sent"),
                promql(grown("pegel_dead_letters_dropped_total", "sink", OF_SINK), "{{sink}}: dead letters"),
            ],
            unit="short",
            no_value="None in this time.",
            bars=True,
            stack="normal",
            minimum=0,
        ),
        state_timeline(
            title="Could it be sent to?",
            description="While a sink fails its points wait; none is lost.",
            targets=[promql(f"max by (instance, sink) (pegel_sink_failing{{{OF_SINK}}})", NAME)],
            unit="short",
            no_value=NO_SINK,
            words=True,
            levels=[Level(None, "works", "green"), Level(1, "fails", "red")],
        ),
    ],
)
