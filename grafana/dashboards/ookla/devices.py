"""What they test with: models, versions of the app, and how far a new version has come."""

from __future__ import annotations

from dashboards.fragments import biggest, last_days, points
from dashboards.model import Row
from dashboards.ookla import NAME, NOBODY
from dashboards.panels import bargauge, flux, timeseries

MODELS = f"""
{points("ookla_speedtest_device_minutely", "tests")}
    |> group(columns: ["model"])
    |> sum()
    |> {biggest(15, "model")}
    |> map(fn: (r) => ({{model: r.model, tests: r._value}}))
"""

VERSIONS = f"""
{points("ookla_speedtest_app_minutely", "tests")}
    |> group(columns: ["app", "version"])
    |> sum()
    |> {biggest(20, "app", "version")}
    |> map(fn: (r) => ({{version: r.app + " " + r.version, tests: r._value}}))
"""

ROLL_OUT = f"""
import "date"

users = {points("ookla_speedtest_app_daily", "users", within=last_days(30))}
    |> map(fn: (r) => ({{_time: r._time, _value: r._value, name: r.app + " " + r.version}}))
    |> group(columns: ["name"])
leading = users
    |> sum()
    |> {biggest(11, "name")}
    |> findColumn(fn: (key) => true, column: "name")

users
    |> map(fn: (r) => ({{r with name: if contains(value: r.name, set: leading) then r.name else "all others"}}))
    |> group(columns: ["name", "_time"])
    |> sum()
    |> group(columns: ["name"])
    |> sort(columns: ["_time"])
"""

ROWS = {"reduceOptions": {"calcs": [], "fields": "/^tests$/", "limit": 25, "values": True}}

DEVICES = Row(
    "Devices and apps",
    [
        bargauge(
            title="Device models",
            description="The fifteen with most tests in the chosen time. A token without a model is unknown.",
            targets=[flux(MODELS)],
            unit="short",
            no_value=NOBODY,
            options=ROWS,
            height=14,
        ),
        bargauge(
            title="App versions",
            description="The twenty with most tests in the chosen time. A token without app or version is unknown.",
            targets=[flux(VERSIONS)],
            unit="short",
            no_value=NOBODY,
            options=ROWS,
            height=14,
        ),
        timeseries(
            title="Roll-out of app versions",
            description="Share of the users of a day (UTC), each counted once a version, in the 30 days up to the "
            "end of the chosen time. Who uses two servers counts on both. The last bar is the day so far.",
            targets=[flux(ROLL_OUT)],
            unit="short",
            no_value="No day yet: the first appears with the first test.",
            label=NAME,
            stack="percent",
            bars=True,
            minimum=0,
            width=8,
        ),
    ],
)
