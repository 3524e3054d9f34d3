"""What the runners read: how far they are, how fast, and what they cannot read."""

from __future__ import annotations

from dashboards.columns import merged, texts
from dashboards.model import Json, Level, Link, Override, Row
from dashboards.panels import promql, state_timeline, table, timeseries
from dashboards.runner import NOTHING, OF_SOURCE, grown

NO_SOURCE = "No data: this runner has no source, or nothing of it was read so far."
WORKS = [Level(None, "works", "green"), Level(1, "fails", "red")]
TIME: dict[str, Json] = {"unit": "s", "decimals": 0}

TABLE = table(
    title="Sources",
    description="How far each is: the age of the newest record that is counted, and what is not read yet. A click on "
    "a name leaves the others out of all charts.",
    targets=[
        promql(f"sum by (instance, source) ({one})", table=True)
        for one in (
            f"pegel_source_watermark_age_seconds{{{OF_SOURCE}}}",
            f"pegel_source_lag_bytes{{{OF_SOURCE}}}",
            f"rate(pegel_records_total{{{OF_SOURCE}}}[$__rate_interval])",
            f"rate(pegel_rejects_total{{{OF_SOURCE}}}[$__rate_interval])",
        )
    ],
    unit="short",
    no_value=NO_SOURCE,
    width=24,
    height=7,
    overrides=[
        texts("Source", "Runner"),
        Override(
            "Source",
            links=[
                Link(
                    "This source alone", "/d/pegel-itself", ["instance", "sink"], {"source": "${__data.fields.Source}"}
                )
            ],
        ),
        Override("Age", TIME),
        Override("Not read yet", {"unit": "bytes"}),
    ],
    transformations=merged(
        {"source": "Source", "instance": "Runner"}, ["Age", "Not read yet", "Records/s", "Rejects/s"], "Age"
    ),
)

NAME = "{{source}} on {{instance}}"
SOURCES = Row(
    "Sources",
    [
        TABLE,
        timeseries(
            title="Records per second",
            description="Records that were counted. What a log brings by itself, or more while a backlog is read.",
            targets=[
                promql(f"sum by (instance, source) (rate(pegel_records_total{{{OF_SOURCE}}}[$__rate_interval]))", NAME)
            ],
            unit="ops",
            no_value=NO_SOURCE,
            minimum=0,
        ),
        timeseries(
            title="Age of the newest record",
            description="How far behind the present each source is, by its own records. It rises as fast as time goes "
            "where nothing is written, and falls while a backlog is read.",
            targets=[promql(f"max by (instance, source) (pegel_source_watermark_age_seconds{{{OF_SOURCE}}})", NAME)],
            unit="s",
            no_value=NO_SOURCE,
            minimum=0,
        ),
        timeseries(
            title="Bytes per second",
            description="Read from each source, also what turned out to be no record.",
            targets=[
                promql(f"sum by (instance, source) (rate(pegel_bytes_total{{{OF_SOURCE}}}[$__rate_interval]))", NAME)
            ],
            unit="Bps",
            no_value=NO_SOURCE,
            minimum=0,
        ),
        timeseries(
            title="Bytes not read yet",
            description="What is in the files of a source and was not read; 0 is up to date.",
            targets=[promql(f"sum by (instance, source) (pegel_source_lag_bytes{{{OF_SOURCE}}})", NAME)],
            unit="bytes",
            no_value=NO_SOURCE,
            minimum=0,
        ),
        timeseries(
            title="Rejected lines per minute by reason",
            description="Lines that are no records of the declared format. `pegel explain` shows why one is none.",
            targets=[promql(grown("pegel_rejects_total", "source, reason", OF_SOURCE), "{{source}}: {{reason}}")],
            unit="short",
            no_value="None was rejected in this time.",
            bars=True,
            stack="normal",
            minimum=0,
        ),
        timeseries(
            title="Noticed about files, per minute",
            description="Rotations are usual; what is lost, quarantined, ambiguous or cut off is told by an alert.",
            targets=[promql(grown("pegel_noticed_total", "source, what", OF_SOURCE), "{{source}}: {{what}}")],
            unit="short",
            no_value="Nothing was noticed in this time.",
            bars=True,
            stack="normal",
            minimum=0,
        ),
        state_timeline(
            title="Could it be read?",
            description="A source that fails is tried again and again; its windows wait for an hour.",
            targets=[promql(f"max by (instance, source) (pegel_source_failing{{{OF_SOURCE}}})", NAME)],
            unit="short",
            no_value=NOTHING,
            words=True,
            levels=WORKS,
        ),
    ],
)
