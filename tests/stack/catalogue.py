"""Every metric that a runner may show to a Prometheus: its name there, and its labels."""

from __future__ import annotations

from collections.abc import Mapping
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

_NOON = 1_772_539_200

_CONFIG = """
[runner]
state = "{directory}/state"

[[sources]]
name = "job"
preset = "{preset}"
path = "{directory}/log"
"""


def of_preset(preset: str, directory: Path) -> Catalogue:
    """What the metrics of a preset are called on the page."""
    config = directory / f"{preset}.toml"
    config.write_text(_CONFIG.format(directory=directory, preset=preset), encoding="utf-8")
    found: dict[str, frozenset[str]] = {}
    for metric in load(config, {"HOSTNAME": "here"}).metrics:
        labels = SCRAPED | set(metric.labels)
        texts = {name for name, value in metric.values.items() if value.kind == "info"}
        if texts:
            found[f"{metric_name(metric.name)}_info"] = labels | texts
        for name in metric.values.keys() - texts:
            alone = set(metric.values) == {"value"}
            found[family_name(metric.name, name, metric.values[name].kind, alone=alone)] = labels
    return found


def of_runner(directory: Path) -> Catalogue:
    """What a runner says about itself, and all that it may count one day."""
    found = {f"{OWN_PREFIX}{name}_total": SCRAPED | set(labels) for name, (labels, _) in own.COUNTERS.items()}
    house = House(directory)
    house.source.write((_NOON, "a", 1, "u"))
    house.run()
    runner = house.runner()
    snapshots.take(runner.state.path)
    for family in families(runner._own_snapshot()):
        names = {name for labels in family.series for name, _ in labels}
        found[family.name] = SCRAPED | names
    runner.close()
    return found
