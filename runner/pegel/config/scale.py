"""`[scale]`: workers on other machines."""

from __future__ import annotations

import os
from collections.abc import Iterator

from pegel.config.document import Node
from pegel.config.options import build
from pegel.config.problems import Problem
from pegel.plan import Plan, ScaleSettings

_FILES = ("ca_file", "cert_file", "key_file")


def scale_settings(node: Node | None, problems: list[Problem]) -> ScaleSettings | None:
    """The settings; None where there are none, or they are wrong."""
    if node is None:
        return None
    settings = build(ScaleSettings, node, problems)
    for name in _FILES if settings else ():
        file = getattr(settings, name)
        if file is not None and not os.access(file, os.R_OK):
            problems.append(node.table[name].problem("cannot be read; is the path right, and may this user read it?"))
    return settings


def idle_scale(plan: Plan, node: Node | None) -> Iterator[Problem]:
    """Warnings for what workers will not read."""
    if node is None:
        return
    for source in plan.sources:
        if source.source.shared and any(enricher.slow for enricher in source.enrichers):
            yield node.problem(
                f"source {source.name} is read by the runner alone: one of its enrichers asks others (whois)"
            )
    if not any(source.source.shared for source in plan.sources):
        yield node.problem("there is no source with objects (type s3), so workers have nothing to read")
