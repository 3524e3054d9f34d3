"""What the reader of the speed-test dashboard on Prometheus can choose."""

from __future__ import annotations

from dashboards.model import Variable
from dashboards.panels import promql

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
