"""The rules of the stack's Prometheus and their tests, as its files say them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from stack.project import ROOT

HOME = ROOT / "stack" / "prometheus"
RUNBOOK = ROOT / "docs" / "runbook.md"
RULES = sorted((HOME / "rules").glob("*.yml"))
TESTS = sorted((HOME / "tests").glob("*_test.yml"))


@dataclass(frozen=True)
class Alert:
    """One alert."""

    group: str
    name: str
    expression: str
    labels: dict[str, str]
    annotations: dict[str, str]


def read(path: Path) -> Any:
    """A file of YAML."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def alerts() -> list[Alert]:
    """All alerts, in the order of their files."""
    return [
        Alert(group["name"], rule["alert"], rule["expr"], rule["labels"], rule["annotations"])
        for path in RULES
        for group in read(path)["groups"]
        for rule in group["rules"]
        if "alert" in rule
    ]


def cases(path: Path) -> Iterator[tuple[str, bool]]:
    """Each moment that a file of tests looks at: the alert, and whether it must fire."""
    for test in read(path)["tests"]:
        for case in test.get("alert_rule_test", ()):
            yield case["alertname"], bool(case["exp_alerts"])
        for case in test.get("promql_expr_test", ()):
            for sample in case["exp_samples"]:
                yield sample["labels"].split('alertname="')[1].split('"')[0], True
