"""The home page: a row for each job, then the runners and the stack in a line each."""

from __future__ import annotations

from dataclasses import replace

from dashboards.cdn77.overview import CDN
from dashboards.model import Dashboard, Level, Link, Row
from dashboards.panels import in_time, promql, stat, timeseries
from dashboards.runner.moments import moments
from dashboards.services.all import ALERTS_FIRING, RUNNERS_UP, UP, alerts_table

NO_JOB = "This job does not run here; `pegel init --preset ookla` begins one."
ALIVE = "time() - max by (server) (max_over_time(timestamp(ookla_speedtest_minutely_tests)[7d:1m]))"
FRESH = (
    "max by (instance, source) (pegel_source_watermark_age_seconds"
    " and on (instance) last_over_time(ookla_speedtest_minutely_tests[7d]))"
)
TESTS = "sum by (server) (avg_over_time(ookla_speedtest_minutely_tests[$__rate_interval]))"

TO_JOB = [
    Link("Speed tests", "/d/ookla", values={"server": "${__field.labels.server}"}),
    Link("Speed tests (Prometheus)", "/d/ookla-prometheus", values={"server": "${__field.labels.server}"}),
]
TO_SOURCE = [
    Link(
        "This source",
        "/d/pegel-itself",
        values={"instance": "${__field.labels.instance}", "source": "${__field.labels.source}"},
    )
]
TO_RUNNERS = [Link("Pegel itself", "/d/pegel-itself")]

SPEED_TESTS = Row(
    "Ookla speed tests",
    [
        in_time(
            title="Speed tests: alive?",
            description="By the time, in seconds, from the last minutes of a server on the page of a runner to the end "
            "of the chosen time. They stay there for five minutes, so a log that ends now is told in six.",
            targets=[promql(ALIVE, "{{server}}", instant=True)],
            no_value=NO_JOB,
            names=True,
            late=120,
            no=600,
            links=TO_JOB,
        ),
        in_time(
            title="Runners with speed tests: fresh?",
            description="By the age, in seconds, of the newest record of each source of a runner that has speed tests. "
            "A click leads to the source.",
            targets=[promql(FRESH, "{{source}} on {{instance}}", instant=True)],
            no_value=NO_JOB,
            names=True,
            late=300,
            no=1800,
            links=TO_SOURCE,
        ),
        timeseries(
            title="Speed tests per minute",
            description="Different tests that said HI. A click on a line leads to the server.",
            targets=[promql(TESTS, "{{server}}")],
            unit="short",
            no_value=NO_JOB,
            minimum=0,
            width=12,
            height=6,
            links=TO_JOB,
        ),
    ],
)
RUNNERS = Row(
    "The runners",
    [
        RUNNERS_UP,
        stat(
            title="What does not work?",
            description="Sources and sinks that fail at the moment, on all runners.",
            targets=[
                promql(
                    "sum(pegel_source_failing) + (sum(pegel_sink_failing) or vector(0)) "
                    "or sum(pegel_sink_failing) or 0 * sum(pegel_runner_commits)",
                    instant=True,
                )
            ],
            unit="short",
            no_value="No data: no runner is scraped.",
            width=6,
            levels=[Level(None, "nothing", "green"), Level(1, "some", "red")],
            links=TO_RUNNERS,
        ),
        stat(
            title="Points waiting",
            description="For all sinks; some dozens are usual.",
            targets=[promql("sum(pegel_sink_outbox_points)", instant=True)],
            unit="short",
            no_value="No sink that is sent to.",
            width=6,
            links=TO_RUNNERS,
        ),
        stat(
            title="Dead letters",
            description="Points that a store refused for good. They are kept: `pegel sinks` lists them.",
            targets=[promql("sum(pegel_sink_dead_letters)", instant=True)],
            unit="short",
            no_value="none: no sink that is sent to",
            width=6,
            levels=[Level(None, "none", "green"), Level(1, "some", "red")],
            links=TO_RUNNERS,
        ),
    ],
)
STACK = Row("The stack", [replace(UP, width=18), ALERTS_FIRING, alerts_table("Which alerts fire?", 24, 7)])

DASHBOARD = Dashboard(
    uid="overview",
    title="Overview",
    question="Is every job alive and fresh, and is the stack well?",
    tags=["pegel"],
    rows=[SPEED_TESTS, CDN, RUNNERS, STACK],
    annotations=moments(),
    links=[
        Link("Ookla speed tests", "/d/ookla"),
        Link("Ookla speed tests (Prometheus)", "/d/ookla-prometheus"),
        Link("CDN77 delivery", "/d/cdn77"),
        Link("Pegel itself", "/d/pegel-itself"),
        Link("Stack health", "/d/stack-health"),
    ],
)
