"""How it is now: is data arriving, how much is delivered and how well, who watches."""

from __future__ import annotations

from dashboards.cdn77 import (
    CHOSEN,
    DELIVERED,
    NOBODY,
    NOTHING,
    SERVER_ERRORS,
    WHO,
    WHO_LEGEND,
    active,
    asked,
    delivered,
    errors,
    hits,
    newest,
    of_cdn,
    share,
)
from dashboards.model import Level, Row
from dashboards.panels import stat

ARRIVING = stat(
    title="Is data arriving?",
    description="By the time, in seconds, from the newest minute with a request to the end of the chosen time.",
    targets=[asked(f"time() - {newest(DELIVERED)}", instant=True)],
    unit="s",
    no_value="no: nothing for 6 hours",
    words=True,
    width=3,
    levels=[Level(None, "yes", "green"), Level(300, "late", "yellow"), Level(900, "no", "red")],
)

# A row that is late is so in each metric; the one that has most has all.
_LATE = f'max by ({WHO}) (increase(pegel_late_total{{metric=~"cdn77_.*"}}[{CHOSEN}]))'
_RECORDS = f"sum by ({WHO}) (increase(pegel_records_total[{CHOSEN}]))"
LATE = stat(
    title="Rows that came late",
    description="After their minute was closed, as a share of all rows of the runner in the chosen time. Counters have "
    "them a minute later; means and numbers of viewers are without them.",
    targets=[asked(of_cdn(share(_LATE, _RECORDS)), WHO_LEGEND, instant=True)],
    unit="percentunit",
    no_value="No data: Prometheus does not get what runners say about themselves.",
    decimals=1,
    width=3,
    levels=[Level(None, "usual", "green"), Level(0.01, "raised", "yellow"), Level(0.05, "high", "red")],
)
BANDWIDTH = stat(
    title="Bandwidth now",
    description="Bits sent per second, the mean of the last four minutes.",
    targets=[asked(f"8 * {delivered('transfer_bytes')}")],
    unit="bps",
    no_value=NOTHING,
    decimals=1,
    curve=True,
    width=3,
)
REQUESTS = stat(
    title="Requests now",
    description="Requests per second, the mean of the last four minutes.",
    targets=[asked(delivered("requests"))],
    unit="reqps",
    no_value=NOTHING,
    decimals=1,
    curve=True,
    width=3,
)
HITS = stat(
    title="Hit ratio now",
    description="Share of the requests that the cache answered (cacheStatus HIT), of the last four minutes.",
    targets=[asked(hits(), instant=True)],
    unit="percentunit",
    no_value=NOTHING,
    decimals=1,
    width=3,
    levels=[Level(None, "low", "red"), Level(0.7, "fair", "yellow"), Level(0.85, "good", "green")],
)
FAILED = stat(
    title="Server errors (5xx) now",
    description="Share of the requests that were answered with 5xx, of the last four minutes.",
    targets=[asked(errors(SERVER_ERRORS), instant=True)],
    unit="percentunit",
    no_value=NOTHING,
    decimals=2,
    width=3,
    levels=[Level(None, "usual", "green"), Level(0.01, "raised", "yellow"), Level(0.05, "high", "red")],
)
_TWICE = "Who watches two streams is counted on both."
VIEWERS = stat(
    title="Active viewers now",
    description=f"Different addresses within the viewer window (two hours, if not set otherwise). {_TWICE}",
    targets=[asked(active(), instant=True)],
    unit="short",
    no_value=NOBODY,
    decimals=0,
    width=3,
)
PEAK = stat(
    title="Peak of viewers",
    description=f"The most active viewers at one time within the chosen time. {_TWICE}",
    targets=[asked(f"max_over_time({active()}[{CHOSEN}:1m])", instant=True)],
    unit="short",
    no_value=NOBODY,
    decimals=0,
    width=3,
)

NOW = Row("Now", [ARRIVING, LATE, BANDWIDTH, REQUESTS, HITS, FAILED, VIEWERS, PEAK])
