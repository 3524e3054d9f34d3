"""Buckets: logarithmic ones for quantiles, given ones for histograms. Their counts merge by addition.

A log bucket holds the numbers in (g^(i-1), g^i] with g = 1.01 / 0.99, so its middle is within 1 % of each of them.
Bucket numbers grow with the values: negative numbers mirror the positive ones, 0 is 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

ACCURACY = 0.01
_GROWTH = (1 + ACCURACY) / (1 - ACCURACY)
_LARGEST_EXPONENT = 709.78
_OFFSET = 40_000  # more than the smallest and largest double need, so that a positive number has a positive bucket


def quantile_sql(x: str) -> str:
    """SQL for the log bucket of a finite double."""
    index = f"ceil(ln(abs({x})) / {math.log(_GROWTH)!r})::bigint + {_OFFSET}"
    return f"case when {x} > 0 then {index} when {x} < 0 then -({index}) when {x} = 0 then 0 end"


def value(bucket: int) -> float:
    """The number that stands for all in a log bucket."""
    if not bucket:
        return 0.0
    exponent = (abs(bucket) - _OFFSET) * math.log(_GROWTH) + math.log(2 / (_GROWTH + 1))
    return math.copysign(math.exp(min(exponent, _LARGEST_EXPONENT)), bucket)


def histogram_sql(x: str, bounds: Sequence[float]) -> str:
    """SQL for the number of the first bound that is not below a finite double, or how many bounds there are."""
    tests = " ".join(f"when {x} <= {bound!r}::double then {number}" for number, bound in enumerate(bounds))
    return f"case {tests} when {x} is not null then {len(bounds)} end"
