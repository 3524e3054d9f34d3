"""What the runners take of their machines."""

from __future__ import annotations

from dashboards.model import Panel, Row
from dashboards.panels import promql, timeseries
from dashboards.runner import NOTHING, RUNNERS


def taken(title: str, expression: str, unit: str, description: str) -> Panel:
    """One thing over time, by runner."""
    return timeseries(
        title=title,
        description=description,
        targets=[promql(expression, "{{instance}}")],
        unit=unit,
        no_value=NOTHING,
        minimum=0,
    )


FOOTPRINT = Row(
    "The process",
    [
        taken("Memory", f"pegel_runner_memory_bytes{{{RUNNERS}}}", "bytes", "Resident memory; only Linux tells it."),
        taken(
            "CPU",
            f"rate(pegel_runner_cpu_seconds{{{RUNNERS}}}[$__rate_interval])",
            "percentunit",
            "Of one core: 100 % is a whole one.",
        ),
        taken(
            "Size of the state",
            f"pegel_runner_state_bytes{{{RUNNERS}}}",
            "bytes",
            "Open windows, cursors, and what waits for sinks.",
        ),
        taken(
            "Room on the disk of the state",
            f"pegel_runner_free_bytes{{{RUNNERS}}}",
            "bytes",
            "A snapshot needs as much as the state. On a full disk reading waits.",
        ),
    ],
)
