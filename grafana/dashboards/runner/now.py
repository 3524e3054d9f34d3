"""How the runners are now: do they answer, do they commit, is what they have safe."""

from __future__ import annotations

from dashboards.model import Level, Panel, Row
from dashboards.panels import promql, stat
from dashboards.runner import NOTHING, RUNNERS


def age(title: str, metric: str, description: str, no_value: str, levels: list[Level], width: int = 6) -> Panel:
    """The time since something, in a word."""
    return stat(
        title=title,
        description=description,
        targets=[promql(f"time() - {metric}{{{RUNNERS}}}", "{{instance}}", instant=True)],
        unit="s",
        no_value=no_value,
        names=True,
        words=bool(levels),
        decimals=0,
        levels=levels,
        width=width,
    )


def failing(title: str, metric: str, what: str) -> Panel:
    """How many parts of each runner do not work."""
    return stat(
        title=title,
        description=f"{what} that do not work at the moment; `pegel status` on the host says why.",
        targets=[promql(f"sum by (instance) ({metric}{{{RUNNERS}}})", "{{instance}}", instant=True)],
        unit="short",
        no_value=f"none: no runner has {what.lower()}",
        names=True,
        levels=[Level(None, "none", "green"), Level(1, "some", "red")],
        width=8,
    )


IN_EFFECT = stat(
    title="Is the configuration in effect?",
    description="A changed file that is wrong is refused: the former configuration goes on, and would not survive a "
    "restart. `pegel check` says what is wrong.",
    targets=[promql(f"pegel_runner_config_refused{{{RUNNERS}}}", "{{instance}}", instant=True)],
    unit="short",
    no_value=NOTHING,
    names=True,
    words=True,
    levels=[Level(None, "yes", "green"), Level(1, "refused", "red")],
    width=6,
)

NOW = Row(
    "Now",
    [
        stat(
            title="Do they answer?",
            description="Whether Prometheus can fetch the page of each runner.",
            targets=[promql(f'up{{job="runner", {RUNNERS}}}', "{{instance}}", instant=True)],
            unit="short",
            no_value=NOTHING,
            names=True,
            words=True,
            levels=[Level(None, "no", "red"), Level(1, "yes", "green")],
            width=6,
        ),
        age(
            "Do they commit?",
            "pegel_runner_commit_timestamp_seconds",
            "By the seconds since the newest commit; there is one a minute at least. What a runner that commits "
            "nothing says about itself is old.",
            NOTHING,
            [Level(None, "yes", "green"), Level(120, "late", "yellow"), Level(300, "no", "red")],
        ),
        IN_EFFECT,
        age(
            "Running for",
            "pegel_runner_start_timestamp_seconds",
            "Since the start, or since the configuration was read again.",
            NOTHING,
            [],
        ),
        age(
            "Is there a fresh snapshot?",
            "pegel_runner_snapshot_timestamp_seconds",
            "By the age of the newest one in seconds. Without one a broken state means reading everything again.",
            "no: none was taken so far",
            [Level(None, "yes", "green"), Level(10800, "old", "yellow"), Level(86400, "no", "red")],
            width=8,
        ),
        failing("Sources that fail", "pegel_source_failing", "Sources"),
        failing("Sinks that fail", "pegel_sink_failing", "Sinks"),
    ],
)
