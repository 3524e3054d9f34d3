"""The rows of the speed-test dashboard on Prometheus: one module each, panels beside their PromQL.

A runner's page shows the newest closed window of each series, for five windows at most. So a chart is the mean of
what was on the page, and a sum is one of all fetches, divided by how many there are in a minute; a label that is rare
stays there for five minutes each time.
"""

from __future__ import annotations

NOTHING = "No data: is the runner up, and does Prometheus scrape it? The dashboard Stack health says it."
NOBODY = "No data: no test in this time, or none with a readable token."

SERVERS = 'server=~"$server"'

MEAN = "A point is the mean of the minutes around it; a gap begins five minutes after the last record."
ROUGH = (
    "The page of a runner shows a label for five minutes after its last minute, and the mean is that of the times when "
    "it is there; so those that are seldom there are shown too large. InfluxDB has the exact sums."
)


def shown(name: str, *conditions: str) -> str:
    """A metric of the preset, from the servers that were chosen."""
    return f"ookla_speedtest_{name}{{{', '.join([SERVERS, *conditions])}}}"


def mean(name: str, *conditions: str, by: str, before: str = "") -> str:
    """Per minute over time; a server that two runners count is their sum, which is what they share among them."""
    offset = f" offset {before}" if before else ""
    return f"sum by ({by}) (avg_over_time({shown(name, *conditions)}[$__rate_interval]{offset}))"


def per_minute(at: str = "") -> str:
    """How often the page of each runner was fetched in a minute: what is there on each page says it."""
    page = "pegel_runner_commits"
    often = f"count_over_time({page}[$__range]{at}) / count_over_time({page}[$__range:1m]{at})"
    return f"max by (instance) ({often})"


def total(name: str, *conditions: str, by: str = "", at: str = "") -> str:
    """Of the whole chosen time: each minute is on the page as often as the page is fetched in a minute.

    Looking once a minute (`[$__range:1m]`) says the same, and takes three seconds for the providers of 30 days.
    """
    seen = f"sum_over_time({shown(name, *conditions)}[$__range]{at})"
    grouped = f"sum by ({by})" if by else "sum"
    return f"{grouped} ({seen} / on (instance) group_left () {per_minute(at)})"


# A name is on the page again after a day at the latest, and is asked for once, so that a line has one name all along. A
# provider that changed its name has two; one of them is taken, lest the query fail.
NAMES = """topk by (asn) (1, group by (asn, asname) (
    last_over_time(asn_map_info[25h] @ end()) or last_over_time(asn_map_info[$__range] @ end())
  ))"""


def named(expression: str, name: str) -> str:
    """Adds `asname` to series with an `asn`; a provider without a name is its number.

    Args:
        expression: What is named; it is computed once.
        name: The metric that it is about: whose providers may lack a name.
    """
    seen = f"group by (asn) (last_over_time({shown(name)}[$__range] @ end()))"
    return f"""({expression})
* on (asn) group_left (asname) (
  {NAMES}
  or on (asn) label_replace(
    label_replace({seen}, "asname", "$1", "asn", "(.+)"), "asname", "AS $1", "asn", "([0-9]+)"
  )
)"""


DAY_IS_OVER = "26h"
"""Two hours after a day it is closed and on the page: that moment is asked for, and drawn at the day's beginning."""


def of_days(name: str, by: str) -> str:
    """A number of each day at its beginning.

    The page shows the last one for five days; a day without a single minute has none of its own.
    """
    counted = f"present_over_time({shown('minutely_tests')}[23h50m] offset -1d)"
    return f"sum by ({by}) ({shown(name)} offset -{DAY_IS_OVER} and on (server, instance) {counted})"
