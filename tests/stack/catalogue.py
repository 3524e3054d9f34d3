"""Every metric that a runner may show to a Prometheus: its name there, and its labels."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from pathlib import Path

from doubles import House
from pegel.config import load
from pegel.pipeline import own
from pegel.plan import OWN_PREFIX
from pegel.sinks.exposition import families, family_name, metric_name
from pegel.state import snapshots

Catalogue = Mapping[str, frozenset[str]]
"""Labels by the name of the metric."""

SCRAPED = frozenset({"job", "instance"})
"""Labels that Prometheus adds to whatever it fetches."""

WRITTEN = frozenset({"runner", "backfill"})
"""Labels that a runner adds to whatever it writes to Prometheus by itself."""

_HAS = SCRAPED | WRITTEN
"""Which road the metrics of a runner take is its configuration's to say."""

_NOON = 1_772_539_200

_CONFIG = """
[runner]
state = "{directory}/state"

[[sources]]
name = "job"
preset = "{preset}"
type = "file"
path = "{directory}/log"
"""

_ENVIRON = {"HOSTNAME": "here", "S3_ACCESS_KEY": "key", "S3_SECRET_KEY": "secret", "GEOIP_DB_PATH": ""}


def of_preset(preset: str, directory: Path) -> Catalogue:
    """What the metrics of a preset are called on the page."""
    config = directory / f"{preset}.toml"
    config.write_text(_CONFIG.format(directory=directory, preset=preset), encoding="utf-8")
    found: dict[str, frozenset[str]] = {}
    for metric in chain.from_iterable(one.shown() for one in load(config, _ENVIRON).metrics):
        labels = _HAS | set(metric.labels) | set(metric.constant_labels)
        texts = {name for name, value in metric.values.items() if value.kind == "info"}
        if texts:
            found[f"{metric_name(metric.name)}_info"] = labels | texts
        for name in metric.values.keys() - texts:
            alone = set(metric.values) == {"value"}
            found[family_name(metric.name, name, metric.values[name].kind, alone=alone)] = labels
    return found


def of_runner(directory: Path) -> Catalogue:
    """What a runner says about itself, and all that it may count one day."""
    found = {f"{OWN_PREFIX}{name}_total": _HAS | set(labels) for name, (labels, _) in own.COUNTERS.items()}
    house = House(directory)
    house.source.write((_NOON, "a", 1, "u"))
    house.run()
    runner = house.runner()
    snapshots.take(runner.state.path)
    for family in families(runner._own_snapshot()):
        names = {name for labels in family.series for name, _ in labels}
        found[family.name] = _HAS | names
    runner.close()
    return found
