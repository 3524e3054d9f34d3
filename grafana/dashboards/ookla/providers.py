"""Whose networks they are in: the biggest, their share, and those whose users are refused."""

from __future__ import annotations

from dashboards.fragments import NAMES, NAMES_NEED, WHOLE, biggest, points
from dashboards.model import Json, Link, Override, Row
from dashboards.ookla import NAME, NOBODY, SUM
from dashboards.panels import flux, table, timeseries

TESTS = points("ookla_speedtest_asn_minutely", "tests")
TESTS_IN_WINDOWS = points("ookla_speedtest_asn_minutely", "tests", within=WHOLE)
HELLOS = points("ookla_speedtest_hello_minutely", "records")

TOP = f"""
{NAMES_NEED}
{NAMES}
tests = {TESTS}
    |> group(columns: ["asn"])
    |> sum()
    |> group()
all = (tests |> sum() |> findRecord(fn: (key) => true, idx: 0))._value

tests
    |> {biggest(10, "asn")}
    |> named(like: {{asn: "", _value: 0}})
    |> map(fn: (r) => ({{r with tests: r._value, share: float(v: r._value) / float(v: all)}}))
    |> keep(columns: ["provider", "asn", "tests", "share"])
    |> sort(columns: ["tests", "asn"], desc: true)
"""

# What is not among the ten becomes one series, so that all of them together are all tests: a share is one of all. The
# second window makes empty ones, and these are 0: a provider that disappears must be seen to fall. A pattern, because
# `contains()` takes ten times as long.
OVER_TIME = f"""
{NAMES_NEED}import "regexp"
import "strings"

{NAMES}
minutes = float(v: int(v: v.windowPeriod)) / 60000000000.0
tests = {TESTS_IN_WINDOWS}
    |> group(columns: ["asn"])
leading = tests
    |> sum()
    |> {biggest(10, "asn")}
    |> findColumn(fn: (key) => true, column: "asn")
pattern = regexp.compile(v: "^(" + strings.joinStr(arr: leading, v: "|") + ")$")

tests
    |> aggregateWindow(every: v.windowPeriod, fn: sum, createEmpty: false, timeSrc: "_start")
    |> map(fn: (r) => ({{_time: r._time, _value: r._value, asn: if r.asn =~ pattern then r.asn else "others"}}))
    |> group(columns: ["asn"])
    |> aggregateWindow(every: v.windowPeriod, fn: sum, timeSrc: "_start")
    |> fill(value: 0)
    |> named(like: {{asn: "", _time: v.timeRangeStop, _value: 0}})
    |> map(
        fn: (r) =>
            ({{
                _time: r._time,
                _value: float(v: r._value) / minutes,
                name: if r.asn == "others" then "all others" else r.provider,
            }}),
    )
    |> group(columns: ["name"])
    |> sort(columns: ["_time"])
"""

REFUSED = f"""
{NAMES_NEED}
{NAMES}
{HELLOS}
    |> group(columns: ["asn", "status"])
    |> sum()
    |> map(fn: (r) => ({{asn: r.asn, records: r._value, refused: if r.status == "200" then 0 else r._value}}))
    |> group(columns: ["asn"])
    |> reduce(
        identity: {{records: 0, refused: 0}},
        fn: (r, accumulator) =>
            ({{records: accumulator.records + r.records, refused: accumulator.refused + r.refused}}),
    )
    |> group()
    |> filter(fn: (r) => r.refused > 0)
    |> sort(columns: ["refused", "asn"], desc: true)
    |> limit(n: 10)
    |> named(like: {{asn: "", records: 0, refused: 0}})
    |> map(
        fn: (r) =>
            ({{
                provider: r.provider,
                asn: r.asn,
                records: r.records,
                refused: r.refused,
                share: float(v: r.refused) / float(v: r.records),
            }}),
    )
    |> sort(columns: ["refused", "asn"], desc: true)
"""

REFUSED_OVER_TIME = f"""
import "date"

minutes = float(v: int(v: v.windowPeriod)) / 60000000000.0

{points("ookla_speedtest_hello_minutely", "records", 'r.status != "200"', within=WHOLE)}
    |> group(columns: ["status"])
    |> aggregateWindow(every: v.windowPeriod, fn: sum, timeSrc: "_start")
    |> fill(value: 0)
    |> map(fn: (r) => ({{_time: r._time, _value: float(v: r._value) / minutes, name: "status " + r.status}}))
    |> group(columns: ["name"])
"""

TO_PROVIDER = Link("This provider", "/d/ookla-provider", variables=["server"], values={"asn": "${__data.fields.asn}"})


POINTS = 250
"""Eleven series with names take a while; 250 points of each are enough for areas."""


def columns(order: tuple[str, ...], bar: str) -> list[Override]:
    """Headings, links and the column whose value is also a bar; of an AS number every digit is read."""
    headings = {
        "provider": "Provider",
        "asn": "AS number",
        "tests": "Tests",
        "records": "HI records",
        "refused": "Refused",
        "share": "Share",
    }
    more: dict[str, dict[str, Json]] = {
        "asn": {"unit": "string"},
        bar: {"unit": "percentunit", "max": 1, "min": 0, "decimals": 1, "custom.cellOptions": {"type": "gauge"}},
    }
    links = {"provider": [TO_PROVIDER]}
    return [
        Override(name, {"displayName": headings[name], **more.get(name, {})}, links.get(name, ())) for name in order
    ]


def in_order(order: tuple[str, ...]) -> list[dict[str, Json]]:
    """Columns from left to right."""
    return [{"id": "organize", "options": {"indexByName": {name: place for place, name in enumerate(order)}}}]


BIGGEST_COLUMNS = ("provider", "asn", "tests", "share")
BIGGEST_TABLE = table(
    title="Biggest providers",
    description="The ten with most tests in the chosen time, and their share of all tests with a readable token. A "
    "name leads to the provider. Without a database of providers all are unknown.",
    targets=[flux(TOP)],
    unit="short",
    no_value=NOBODY,
    overrides=columns(BIGGEST_COLUMNS, "share"),
    transformations=in_order(BIGGEST_COLUMNS),
)
REFUSED_COLUMNS = ("provider", "asn", "refused", "records", "share")
REFUSED_TABLE = table(
    title="Providers whose tests are refused",
    description="HI records with another status than 200: the ten providers with most of them, and the share of their "
    "own records. Records without a readable token are of the provider unknown.",
    targets=[flux(REFUSED)],
    unit="short",
    no_value="None was refused in this time.",
    overrides=columns(REFUSED_COLUMNS, "share"),
    transformations=in_order(REFUSED_COLUMNS),
)
OVER_TIME_PANEL = timeseries(
    title="Tests per minute by provider",
    description=f"The ten biggest of the chosen time, and all others together. {SUM} A provider that falls to nothing "
    "is an outage of its own.",
    targets=[flux(OVER_TIME)],
    unit="short",
    no_value=NOBODY,
    label=NAME,
    stack="normal",
    max_points=POINTS,
    minimum=0,
)
SHARE_PANEL = timeseries(
    title="Share of all tests by provider",
    description="The same, as shares: a provider that disappears shows here even at night, when all have few tests.",
    targets=[flux(OVER_TIME)],
    unit="short",
    no_value=NOBODY,
    label=NAME,
    stack="percent",
    max_points=POINTS,
    minimum=0,
)
REFUSED_PANEL = timeseries(
    title="Refused HI records per minute by status",
    description=f"HI records with another status than 200: what clients were told. {SUM}",
    targets=[flux(REFUSED_OVER_TIME)],
    unit="short",
    no_value="None was refused in this time.",
    label=NAME,
    minimum=0,
    width=24,
    height=7,
)

PROVIDERS = Row("Providers", [BIGGEST_TABLE, REFUSED_TABLE, OVER_TIME_PANEL, SHARE_PANEL, REFUSED_PANEL])
