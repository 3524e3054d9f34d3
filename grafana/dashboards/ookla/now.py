"""How it is now: is data arriving, what has the day brought, what goes wrong."""

from __future__ import annotations

from dashboards.fragments import DAY, points
from dashboards.model import Level, Panel, Row
from dashboards.ookla import NOTHING, SERVER
from dashboards.panels import flux, stat
from dashboards.speedtests import ERRORS, REFUSALS

AGE = f"""
{points("ookla_speedtest_minutely", "tests", within="start: -30d")}
    |> last()
    |> group(columns: ["server"])
    |> sort(columns: ["_time"])
    |> last()
    |> map(
        fn: (r) =>
            ({{_time: now(), server: r.server, _value: float(v: int(v: now()) - int(v: r._time)) / 1000000000.0}}),
    )
"""

FAILURES = f"""
{points("ookla_speedtest_minutely", "errors5xx")}
    |> group(columns: ["server"])
    |> sum()
"""

REFUSED_SHARE = f"""
{points("ookla_speedtest_hello_minutely", "records")}
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


def of_the_day(field: str) -> str:
    """The day so far, or all of it if it is over."""
    return f"""
import "date"

{points("ookla_speedtest_daily", field, within=DAY)}
    |> last()
    |> group(columns: ["server", "_time"])
    |> sum()
    |> group(columns: ["server"])
"""


ARRIVING = stat(
    title="Is data arriving?",
    description="By the age of the newest minute in InfluxDB, in seconds, whatever time range is chosen.",
    targets=[flux(AGE)],
    unit="s",
    no_value="no: nothing for 30 days",
    label=SERVER,
    names=True,
    words=True,
    levels=[Level(None, "yes", "green"), Level(300, "late", "yellow"), Level(900, "no", "red")],
)
NEWEST = stat(
    title="Age of the newest minute",
    description="A minute is stored while it is still being counted, so this is about a minute when all is well.",
    targets=[flux(AGE)],
    unit="s",
    no_value=NOTHING,
    label=SERVER,
    names=True,
    decimals=0,
)


def day_panel(title: str, field: str, counted: str) -> Panel:
    """The number of a day."""
    return stat(
        title=title,
        description=f"{counted} since midnight UTC, on the day on which the chosen time ends.",
        targets=[flux(of_the_day(field))],
        unit="short",
        no_value="None yet on this day.",
        label=SERVER,
        names=True,
    )


FAILED = stat(
    title="Server errors (5xx)",
    description="Requests of any kind that the server failed in the chosen time.",
    targets=[flux(FAILURES)],
    unit="short",
    no_value=NOTHING,
    label=SERVER,
    names=True,
    levels=ERRORS,
)
REFUSED = stat(
    title="Tests that were refused",
    description="HI records that got another status than 200, as a share of all HI records of the chosen time.",
    targets=[flux(REFUSED_SHARE)],
    unit="percentunit",
    no_value="No HI record in this time.",
    label=SERVER,
    names=True,
    decimals=1,
    levels=REFUSALS,
)

NOW = Row(
    "Now",
    [
        ARRIVING,
        NEWEST,
        day_panel("Tests of the day", "tests", "Different tests"),
        day_panel("Users of the day", "users", "Different devices, each counted once however often it tests,"),
        FAILED,
        REFUSED,
    ],
)
