from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from pegel.metrics import buckets
from pegel.table import Batch, Engine

numbers = st.floats(-1e308, 1e308, allow_subnormal=False)


def of(batch: Batch, value: float) -> int:
    ((found,),) = batch.query(f"select {buckets.quantile_sql('x')} from (select $x::double as x)", {"x": value})
    assert isinstance(found, int)
    return found


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(numbers, numbers)
def test_a_bucket_stands_for_its_numbers_within_one_percent_and_keeps_their_order(
    engine: Engine, a: float, b: float
) -> None:
    low, high = sorted((a, b))
    with engine.batch() as batch:
        first, second = of(batch, low), of(batch, high)
    assert first <= second
    assert buckets.value(first) == pytest.approx(low, rel=buckets.ACCURACY + 1e-9)
    assert buckets.value(second) == pytest.approx(high, rel=buckets.ACCURACY + 1e-9)


@pytest.mark.parametrize("value", [5e-324, 1.7976931348623157e308, -1.7976931348623157e308, 0.0, -0.0, 1.0])
def test_the_smallest_and_largest_doubles_have_buckets(batch: Batch, value: float) -> None:
    bucket = of(batch, value)
    assert (bucket > 0) - (bucket < 0) == (value > 0) - (value < 0)
    assert buckets.value(bucket) == pytest.approx(value, rel=0.0101, abs=1e-320)


def test_a_bound_belongs_to_its_own_bucket(batch: Batch) -> None:
    """As in Prometheus: `le` is less than or equal."""
    sql = buckets.histogram_sql("x", (1.0, 2.5))
    rows = batch.query(f"select {sql} from (values (-1.0), (1.0), (1.1), (2.5), (9.0), (null)) as given(x)")
    assert [row[0] for row in rows] == [0, 0, 1, 1, 2, None]
