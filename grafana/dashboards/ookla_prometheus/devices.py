"""What they test with: models, versions of the app, and how far a new version has come."""

from __future__ import annotations

from dashboards.model import Row
from dashboards.ookla_prometheus import NOBODY, ROUGH, of_days, shown, total
from dashboards.panels import bargauge, promql, timeseries

USERS = of_days("app_daily_users", by="app, version")
LEADING = f"topk(11, sum by (app, version) (sum_over_time({shown('app_daily_users')}[$__range:1d] @ end())))"

DEVICES = Row(
    "Devices and apps",
    [
        bargauge(
            title="Device models",
            description="The fifteen with most tests in the chosen time. A token without a model is unknown. " + ROUGH,
            targets=[promql(f"topk(15, {total('device_minutely_tests', by='model')})", "{{model}}", instant=True)],
            unit="short",
            decimals=0,
            no_value=NOBODY,
            height=14,
        ),
        bargauge(
            title="App versions",
            description="The twenty with most tests in the chosen time. A token without app or version is unknown. "
            + ROUGH,
            targets=[
                promql(
                    f"topk(20, {total('app_minutely_tests', by='app, version')})", "{{app}} {{version}}", instant=True
                )
            ],
            unit="short",
            decimals=0,
            no_value=NOBODY,
            height=14,
        ),
        timeseries(
            title="Roll-out of app versions",
            description="Share of the users of a day (UTC), each counted once a version, in the 30 days up to now. Who "
            "uses two servers counts on both. A day appears two hours after its end; a version that nobody uses any "
            "more keeps its last day for up to five.",
            targets=[
                promql(f"{USERS} and {LEADING}", "{{app}} {{version}}"),
                promql(f"sum({USERS} unless {LEADING})", "all others"),
            ],
            unit="short",
            no_value="No day yet: the first ends at midnight UTC.",
            stack="percent",
            bars=True,
            minimum=0,
            width=8,
            interval="1d",
            looks_back="30d",
        ),
    ],
)
