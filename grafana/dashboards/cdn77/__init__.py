"""The rows of the dashboard about the CDN: one module each, panels beside their PromQL.

Its counters are written to Prometheus with the time at which each minute ends, and grow there as they did in the log;
so `rate()` and `increase()` are right. They come a few minutes after that time: the dashboard ends before now. Each
runner has series of its own, and each back-fill; everything here is a sum over them.
"""

from __future__ import annotations

from dashboards.model import PROMETHEUS_MINUTES, Json, Override, Target
from dashboards.panels import promql

NOTHING = "No data: is a runner with the preset cdn77 up, and does it write to this Prometheus? `pegel status` says it."
NOBODY = "No data: the first number of viewers is there when the viewer window (2 h) is covered once."
NOW_DELAY = "4m"
"""A row is in an object after half a minute, is read within one, waits half of one for others, and then its minute
closes; the sample of a minute is there three and a half minutes after its beginning."""

STREAMS = 'stream_name=~"$stream"'
DELIVERED = f'{STREAMS}, cdn_id=~"$cdn_id"'

RECENT = "$__rate_interval"
CHOSEN = "$__range"

COLUMNS = [
    Override("Bytes", {"unit": "decbytes", "decimals": 1}),
    Override("Hit ratio", {"unit": "percentunit", "decimals": 1}),
    Override("5xx", {"unit": "percentunit", "decimals": 2}),
]
"""How the columns that tables have in common are read."""
TWENTY: dict[str, Json] = {"id": "limit", "options": {"limitField": 20}}
"""The first rows of a table. Choosing them in each of its queries would read everything twice."""

HIT = 'cache_status="HIT"'
CLIENT_ERRORS = 'response_status=~"4.."'
SERVER_ERRORS = 'response_status=~"5.."'


def asked(text: str, legend: str = "", *, table: bool = False, instant: bool = False) -> Target:
    """A query of series that have a sample a minute."""
    return promql(text, legend, table=table, instant=instant, source=PROMETHEUS_MINUTES)


def summed(by: str) -> str:
    """The operator that sums over everything else."""
    return f"sum by ({by})" if by else "sum"


def growth(counter: str, *conditions: str, width: str = RECENT, at: str = "") -> str:
    """How fast a counter of the log grows, per second; over the chosen time: by how much it grew."""
    function = "increase" if width == CHOSEN else "rate"
    return f"{function}(cdn77_{counter}_total{{{', '.join([DELIVERED, *conditions])}}}[{width}]{at})"


def delivered(counter: str, *conditions: str, by: str = "", width: str = RECENT, at: str = "") -> str:
    """The growth of all its series together."""
    return f"{summed(by)} ({growth(counter, *conditions, width=width, at=at)})"


def share(part: str, whole: str) -> str:
    """From 0 to 1, of two sums. What has never been has no series, and still is a share of 0."""
    return f"({part} / ({whole} > 0) or 0 * ({whole} > 0))"


def hits(of: str = "requests", by: str = "", width: str = RECENT) -> str:
    """The share that the cache answered."""
    return share(delivered(of, HIT, by=by, width=width), delivered(of, by=by, width=width))


def errors(status: str, by: str = "", width: str = RECENT) -> str:
    """The share of requests that were answered so; all are counted without their status, in fewer series."""
    return share(delivered("responses", status, by=by, width=width), delivered("requests", by=by, width=width))


def active(split: str = "", *conditions: str, by: str = "") -> str:
    """Who has watched within the viewer window; `split` is `_by_device` and so on."""
    return f"{summed(by)} (cdn77_active_viewers{split}{{{', '.join([STREAMS, *conditions])}}})"


def newest(conditions: str = "", back: str = "6h") -> str:
    """The time at which the newest minute with a request ended.

    A mean is written for such a minute only, where a counter goes on for a quarter of an hour. Looking every four
    minutes finds all, because each look sees five; the last look is the one of now.
    """
    written = f"timestamp(cdn77_time_to_first_byte_ms{{{conditions}}})"
    return f"max({written} or max_over_time({written}[{back}:4m]))"


def of_cdn(text: str) -> str:
    """Of what runners say about themselves, that of runners which count such a log.

    One that Prometheus fetches is told by its `instance`, one that writes by its `runner`.
    """
    return f'{text} and on (instance, runner) last_over_time(pegel_metric_series{{metric=~"cdn77_.*"}}[1h])'


WHO = "instance, runner"
WHO_LEGEND = "{{instance}}{{runner}}"
"""Each runner has one of the two."""
