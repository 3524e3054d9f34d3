"""One provider: does it test as usual, from which servers, and is it refused."""

from __future__ import annotations

from dashboards.fragments import NAMES, NAMES_NEED, WHOLE, WHOLE_BEFORE, points
from dashboards.model import Row, Variable
from dashboards.ookla import NAME, SUM
from dashboards.panels import flux, stat, timeseries
from dashboards.speedtests import BEFORE, REFUSALS

THIS = 'r.asn == "${asn}"'
NOTHING = "No test of this provider in this time."
MINUTES = "minutes = float(v: int(v: v.windowPeriod)) / 60000000000.0"

ASN = Variable(
    name="asn",
    label="Provider",
    description="Providers with tests in the chosen time; unknown: those that no database knows.",
    target=flux(f"""
{NAMES_NEED}
{NAMES}
{points("ookla_speedtest_asn_minutely", "tests")}
    |> group(columns: ["asn"])
    |> sum()
    |> named(like: {{asn: "", _value: 0}})
    |> map(fn: (r) => ({{_value: r.asn + " " + r.provider}}))
"""),
    pattern=r"/^(?<value>\S+) (?<text>.+)$/",
)

WHO = f"""
{NAMES_NEED}
{NAMES}
array.from(rows: [{{asn: "${{asn}}"}}])
    |> named(like: {{asn: ""}})
    |> map(fn: (r) => ({{provider: r.provider}}))
"""

TOTAL = f"""
{points("ookla_speedtest_asn_minutely", "tests", THIS)}
    |> group()
    |> sum()
"""

SHARE = f"""
{points("ookla_speedtest_asn_minutely", "tests")}
    |> group(columns: ["asn"])
    |> sum()
    |> group()
    |> map(fn: (r) => ({{all: r._value, own: if {THIS} then r._value else 0}}))
    |> reduce(
        identity: {{all: 0, own: 0}},
        fn: (r, accumulator) => ({{all: accumulator.all + r.all, own: accumulator.own + r.own}}),
    )
    |> map(fn: (r) => ({{_value: float(v: r.own) / float(v: r.all)}}))
"""

REFUSED = f"""
{points("ookla_speedtest_hello_minutely", "records", THIS)}
    |> group(columns: ["status"])
    |> sum()
    |> group()
    |> map(fn: (r) => ({{records: r._value, refused: if r.status == "200" then 0 else r._value}}))
    |> reduce(
        identity: {{records: 0, refused: 0}},
        fn: (r, accumulator) =>
            ({{records: accumulator.records + r.records, refused: accumulator.refused + r.refused}}),
    )
    |> map(fn: (r) => ({{_value: float(v: r.refused) / float(v: r.records)}}))
"""


def over_time(field: str, name: str, within: str = WHOLE, shift: str = "0s") -> str:
    """Tests or users per minute by server; nothing is 0, for it is known that there was none."""
    return f"""
import "date"

{MINUTES}

{points("ookla_speedtest_asn_minutely", field, THIS, within=within)}
    |> group(columns: ["server"])
    |> aggregateWindow(every: v.windowPeriod, fn: sum, timeSrc: "_start")
    |> fill(value: 0)
    |> timeShift(duration: {shift})
    |> map(fn: (r) => ({{_time: r._time, _value: float(v: r._value) / minutes, name: {name}}}))
    |> group(columns: ["name"])
"""


BY_STATUS = f"""
import "date"

{MINUTES}

{points("ookla_speedtest_hello_minutely", "records", THIS, within=WHOLE)}
    |> group(columns: ["status"])
    |> aggregateWindow(every: v.windowPeriod, fn: sum, timeSrc: "_start")
    |> fill(value: 0)
    |> map(fn: (r) => ({{_time: r._time, _value: float(v: r._value) / minutes, name: "status " + r.status}}))
    |> group(columns: ["name"])
"""

OF_ONE = Row(
    "This provider",
    [
        stat(
            title="Provider",
            description="The name of the provider that is chosen above; the number itself where no name is known.",
            targets=[flux(WHO)],
            unit="string",
            no_value="Choose a provider above.",
            options={"reduceOptions": {"calcs": ["lastNotNull"], "fields": "/^provider$/", "values": False}},
            width=12,
        ),
        stat(
            title="Tests",
            description="Tests in the chosen time: the sum of the minutes.",
            targets=[flux(TOTAL)],
            unit="short",
            no_value=NOTHING,
        ),
        stat(
            title="Share of all tests",
            description="Among the tests of all providers, unknown ones included, in the chosen time.",
            targets=[flux(SHARE)],
            unit="percentunit",
            no_value="No test of anybody in this time.",
            decimals=1,
        ),
        stat(
            title="Refused",
            description="HI records with another status than 200, as a share of those of this provider.",
            targets=[flux(REFUSED)],
            unit="percentunit",
            no_value=NOTHING,
            decimals=1,
            levels=REFUSALS,
        ),
        timeseries(
            title="Tests per minute by server",
            description=f"Dashed: the day before. {SUM}",
            targets=[
                flux(over_time("tests", "r.server")),
                flux(over_time("tests", 'r.server + ", the day before"', WHOLE_BEFORE, "1d")),
            ],
            unit="short",
            no_value=NOTHING,
            label=NAME,
            minimum=0,
            overrides=[BEFORE],
        ),
        timeseries(
            title="HI records per minute by status",
            description=f"What the clients of this provider were told; 200 begins a test. {SUM}",
            targets=[flux(BY_STATUS)],
            unit="short",
            no_value=NOTHING,
            label=NAME,
            stack="normal",
            minimum=0,
        ),
    ],
)
