"""What the speed-test dashboards have in common, whichever store they ask."""

from __future__ import annotations

from dashboards.model import Level, Override

BEFORE = Override(
    "/the day before$/",
    {"custom.lineStyle": {"dash": [8, 8], "fill": "dash"}, "custom.fillOpacity": 0, "custom.lineWidth": 1},
)
"""How the lines of yesterday are drawn under those of today."""

ERRORS = [Level(None, "none", "green"), Level(1, "some", "yellow"), Level(100, "many", "red")]
REFUSALS = [Level(None, "usual", "green"), Level(0.05, "raised", "yellow"), Level(0.2, "high", "red")]
"""Of a share."""
EMPTY = Override("/^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)$/", {"noValue": "-"})
"""An hour of the week without any: else what is said where a table is empty stands in each of its cells."""
