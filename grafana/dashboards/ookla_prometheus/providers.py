"""Whose networks they are in: the biggest, their share, and those whose users are refused."""

from __future__ import annotations

from dashboards.columns import merged, texts
from dashboards.model import Json, Override, Row
from dashboards.ookla_prometheus import MEAN, NOBODY, ROUGH, mean, named, shown, total
from dashboards.panels import promql, table, timeseries

TESTS = "asn_minutely_tests"
HELLOS = "hello_minutely_records"
REFUSALS = 'status!="200"'

BIGGEST = f"topk(10, {total(TESTS, by='asn', at=' @ end()')})"
"""The same ten all along a chart."""

SHARE = f"{total(TESTS, by='asn')} / on () group_left () {total(TESTS)}"

# A provider that is gone must be seen to fall to nothing; but a runner that is gone leaves a gap.
LEADING = f"""({mean(TESTS, by="asn")} and {BIGGEST})
or (0 * {BIGGEST} and on () count({shown("minutely_tests")}))"""
OTHERS = f"sum({mean(TESTS, by='asn')} unless {BIGGEST})"

REFUSED = f"topk(10, {total(HELLOS, REFUSALS, by='asn')} > 0)"

PROVIDER = {"asname": "Provider", "asn": "AS number"}
BAR: dict[str, Json] = {
    "unit": "percentunit",
    "min": 0,
    "max": 1,
    "decimals": 1,
    "custom.cellOptions": {"type": "gauge"},
}


BIGGEST_TABLE = table(
    title="Biggest providers",
    description="The ten with most tests in the chosen time, and their share of all tests with a readable token. "
    f"Without a database of providers all are unknown. {ROUGH}",
    targets=[
        promql(named(f"topk(10, {total(TESTS, by='asn')})", TESTS), table=True),
        promql(named(f"topk(10, {SHARE})", TESTS), table=True),
    ],
    unit="short",
    decimals=0,
    no_value=NOBODY,
    overrides=[texts(*PROVIDER.values()), Override("Share", BAR)],
    transformations=merged(PROVIDER, ["Tests", "Share"], "Tests"),
)
REFUSED_TABLE = table(
    title="Providers whose tests are refused",
    description="HI records with another status than 200: the ten providers with most of them, and the share of their "
    f"own records. Records without a readable token are of the provider unknown. {ROUGH}",
    targets=[
        promql(named(REFUSED, HELLOS), table=True),
        promql(named(f"{total(HELLOS, by='asn')} and {REFUSED}", HELLOS), table=True),
        promql(named(f"{REFUSED} / {total(HELLOS, by='asn')}", HELLOS), table=True),
    ],
    unit="short",
    decimals=0,
    no_value="None was refused in this time.",
    overrides=[texts(*PROVIDER.values()), Override("Share", BAR)],
    transformations=merged(PROVIDER, ["Refused", "HI records", "Share"], "Refused"),
)
POINTS = 250
"""As many as the areas of eleven lines need."""
OVER_TIME = [promql(named(LEADING, TESTS), "{{asname}}"), promql(OTHERS, "all others")]
OVER_TIME_PANEL = timeseries(
    title="Tests per minute by provider",
    description=f"The ten biggest of the chosen time, and all others together. {MEAN} A provider that falls to "
    f"nothing is an outage of its own. {ROUGH}",
    targets=OVER_TIME,
    unit="short",
    no_value=NOBODY,
    stack="normal",
    max_points=POINTS,
    minimum=0,
)
SHARE_PANEL = timeseries(
    title="Share of all tests by provider",
    description="The same, as shares: a provider that disappears shows here even at night, when all have few tests. "
    + ROUGH,
    targets=OVER_TIME,
    unit="short",
    no_value=NOBODY,
    stack="percent",
    max_points=POINTS,
    minimum=0,
)
REFUSED_PANEL = timeseries(
    title="Refused HI records per minute by status",
    description=f"HI records with another status than 200: what clients were told. {MEAN} {ROUGH}",
    targets=[promql(mean(HELLOS, REFUSALS, by="status"), "status {{status}}")],
    unit="short",
    no_value="None was refused in this time.",
    minimum=0,
    width=24,
    height=7,
)

PROVIDERS = Row("Providers", [BIGGEST_TABLE, REFUSED_TABLE, OVER_TIME_PANEL, SHARE_PANEL, REFUSED_PANEL])
