from __future__ import annotations

from collections.abc import Iterator

import pytest

from pegel.table import Batch, Engine


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    made = Engine()
    yield made
    made.close()


@pytest.fixture
def batch(engine: Engine) -> Iterator[Batch]:
    with engine.batch() as made:
        yield made
