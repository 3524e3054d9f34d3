"""What holds for all tests."""

from __future__ import annotations

from hypothesis import settings

# how long an example takes says how busy the machine is; that is for the benches to measure
settings.register_profile("pegel", deadline=None)
settings.load_profile("pegel")
