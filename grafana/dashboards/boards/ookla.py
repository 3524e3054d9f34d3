"""Speed tests of an Ookla server, from InfluxDB: how many, by whom, with what, and what goes wrong."""

from __future__ import annotations

from dashboards.fragments import NAMES, NAMES_NEED, SERVERS, last, points
from dashboards.model import Dashboard, Level, Override, Row, Variable
from dashboards.panels import flux, stat, table, timeseries

NOTHING = "No data: is the runner up, and does its sink write to this bucket? `pegel status` says it."
SERVER = "${__field.labels.server}"
NAME = "${__field.labels.name}"

MINUTES = "ookla_speedtest_minutely"
PROVIDERS = "ookla_speedtest_asn_minutely"
HELLOS = "ookla_speedtest_hello_minutely"

# -- now --------------------------------------------------------------------------------------------------------------

AGE = f"""
{points(MINUTES, "tests", within="start: -30d")}
    |> group(columns: ["server"])
    |> last()
    |> map(fn: (r) => ({{_time: now(), server: r.server, _value: float(v: int(v: now()) - int(v: r._time)) / 1000000000.0}}))
"""


def today(field: str) -> str:
    """The newest value of the day."""
    within = "start: date.truncate(t: v.timeRangeStop, unit: 1d), stop: v.timeRangeStop"
    return f"""
import "date"

{points("ookla_speedtest_daily", field, within=within)}
    |> group(columns: ["server"])
    |> last()
"""


ERRORS = f"""
{points(MINUTES, "errors5xx")}
    |> group(columns: ["server"])
    |> sum()
"""

REFUSED_SHARE = f"""
{points(HELLOS, "records")}
    |> group(columns: ["server", "status"])
    |> sum()
    |> map(fn: (r) => ({{server: r.server, records: r._value, refused: if r.status == "200" then 0 else r._value}}))
    |> group(columns: ["server"])
    |> reduce(
        identity: {{records: 0, refused: 0}},
        fn: (r, accumulator) =>
            ({{records: accumulator.records + r.records, refused: accumulator.refused + r.refused}}),
    )
    |> map(fn: (r) => ({{server: r.server, _value: float(v: r.refused) / float(v: r.records)}}))
"""

NOW = Row(
    "Now",
    [
        stat(
            title="Is data arriving?",
            description="By the newest minute in InfluxDB, whatever the time range is.",
            targets=[flux(AGE)],
            unit="s",
            no_value="nothing for 30 days",
            label=SERVER,
            names=True,
            words=True,
            levels=[Level(None, "yes", "green"), Level(300, "late", "yellow"), Level(900, "no", "red")],
        ),
        stat(
            title="Age of the newest minute",
            description="A minute is stored while it is still being counted, so this is about a minute when all is well.",
            targets=[flux(AGE)],
            unit="s",
            no_value=NOTHING,
            label=SERVER,
            names=True,
            decimals=0,
        ),
        stat(
            title="Tests of the day",
            description="Different tests since midnight UTC, on the day on which the time range ends.",
            targets=[flux(today("tests"))],
            unit="short",
            no_value=NOTHING,
            label=SERVER,
            names=True,
        ),
        stat(
            title="Users of the day",
            description="Different devices since midnight UTC, each counted once however often it tests. On the day on "
            "which the time range ends.",
            targets=[flux(today("users"))],
            unit="short",
            no_value=NOTHING,
            label=SERVER,
            names=True,
        ),
        stat(
            title="Server errors (5xx)",
            description="Requests of any kind that the server failed, in the time range.",
            targets=[flux(ERRORS)],
            unit="short",
            no_value=NOTHING,
            label=SERVER,
            names=True,
            levels=[Level(None, "none", "green"), Level(1, "some", "yellow"), Level(100, "many", "red")],
        ),
        stat(
            title="Tests that were refused",
            description="HI records that got another status than 200, as a share of all HI records in the time range.",
            targets=[flux(REFUSED_SHARE)],
            unit="percentunit",
            no_value=NOTHING,
            label=SERVER,
            names=True,
            decimals=1,
            levels=[Level(None, "usual", "green"), Level(0.05, "raised", "yellow"), Level(0.2, "high", "red")],
        ),
    ],
)

# -- how much ---------------------------------------------------------------------------------------------------------


def per_minute(field: str) -> str:
    """Mean of the minutes; a gap where there is none."""
    return f"""
{points(MINUTES, field)}
    |> group(columns: ["server"])
    |> aggregateWindow(every: v.windowPeriod, fn: mean)
    |> keep(columns: ["_time", "_value", "server"])
"""


YESTERDAY = f"""
import "date"

{points(MINUTES, "tests", within="start: date.sub(d: 1d, from: v.timeRangeStart), stop: date.sub(d: 1d, from: v.timeRangeStop)")}
    |> group(columns: ["server"])
    |> aggregateWindow(every: v.windowPeriod, fn: mean)
    |> timeShift(duration: 1d)
    |> map(fn: (r) => ({{_time: r._time, _value: r._value, server: r.server + ", the day before"}}))
    |> group(columns: ["server"])
"""

BEFORE = Override(
    "/the day before$/",
    {"custom.lineStyle": {"dash": [8, 8], "fill": "dash"}, "custom.fillOpacity": 0, "custom.lineWidth": 1},
)

USERS_PER_DAY = f"""
import "date"

{points("ookla_speedtest_daily", "users", within=last("30d"))}
    |> group(columns: ["server"])
    |> keep(columns: ["_time", "_value", "server"])
"""

BUSY_HOURS = f"""
import "date"
import "timezone"

zone = timezone.location(name: "${{zone}}")
names = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]

{points("ookla_speedtest_hourly", "tests", within=last("28d"))}
    |> group()
    |> aggregateWindow(every: 1h, fn: sum, createEmpty: false, timeSrc: "_start")
    |> map(
        fn: (r) =>
            ({{
                hour: date.hour(t: r._time, location: zone),
                day: names[date.weekDay(t: r._time, location: zone)],
                _value: float(v: r._value),
            }}),
    )
    |> group(columns: ["hour", "day"])
    |> mean()
    |> group()
    |> pivot(rowKey: ["hour"], columnKey: ["day"], valueColumn: "_value")
    |> sort(columns: ["hour"])
"""

TRANSFERS = f"""
from(bucket: v.defaultBucket)
    |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
    |> filter(fn: (r) => r._measurement == "{MINUTES}" and (r._field == "uploads" or r._field == "downloads") and {SERVERS})
    |> group(columns: ["server", "_field"])
    |> aggregateWindow(every: v.windowPeriod, fn: mean)
    |> map(fn: (r) => ({{_time: r._time, _value: r._value, name: r.server + ": " + r._field}}))
    |> group(columns: ["name"])
"""

MEAN = "Each point is the mean of its minutes; zoom in to see single minutes. A gap is a time without a single record."

HOW_MUCH = Row(
    "How many",
    [
        timeseries(
            title="Tests per minute",
            description=f"Different tests that said HI; dashed, the day before. {MEAN}",
            targets=[flux(per_minute("tests")), flux(YESTERDAY)],
            unit="short",
            no_value=NOTHING,
            label=SERVER,
            minimum=0,
            overrides=[BEFORE],
        ),
        timeseries(
            title="Users per minute",
            description=f"Different devices of each minute. Their sum is not a number of users: see users per day. {MEAN}",
            targets=[flux(per_minute("users"))],
            unit="short",
            no_value=NOTHING,
            label=SERVER,
            minimum=0,
        ),
        timeseries(
            title="Server errors (5xx) per minute",
            description=f"Requests of any kind that the server failed. {MEAN}",
            targets=[flux(per_minute("errors5xx"))],
            unit="short",
            no_value=NOTHING,
            label=SERVER,
            minimum=0,
        ),
        timeseries(
            title="Transfers of the older kind per minute",
            description=f"GET /download and POST /upload requests with a test id. {MEAN}",
            targets=[flux(TRANSFERS)],
            unit="short",
            no_value=NOTHING,
            label=NAME,
            minimum=0,
        ),
        timeseries(
            title="Users per day",
            description="Different devices of each UTC day, each counted once, over the 30 days before the end of the time range.",
            targets=[flux(USERS_PER_DAY)],
            unit="short",
            no_value="No day yet: the first appears as soon as a test was counted.",
            label=SERVER,
            bars=True,
            minimum=0,
            interval="1d",
        ),
        table(
            title="Busy hours",
            description="Tests per hour by hour of day and day of week: the mean of the four weeks before the end of the "
            "time range, in the time zone chosen above. The fuller the colour, the more tests.",
            targets=[flux(BUSY_HOURS)],
            unit="short",
            no_value="No hour yet: the first appears as soon as a test was counted.",
            decimals=0,
            color="continuous-BlPu",
            minimum=0,
            height=18,
            custom={"cellOptions": {"type": "color-background", "mode": "basic"}, "align": "center"},
            overrides=[
                Override("hour", {"displayName": "Hour", "custom.cellOptions": {"type": "auto"}, "custom.width": 70})
            ],
            transformations=[
                {
                    "id": "organize",
                    "options": {
                        "indexByName": {
                            name: place
                            for place, name in enumerate(["hour", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"])
                        }
                    },
                }
            ],
        ),
    ],
)

# -- who --------------------------------------------------------------------------------------------------------------

TOP_PROVIDERS = f"""
{NAMES_NEED}
{NAMES}
tests =
    {points(PROVIDERS, "tests")}
        |> group(columns: ["asn"])
        |> sum()
        |> group()
all = (tests |> sum() |> findRecord(fn: (key) => true, idx: 0))._value

tests
    |> top(n: 10)
    |> named()
    |> map(fn: (r) => ({{provider: r.provider, asn: r.asn, tests: r._value, share: float(v: r._value) / float(v: all)}}))
    |> sort(columns: ["tests"], desc: true)
"""

PROVIDERS_OVER_TIME = f"""
{NAMES_NEED}
{NAMES}
minutes = int(v: v.windowPeriod) / 60000000000
tests =
    {points(PROVIDERS, "tests")}
        |> group(columns: ["asn"])
leaders =
    tests
        |> sum()
        |> group()
        |> top(n: 10)
        |> findColumn(fn: (key) => true, column: "asn")

tests
    |> aggregateWindow(every: v.windowPeriod, fn: sum, createEmpty: false)
    |> map(fn: (r) => ({{_time: r._time, _value: r._value, asn: if contains(value: r.asn, set: leaders) then r.asn else "other"}}))
    |> group(columns: ["asn"])
    |> aggregateWindow(every: v.windowPeriod, fn: sum, timeSrc: "_start")
    |> fill(value: 0)
    |> named()
    |> map(fn: (r) => ({{_time: r._time, _value: float(v: r._value) / float(v: minutes), name: r.provider}}))
    |> group(columns: ["name"])
"""
DASHBOARD = Dashboard(
    uid="ookla",
    title="Ookla speed tests",
    question="How many people test their line on my server, who are they, and can all of them?",
    tags=["pegel", "ookla", "influxdb"],
    rows=[NOW, HOW_MUCH],
    variables=[
        Variable(
            name="server",
            label="Server",
            description="Servers to look at; a new one appears here by itself.",
            target=flux(
                'import "influxdata/influxdb/schema"\n\n'
                'schema.tagValues(bucket: v.defaultBucket, tag: "server", start: -30d, '
                f'predicate: (r) => r._measurement == "{MINUTES}")'
            ),
            several=True,
        ),
        Variable(
            name="zone",
            label="Time zone of busy hours",
            description="Such as Europe/Berlin; UTC where nothing else is said.",
            kind="textbox",
            values=["UTC"],
        ),
    ],
)
