"""What the reader of a speed-test dashboard can choose, and what is marked in its charts."""

from __future__ import annotations

from dashboards.model import Annotation, Variable
from dashboards.panels import flux

SERVERS = Variable(
    name="server",
    label="Server",
    description="Servers to look at; a new one is here as soon as it sends.",
    target=flux("""
import "influxdata/influxdb/schema"

schema.tagValues(
    bucket: v.defaultBucket,
    tag: "server",
    start: -30d,
    predicate: (r) => r._measurement == "ookla_speedtest_minutely",
)
"""),
    several=True,
)
ZONE = Variable(
    name="zone",
    label="Time zone of busy hours",
    description="Such as Europe/Berlin.",
    kind="textbox",
    values=["UTC"],
)

# These are in the bucket if the sink asks for them: `metrics = ["*", "pegel_*"]`.
ROTATIONS = Annotation(
    name="Log rotations",
    color="blue",
    target=flux("""
from(bucket: v.defaultBucket)
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> filter(fn: (r) => r._measurement == "pegel_noticed" and r._field == "value" and r.what == "rotations")
    |> map(fn: (r) => ({_time: r._time, text: "Log of " + r.source + " rotated"}))
    |> group()
"""),
)
RESTARTS = Annotation(
    name="Starts of the runner",
    color="orange",
    target=flux("""
from(bucket: v.defaultBucket)
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> filter(fn: (r) => r._measurement == "pegel_runner" and r._field == "commits")
    |> difference()
    |> filter(fn: (r) => r._value < 0)
    |> map(fn: (r) => ({_time: r._time, text: "The runner was started anew"}))
    |> group()
"""),
)
