"""The type of a value is decided by its expression: a server that has stored integers refuses floats for ever."""

from __future__ import annotations

import functools
import itertools

import hypothesis.strategies as st
from hypothesis import HealthCheck, given, settings

from metrics.making import compiled, fold
from metrics.test_splitting_property import NUMBERS, ORDERED, PLAIN, QUANTILES, SHAPES, record
from pegel.metrics.closing import close
from pegel.metrics.compiled import CompiledMetric
from pegel.metrics.partials import Partials
from pegel.table import Engine

TYPES = {"integer": int, "real": float, "text": str}

SHAPED = [shape.format(one, other) for shape in SHAPES for one, other in itertools.pairwise(NUMBERS)]


@functools.cache
def everything() -> tuple[CompiledMetric, CompiledMetric]:
    """Bare aggregates, and expressions over them; half of these, as each is computed alone."""
    bare = dict(enumerate([*PLAIN, *ORDERED, *QUANTILES]))
    return tuple(  # type: ignore[return-value]
        compiled({f"v{number}": text for number, text in chosen.items()})
        for chosen in (bare, dict(enumerate(SHAPED[::2])))
    )


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(blocks=st.lists(st.lists(record, min_size=1, max_size=8), min_size=1, max_size=3))
def test_a_value_has_the_type_of_its_expression_whatever_the_records_are(
    blocks: list[list[dict[str, object]]], engine: Engine
) -> None:
    """Whole sums of floats, empty groups, one record or many: an int today is an int tomorrow."""
    for metric in everything():
        assert metric.finisher is not None
        kinds = {final.name: TYPES[final.kind] for final in metric.finisher.finals}
        merged = Partials()
        with engine.batch() as batch:
            for number, block in enumerate(blocks):
                placed = [{"_pos": 100 * number + place, **one} for place, one in enumerate(block)]
                merged = metric.merge(merged, fold(metric, batch, placed))
        for values in metric.finish([window.pane for window in close(metric, merged)]):
            assert {name: type(value) for name, value in values.items()} == {name: kinds[name] for name in values}
