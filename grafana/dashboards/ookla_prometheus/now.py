"""How it is now: is data arriving, what has the last day brought, what goes wrong."""

from __future__ import annotations

from dashboards.model import Level, Panel, Row
from dashboards.ookla_prometheus import NOTHING, shown, total
from dashboards.panels import promql, stat
from dashboards.speedtests import ERRORS, REFUSALS

ARRIVING = stat(
    title="Is data arriving?",
    description="By the time, in seconds, from minutes of this server that were last on the page of a runner to "
    "the end of the chosen time. They stay there for five minutes, so a log that ends now is told in six.",
    targets=[
        promql(
            f"time() - max by (server) (max_over_time(timestamp({shown('minutely_tests')})[7d:1m]))",
            "{{server}}",
            instant=True,
        )
    ],
    unit="s",
    no_value="no: nothing for 7 days",
    names=True,
    words=True,
    levels=[Level(None, "yes", "green"), Level(120, "late", "yellow"), Level(600, "no", "red")],
)
NEWEST = stat(
    title="Age of the newest record",
    description="How far the runners of these servers have come, by the records themselves, in each of their sources.",
    targets=[
        promql(
            "max by (instance, source) (pegel_source_watermark_age_seconds and on (instance) "
            f"last_over_time({shown('minutely_tests')}[7d]))",
            "{{source}} on {{instance}}",
            instant=True,
        )
    ],
    unit="s",
    no_value=NOTHING,
    names=True,
    decimals=0,
)


def day_panel(title: str, value: str, counted: str) -> Panel:
    """The number of a day."""
    return stat(
        title=title,
        description=f"{counted} of the newest day (UTC) that is over. The day of today is in InfluxDB alone.",
        targets=[promql(f"sum by (server) ({shown(f'daily_{value}')})", "{{server}}", instant=True)],
        unit="short",
        no_value="None yet: the first day ends at midnight UTC.",
        names=True,
    )


FAILED = stat(
    title="Server errors (5xx)",
    description="Requests of any kind that the server failed in the chosen time.",
    targets=[promql(total("minutely_errors5xx", by="server"), "{{server}}", instant=True)],
    unit="short",
    no_value=NOTHING,
    names=True,
    decimals=0,
    levels=ERRORS,
)
OTHER_THAN_200 = 'status!="200"'
REFUSED_SHARE = (
    f"({total('hello_minutely_records', OTHER_THAN_200, by='server')} or "
    f"0 * {total('hello_minutely_records', by='server')}) / {total('hello_minutely_records', by='server')}"
)
REFUSED = stat(
    title="Tests that were refused",
    description="HI records that got another status than 200, as a share of all HI records of the chosen time.",
    targets=[promql(REFUSED_SHARE, "{{server}}", instant=True)],
    unit="percentunit",
    no_value="No HI record in this time.",
    names=True,
    decimals=1,
    levels=REFUSALS,
)

NOW = Row(
    "Now",
    [
        ARRIVING,
        NEWEST,
        day_panel("Tests of the last day", "tests", "Different tests"),
        day_panel("Users of the last day", "users", "Different devices, each counted once however often it tests,"),
        FAILED,
        REFUSED,
    ],
)
