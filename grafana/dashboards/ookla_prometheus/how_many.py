"""How many tests and users: by the minute, by the day, and in which hours."""

from __future__ import annotations

from dashboards.model import Json, Override, Panel, Row
from dashboards.ookla_prometheus import MEAN, NOTHING, mean, of_days, shown
from dashboards.panels import promql, table, timeseries
from dashboards.speedtests import BEFORE, EMPTY


def minutes(title: str, value: str, means: str) -> Panel:
    """One number of a minute over time."""
    return timeseries(
        title=title,
        description=f"{means} {MEAN}",
        targets=[promql(mean(f"minutely_{value}", by="server"), "{{server}}")],
        unit="short",
        no_value=NOTHING,
        minimum=0,
    )


TESTS = timeseries(
    title="Tests per minute",
    description="Different tests that said HI; dashed: the day before. A sudden drop is an outage or a broken log. "
    + MEAN,
    targets=[
        promql(mean("minutely_tests", by="server"), "{{server}}"),
        promql(mean("minutely_tests", by="server", before="1d"), "{{server}}, the day before"),
    ],
    unit="short",
    no_value=NOTHING,
    minimum=0,
    overrides=[BEFORE],
)
OLDER = timeseries(
    title="Transfers of the older kind per minute",
    description=f"GET /download and POST /upload requests with a test id. {MEAN}",
    targets=[
        promql(mean("minutely_uploads", by="server"), "{{server}}: uploads"),
        promql(mean("minutely_downloads", by="server"), "{{server}}: downloads"),
    ],
    unit="short",
    no_value=NOTHING,
    minimum=0,
)
DAYS = timeseries(
    title="Users per day",
    description="Different devices of a day (UTC), each counted once, in the 30 days up to now. A day appears two "
    "hours after its end.",
    targets=[promql(of_days("daily_users", by="server"), "{{server}}")],
    unit="short",
    no_value="No day yet: the first ends at midnight UTC.",
    bars=True,
    minimum=0,
    width=24,
    height=7,
    interval="1d",
    looks_back="30d",
)

# The value that is on the page half an hour after an hour is of that hour, if the hour had a minute: else it is that of
# an hour before. `count_values` makes a label of a number.
LOCAL = "vector(time() - 3600 + 3600 * $zone)"
BUSY_HOURS = f"""avg_over_time((
  count_values("hour", hour({LOCAL}))
  * on () group_left (day) count_values("day", day_of_week({LOCAL}))
  * on () group_left () sum(
    {shown("hourly_tests")} offset -30m and on (server, instance) present_over_time({shown("minutely_tests")}[50m])
  )
)[28d:1h])"""

WEEK = {"1": "Mon", "2": "Tue", "3": "Wed", "4": "Thu", "5": "Fri", "6": "Sat", "0": "Sun"}
CORNER = "hour\\day"
IN_ORDER: dict[str, Json] = {name: place for place, name in enumerate([CORNER, *WEEK])}
BUSY = table(
    title="Busy hours",
    description="Tests per hour by hour of day and day of week: the mean of the four weeks up to the end of the chosen "
    "time. The fuller the colour, the more tests.",
    targets=[promql(BUSY_HOURS, table=True)],
    unit="short",
    no_value="No hour yet: the first appears when it is over.",
    decimals=0,
    color="continuous-BlPu",
    minimum=0,
    width=24,
    height=22,
    custom={"cellOptions": {"type": "color-background", "mode": "basic"}, "align": "center", "minWidth": 45},
    overrides=[EMPTY, Override("Hour", {"custom.cellOptions": {"type": "auto"}, "custom.width": 70})],
    transformations=[
        {
            "id": "convertFieldType",
            "options": {"conversions": [{"targetField": "hour", "destinationType": "number"}], "fields": {}},
        },
        {"id": "sortBy", "options": {"fields": {}, "sort": [{"field": "hour"}]}},
        {
            "id": "groupingToMatrix",
            "options": {"rowField": "hour", "columnField": "day", "valueField": "Value", "emptyValue": "null"},
        },
        {"id": "organize", "options": {"indexByName": IN_ORDER, "renameByName": {CORNER: "Hour", **WEEK}}},
    ],
)

HOW_MANY = Row(
    "How many",
    [
        TESTS,
        minutes("Users per minute", "users", "Different devices of a minute. Their sum is no number of users."),
        minutes("Server errors (5xx) per minute", "errors5xx", "Requests of any kind that the server failed."),
        OLDER,
        DAYS,
    ],
)
BUSY_ROW = Row("When", [BUSY])
