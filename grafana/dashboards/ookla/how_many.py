"""How many tests and users: by the minute, by the day, and in which hours."""

from __future__ import annotations

from dashboards.fragments import DAY_BEFORE, IN_RANGE, LAST_HOUR, last_days, points
from dashboards.model import Override, Row
from dashboards.ookla import MEAN, NAME, NOTHING, SERVER
from dashboards.panels import flux, table, timeseries
from dashboards.speedtests import BEFORE, EMPTY


def minutes(field: str, within: str = IN_RANGE) -> str:
    """Means of the minutes for each server; null where there is none, so that a line ends there."""
    return f"""{points("ookla_speedtest_minutely", field, within=within)}
    |> group(columns: ["server"])
    |> aggregateWindow(every: v.windowPeriod, fn: mean, timeSrc: "_start")
    |> keep(columns: ["_time", "_value", "server"])"""


YESTERDAY = f"""
import "date"

{minutes("tests", DAY_BEFORE)}
    |> timeShift(duration: 1d)
    |> map(fn: (r) => ({{_time: r._time, _value: r._value, server: r.server + ", the day before"}}))
    |> group(columns: ["server"])
"""

TRANSFERS = f"""
{points("ookla_speedtest_minutely", "uploads|downloads")}
    |> group(columns: ["server", "_field"])
    |> aggregateWindow(every: v.windowPeriod, fn: mean, timeSrc: "_start")
    |> map(fn: (r) => ({{_time: r._time, _value: r._value, name: r.server + ": " + r._field}}))
    |> group(columns: ["name"])
"""

USERS_PER_DAY = f"""
import "date"

{points("ookla_speedtest_daily", "users", within=last_days(30))}
    |> group(columns: ["server"])
    |> keep(columns: ["_time", "_value", "server"])
"""

BUSY_HOURS = f"""
import "date"
import "timezone"

zone = timezone.location(name: "${{zone}}")
days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
hours = {points("ookla_speedtest_hourly", "tests", within=last_days(28, stop=LAST_HOUR))}
    |> group()
    |> aggregateWindow(every: 1h, fn: sum, createEmpty: false, timeSrc: "_start")
    |> map(
        fn: (r) =>
            ({{
                hour: date.hour(t: r._time, location: zone),
                day: days[date.weekDay(t: r._time, location: zone)],
                _value: float(v: r._value),
            }}),
    )

hours
    |> group(columns: ["hour", "day"])
    |> mean()
    |> group()
    |> pivot(rowKey: ["hour"], columnKey: ["day"], valueColumn: "_value")
    |> sort(columns: ["hour"])
"""

TESTS = timeseries(
    title="Tests per minute",
    description="Different tests that said HI; dashed: the day before. A sudden drop is an outage or a broken log. "
    + MEAN,
    targets=[flux(minutes("tests")), flux(YESTERDAY)],
    unit="short",
    no_value=NOTHING,
    label=SERVER,
    minimum=0,
    overrides=[BEFORE],
)
USERS = timeseries(
    title="Users per minute",
    description=f"Different devices of a minute. Their sum is no number of users: see Users per day. {MEAN}",
    targets=[flux(minutes("users"))],
    unit="short",
    no_value=NOTHING,
    label=SERVER,
    minimum=0,
)
FAILED = timeseries(
    title="Server errors (5xx) per minute",
    description=f"Requests of any kind that the server failed. {MEAN}",
    targets=[flux(minutes("errors5xx"))],
    unit="short",
    no_value=NOTHING,
    label=SERVER,
    minimum=0,
)
OLDER = timeseries(
    title="Transfers of the older kind per minute",
    description=f"GET /download and POST /upload requests with a test id. {MEAN}",
    targets=[flux(TRANSFERS)],
    unit="short",
    no_value=NOTHING,
    label=NAME,
    minimum=0,
)
DAYS = timeseries(
    title="Users per day",
    description="Different devices of a day (UTC), each counted once, in the 30 days up to the end of the chosen time. "
    "The last bar is the day so far.",
    targets=[flux(USERS_PER_DAY)],
    unit="short",
    no_value="No day yet: the first appears with the first test.",
    label=SERVER,
    bars=True,
    minimum=0,
    width=24,
    height=7,
)

WEEK = ("hour", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
BUSY = table(
    title="Busy hours",
    description="Tests per hour by hour of day and day of week: the mean of the four weeks up to the end of the chosen "
    "time, hours that are over, in the time zone chosen above. The fuller the colour, the more tests.",
    targets=[flux(BUSY_HOURS)],
    unit="short",
    no_value="No hour yet: the first appears with the first test.",
    decimals=0,
    color="continuous-BlPu",
    minimum=0,
    width=24,
    height=22,
    custom={"cellOptions": {"type": "color-background", "mode": "basic"}, "align": "center", "minWidth": 45},
    overrides=[
        EMPTY,
        Override(
            "hour",
            {
                "displayName": "Hour",
                "custom.cellOptions": {"type": "auto"},
                "custom.width": 70,
            },
        ),
    ],
    transformations=[
        {"id": "organize", "options": {"indexByName": {name: place for place, name in enumerate(WEEK)}}},
    ],
)

HOW_MANY = Row("How many", [TESTS, USERS, FAILED, OLDER, DAYS])
BUSY_ROW = Row("When", [BUSY])
