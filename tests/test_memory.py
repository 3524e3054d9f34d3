from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from pegel.memory import give_back, settle


@pytest.fixture
def collector() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


@pytest.mark.usefixtures("collector")
def test_what_is_loaded_is_not_looked_at_again() -> None:
    """The collector walks through all modules otherwise, again and again while rows are fetched."""
    frozen = gc.get_freeze_count()
    settle()
    assert gc.get_freeze_count() > frozen
    assert gc.isenabled()


def test_freed_memory_can_be_given_back_at_any_time() -> None:
    """Also where the allocator knows nothing of it: then nothing happens."""
    give_back()
