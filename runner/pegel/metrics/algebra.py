"""The algebra: every way in which partials of records become one, written once for three engines.

A `Rule` says how one record becomes partials (`single`, DuckDB), how many records do (`fold`, DuckDB), and how
two partials merge: as SQL of an upsert in the state (`upsert`, SQLite) and in memory (`merge`, Python). The four
agree; tests compare them. A partial is int64, double or text, or NULL where no record had a value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pegel.metrics.partials import Scalar, ScalarPart

OVERFLOW = -(2**63)
"""An integer partial that did not fit: it stays so whatever is merged with it, and gives no value."""

_LARGEST = 2**63 - 1
_OVERFLOW_SQL = f"(-{_LARGEST} - 1)"  # neither engine reads -2^63 as an integer

Values = tuple[Scalar, ...]
Merge = Callable[[Values, Values], Values]


@dataclass(frozen=True)
class Rule:
    """One kind of mergeable partial: one column, or several that belong together.

    In `single` and `fold`, `{x}` is the value of a record, NULL where it does not take part. In `upsert`, `{0}`,
    `{1}`, … are the columns and `{old}`, `{new}` the prefixes of the two rows.
    """

    types: tuple[str, ...]
    single: tuple[str, ...]
    fold: tuple[str, ...]
    upsert: tuple[str, ...]
    merge: Merge

    def parts(self, names: Sequence[str]) -> list[ScalarPart]:
        """The columns of the state under the given names."""
        kept = {"old": "{old}", "new": "{new}"}
        merges = [text.format(*names, **kept) for text in self.upsert]
        return [ScalarPart(n, t, m) for n, t, m in zip(names, self.types, merges, strict=True)]  # type: ignore[arg-type]


def _sum(old: Scalar, new: Scalar) -> Scalar:
    if old is None or new is None:
        return new if old is None else old
    result = float(old) + float(new)
    return None if math.isnan(result) else result


def _add_integers(old: Values, new: Values) -> Values:
    (a,), (b,) = old, new
    if a is None or b is None:
        return new if a is None else old
    assert isinstance(a, int)
    assert isinstance(b, int)
    total = a + b
    stuck = OVERFLOW in (a, b) or not -_LARGEST <= total <= _LARGEST
    return (OVERFLOW if stuck else total,)


def _add_floats(old: Values, new: Values) -> Values:
    total = _sum(old[0], new[0])
    return (total,) if total is not None else (old if old[0] is not None else new)


def _least(old: Values, new: Values) -> Values:
    (a,), (b,) = old, new
    return new if a is None or (b is not None and b < a) else old  # type: ignore[operator]


def _greatest(old: Values, new: Values) -> Values:
    (a,), (b,) = old, new
    return new if a is None or (b is not None and b > a) else old  # type: ignore[operator]


def _earliest(old: Values, new: Values) -> Values:
    return new if old[1] is None or (new[1] is not None and new[1:] < old[1:]) else old


def _latest(old: Values, new: Values) -> Values:
    return new if old[1] is None or (new[1] is not None and new[1:] > old[1:]) else old


def _moments(old: Values, new: Values) -> Values:
    """Chan's merge of (n, mean, M2): exact where sums of squares cancel."""
    (na, ma, qa), (nb, mb, qb) = old, new
    if not nb or not na:
        return old if na or nb is None else new
    assert isinstance(na, int)
    assert isinstance(nb, int)
    n, delta = na + nb, float(mb or 0) - float(ma or 0)
    mean = float(ma or 0) + delta * nb / n
    return n, mean, float(qa or 0) + float(qb or 0) + delta * delta * na * nb / n


# (t, position) as one 128-bit number, so that DuckDB compares one key; times are shifted to be positive
_SHIFT = 2**62
_KEY = f"(((_t + {_SHIFT})::hugeint << 63) + _pos)"
_NO_OVERFLOW = (
    "{old}{0} = " + _OVERFLOW_SQL + " or {new}{0} = " + _OVERFLOW_SQL + " or typeof({old}{0} + {new}{0}) = 'real'"
)
_ADDED = "coalesce({old}{0} + {new}{0}, {old}{0}, {new}{0})"
_ADDED_INTEGERS = f"case when {_NO_OVERFLOW} then {_OVERFLOW_SQL} else {_ADDED} end"
_SUM_INTEGERS = (
    "case when count({x}) > 0 then coalesce(try_cast(sum({x}) as bigint), " + _OVERFLOW_SQL + "::bigint) end"
)


def _ordered(kind: str, which: str) -> Rule:
    return Rule(
        types=(kind,),
        single=("{x}",),
        fold=(which + "({x})",),
        upsert=(f"coalesce({which}({{old}}{{0}}, {{new}}{{0}}), {{old}}{{0}}, {{new}}{{0}})",),
        merge=_least if which == "min" else _greatest,
    )


def _timed(kind: str, sign: str) -> Rule:
    which = "min" if sign == "<" else "max"
    key = f"{which}(case when {{x}} is not null then {_KEY} end)"
    newer = "{old}{1} is null or ({new}{1}, {new}{2}) " + sign + " ({old}{1}, {old}{2})"
    return Rule(
        types=(kind, "INTEGER", "INTEGER"),
        single=("{x}", "case when {x} is not null then _t end", "case when {x} is not null then _pos end"),
        fold=(
            f"arg_{which}({{x}}, {_KEY})",
            f"({key} >> 63)::bigint - {_SHIFT}",
            f"({key} & {_LARGEST})::bigint",
        ),
        upsert=tuple(f"case when {newer} then {{new}}{{{i}}} else {{old}}{{{i}}} end" for i in range(3)),
        merge=_earliest if sign == "<" else _latest,
    )


def _moments_upsert(both: str) -> str:
    one = "case when coalesce({new}{0}, 0) = 0 then {old}{%d} when coalesce({old}{0}, 0) = 0 then {new}{%d}"
    return one + f" else {both} end"


_DELTA = "({new}{1} - {old}{1})"
_MEAN = "{old}{1} + " + _DELTA + " * {new}{0} / ({old}{0} + {new}{0})"
_SQUARES = "{old}{2} + {new}{2} + " + _DELTA + " * " + _DELTA + " * {old}{0} * {new}{0} / ({old}{0} + {new}{0})"

RULES: dict[str, Rule] = {
    "count": Rule(
        types=("INTEGER",),
        single=("({x} is not null)::bigint",),
        fold=("count({x})",),
        upsert=(_ADDED_INTEGERS,),
        merge=_add_integers,
    ),
    "sum_integer": Rule(
        types=("INTEGER",),
        single=("{x}",),
        fold=(_SUM_INTEGERS,),
        upsert=(_ADDED_INTEGERS,),
        merge=_add_integers,
    ),
    "sum_real": Rule(
        types=("REAL",),
        single=("{x}",),
        fold=("sum({x})",),
        upsert=(_ADDED,),
        merge=_add_floats,
    ),
    "moments": Rule(
        types=("INTEGER", "REAL", "REAL"),
        single=("({x} is not null)::bigint", "{x}", "case when {x} is not null then 0.0::double end"),
        fold=("count({x})", "avg({x})", "var_pop({x}) * count({x})"),
        upsert=(
            _ADDED,
            (_moments_upsert(_MEAN)).replace("%d", "1"),
            (_moments_upsert(_SQUARES)).replace("%d", "2"),
        ),
        merge=_moments,
    ),
    **{
        f"{which}_{suffix}": _ordered(kind, which)
        for which in ("min", "max")
        for suffix, kind in (("integer", "INTEGER"), ("real", "REAL"), ("text", "TEXT"))
    },
    **{
        f"{which}_{suffix}": _timed(kind, sign)
        for which, sign in (("first", "<"), ("last", ">"))
        for suffix, kind in (("integer", "INTEGER"), ("real", "REAL"), ("text", "TEXT"))
    },
}
