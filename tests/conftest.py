"""What holds for all tests."""

from __future__ import annotations

import gc
import logging
from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import settings

# how long an example takes says how busy the machine is; that is for the benches to measure
settings.register_profile("pegel", deadline=None)
settings.load_profile("pegel")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Generator[None, Any, Any]:
    """Leave the process as it was: a command that runs in it sets up its log and its garbage collector for good.

    A thousand runners that a simulation drops are 13 GB until somebody collects them.
    """
    log = logging.getLogger("pegel")
    level, propagate, handlers, thresholds = log.level, log.propagate, list(log.handlers), gc.get_threshold()
    try:
        return (yield)
    finally:
        log.setLevel(level)
        log.propagate, log.handlers[:] = propagate, handlers
        gc.unfreeze()
        gc.set_threshold(*thresholds)
