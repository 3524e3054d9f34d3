"""What the reader of the speed-test dashboard on Prometheus can choose, and what is marked in its charts."""

from __future__ import annotations

from dashboards.model import Variable
from dashboards.ookla_prometheus import shown
from dashboards.panels import promql
from dashboards.runner.moments import moments

SERVERS = Variable(
    name="server",
    label="Server",
    description="Servers to look at; a new one is here as soon as its first minute is over.",
    target=promql("label_values(ookla_speedtest_minutely_tests, server)"),
    several=True,
)
ZONE = Variable(
    name="zone",
    label="Busy hours: hours east of UTC",
    description="Such as 1, or -5; a half hour is 0.5. It does not know of summer time.",
    kind="textbox",
    values=["0"],
)
ANNOTATIONS = moments(only=f" and on (instance) last_over_time({shown('minutely_tests')}[1h])")
"""Of the runners that have counted these servers within the hour; one that is just starting shows none yet."""
