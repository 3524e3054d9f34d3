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

# These are in the bucket if a sink asks for them, as that of the stack does: `metrics = ["*", "pegel_*"]`.
# Whose they are is a random name; in the bucket of several runners a moment of any of them is marked.
_OF_RUNNER = """
from(bucket: v.defaultBucket)
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> filter(fn: (r) => r._measurement == "pegel_runner")"""


def _of_process(condition: str, sentence: str) -> str:
    """A runner begins anew at a start, and when it takes another configuration; then its process goes on.

    Few rows are left before the two figures are put side by side: that costs a second for the minutes of a month.
    """
    return f"""{_OF_RUNNER}
    |> filter(fn: (r) => r._field == "start_timestamp_seconds" or r._field == "cpu_seconds")
    |> toFloat()
    |> difference()
    |> filter(fn: (r) => if r._field == "cpu_seconds" then r._value < 0.0 else r._value > 0.0)
    |> group(columns: ["runner"])
    |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")
    |> filter(fn: (r) => exists r.start_timestamp_seconds and {condition})
    |> map(fn: (r) => ({{_time: r._time, text: "{sentence}"}}))
    |> group()
"""


STARTS = Annotation(
    name="Starts of a runner",
    color="orange",
    target=flux(_of_process("exists r.cpu_seconds", "A runner was started")),
)
CHANGES = Annotation(
    name="Changes of a configuration",
    color="purple",
    target=flux(_of_process("not exists r.cpu_seconds", "A runner took another configuration")),
)
REFUSED = Annotation(
    name="Refused configurations",
    color="red",
    target=flux(f"""{_OF_RUNNER}
    |> filter(fn: (r) => r._field == "config_refused")
    |> difference()
    |> filter(fn: (r) => r._value > 0)
    |> map(fn: (r) => ({{_time: r._time, text: "A runner refused a configuration, the former one goes on"}}))
    |> group()
"""),
)
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
ANNOTATIONS = [STARTS, CHANGES, REFUSED, ROTATIONS]
