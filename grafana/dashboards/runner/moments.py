"""Moments in the life of a runner that explain a curve, as Prometheus has seen them on its page."""

from __future__ import annotations

from dashboards.model import Annotation
from dashboards.panels import promql


def moments(runners: str = "", sources: str = "", only: str = "") -> list[Annotation]:
    """Starts, changes of the configuration, refused ones, and rotations.

    A runner that reads its configuration again begins anew in the same process: its CPU time goes on.

    Args:
        runners: Conditions on the labels of a runner.
        sources: Conditions on the labels of a source.
        only: What else must be true: `and on (instance) …`.
    """
    born = f"resets(pegel_runner_cpu_seconds{{{runners}}}[$__rate_interval]) > 0"
    anew = f"changes(pegel_runner_start_timestamp_seconds{{{runners}}}[$__rate_interval]) > 0"
    refused = f"delta(pegel_runner_config_refused{{{runners}}}[$__rate_interval]) > 0"
    rotations = ", ".join(filter(None, [sources, 'what="rotations"']))
    told = [
        ("Starts of a runner", "orange", born, "{{instance}} was started"),
        (
            "Changes of a configuration",
            "purple",
            f"({anew} unless on (instance) {born})",
            "{{instance}} took another configuration",
        ),
        ("Refused configurations", "red", refused, "{{instance}} refused a configuration, the former one goes on"),
        (
            "Log rotations",
            "blue",
            f"increase(pegel_noticed_total{{{rotations}}}[$__rate_interval]) > 0",
            "The log of {{source}} rotated",
        ),
    ]
    return [
        Annotation(name=name, color=color, target=promql(text + only), text=sentence)
        for name, color, text, sentence in told
    ]
