"""Pushgateway: is what it shows fresh? It shows the last values for ever."""

from __future__ import annotations

from dashboards.columns import merged, texts
from dashboards.model import Override, Row
from dashboards.panels import promql, table
from dashboards.services import curve

NOBODY = "Nobody has pushed so far."

PUSHGATEWAY = Row(
    "Pushgateway",
    [
        table(
            title="Age of pushes",
            description="How old what each group shows is. After an hour an alert says so.",
            targets=[
                promql("max by (job, instance) (time() - (push_time_seconds > 0))", table=True),
                promql("max by (job, instance) (push_failure_time_seconds > bool push_time_seconds)", table=True),
            ],
            unit="s",
            no_value=NOBODY,
            width=12,
            height=8,
            overrides=[
                texts("Job", "Instance"),
                Override(
                    "Last one refused",
                    {
                        "unit": "short",
                        "mappings": [{"type": "value", "options": {"0": {"text": "no"}, "1": {"text": "yes"}}}],
                    },
                ),
            ],
            transformations=merged({"job": "Job", "instance": "Instance"}, ["Age", "Last one refused"], "Age"),
        ),
        curve(
            "Pushes per second by answer",
            "200 and 202 are taken; 400 contradicts itself or what others pushed.",
            "reqps",
            (
                'sum by (code) (rate(pushgateway_http_requests_total{handler=~"push|delete"}[$__rate_interval]))',
                "status {{code}}",
            ),
            no_value=NOBODY,
            width=12,
        ),
    ],
)
