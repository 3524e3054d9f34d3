"""What the runners make of it: windows, what came too late for them, and turns."""

from __future__ import annotations

from dashboards.model import Row
from dashboards.panels import promql, timeseries
from dashboards.runner import NOTHING, RUNNERS, grown

COUNTING = Row(
    "Windows and turns",
    [
        timeseries(
            title="Records after their window, per minute",
            description="Late ones are counted, and stores that can be corrected are. Those that are too late are "
            "missing in this metric for good.",
            targets=[
                promql(grown("pegel_late_total", "metric"), "{{metric}}: late"),
                promql(grown("pegel_too_late_total", "metric"), "{{metric}}: too late"),
            ],
            unit="short",
            no_value="None in this time.",
            bars=True,
            minimum=0,
        ),
        timeseries(
            title="Values that cannot be stored, per minute",
            description="Infinite, too wide, or of another type than before, by reason; they are left out.",
            targets=[promql(grown("pegel_unusable_values_total", "metric, reason"), "{{metric}}: {{reason}}")],
            unit="short",
            no_value="None in this time.",
            bars=True,
            minimum=0,
        ),
        timeseries(
            title="Series by metric",
            description="Sets of labels that are alive. At `max_series` the rest becomes __other__.",
            targets=[promql(f"max by (instance, metric) (pegel_metric_series{{{RUNNERS}}})", "{{metric}}")],
            unit="short",
            no_value="No metric: this runner watches itself alone.",
            minimum=0,
        ),
        timeseries(
            title="Commits per second",
            description="A turn that brought something ends in one; with nothing to read there is one a minute.",
            targets=[promql(f"rate(pegel_runner_commits{{{RUNNERS}}}[$__rate_interval])", "{{instance}}")],
            unit="ops",
            no_value=NOTHING,
            minimum=0,
        ),
        timeseries(
            title="Time of a commit",
            description="The mean since the start of the runner. A slow disk shows here first.",
            targets=[promql(f"pegel_runner_commit_seconds_mean{{{RUNNERS}}}", "{{instance}}")],
            unit="s",
            no_value=NOTHING,
            minimum=0,
            width=24,
            height=7,
        ),
    ],
)
