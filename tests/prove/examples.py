"""A pytest plugin: only property tests, with PROVE_EXAMPLES examples each."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the tests that Hypothesis drives, and let them run longer."""
    kept = [item for item in items if getattr(getattr(item, "obj", None), "is_hypothesis_test", False)]
    for item in kept:
        test = item.obj  # type: ignore[attr-defined]
        inner = getattr(test, "__func__", test)
        inner._hypothesis_internal_use_settings = settings(
            inner._hypothesis_internal_use_settings,
            max_examples=int(os.environ["PROVE_EXAMPLES"]),
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
    items[:] = kept
