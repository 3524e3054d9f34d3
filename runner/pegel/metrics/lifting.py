"""How the value of one record enters the partials: as int64, as a double, or as text, and what cannot.

SQL makes of a record NULL where it has nothing to say. A float that is not finite and a number that does not fit
are NULL too, and counted. A decimal travels as an integer, scaled by its digits, so that its sums stay exact.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Suffix = Literal["integer", "real", "text"]

_INTEGERS = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"})
_WIDE = frozenset({"UBIGINT", "HUGEINT", "UHUGEINT", "BIGNUM"})
_FLOATS = frozenset({"FLOAT", "DOUBLE"})
_EXACT_DIGITS = 18  # what int64 holds whatever the digits are
_LARGEST_SQUARE = "1e150"  # its square is still a double


@dataclass(frozen=True)
class Lift:
    """SQL for the value of one record.

    Attributes:
        sql: The value, or NULL.
        suffix: What it is in the partials.
        scale: Decimal digits behind the point of a scaled integer.
        not_finite: SQL condition: the record had a value that is not a finite number.
        overflow: SQL condition: the record had a value that is too large.
    """

    sql: str
    suffix: Suffix
    scale: int = 0
    not_finite: str | None = None
    overflow: str | None = None


def numeric(kind: str) -> bool:
    """Whether a type counts or measures (a boolean does, as 0 and 1)."""
    return kind == "BOOLEAN" or kind in _INTEGERS | _WIDE | _FLOATS or kind.startswith("DECIMAL")


def border(kind: str) -> Suffix | None:
    """What a DuckDB type is outside: sinks know integers, floats and text; None for all else."""
    if kind == "BOOLEAN" or kind in _INTEGERS | _WIDE:
        return "integer"
    if kind in _FLOATS or kind.startswith("DECIMAL"):
        return "real"
    return "text" if kind in ("VARCHAR", "UUID", "JSON") or kind.startswith("ENUM") else None


def sum_type(kind: str) -> str:
    """The type that DuckDB gives to the sum of a type."""
    if kind.startswith("DECIMAL"):
        scale = _decimal(kind)[1]
        return f"DECIMAL(38,{scale})" if scale <= _EXACT_DIGITS else "DOUBLE"
    return "DOUBLE" if kind in _FLOATS else "HUGEINT"


def exact(sql: str, kind: str) -> Lift | None:
    """The value as it is; None where its type has no place in the partials."""
    if kind == "BOOLEAN" or kind in _INTEGERS:
        return Lift(f"{sql}::bigint", "integer")
    if kind in _WIDE:
        return _narrowed(sql, "bigint", 0)
    if kind in _FLOATS:
        return _finite(sql)
    if kind.startswith("DECIMAL"):
        return _scaled(sql, *_decimal(kind))
    return Lift(sql, "text") if kind == "VARCHAR" else None


def real(sql: str, kind: str) -> Lift | None:
    """A number as a finite double; None for what is no number."""
    if kind in _FLOATS:
        return _finite(sql)
    return Lift(f"{sql}::double", "real") if numeric(kind) else None


def squarable(sql: str, kind: str) -> Lift | None:
    """A number as a double whose square is one too."""
    lift = real(sql, kind)
    if lift is None or lift.not_finite is None:
        return lift
    fits = f"abs({sql}) < {_LARGEST_SQUARE}"
    too_large = f"(isfinite({sql}) and not {fits})"
    return Lift(f"case when {fits} then {sql}::double end", "real", 0, lift.not_finite, too_large)


def text(sql: str, kind: str) -> Lift:
    """The text form of a value, the same for equal values."""
    if kind in _FLOATS:
        finite = _finite(sql)
        return Lift(f"({finite.sql} + 0.0::double)::varchar", "text", 0, finite.not_finite)  # -0.0 equals 0.0
    return Lift(sql if kind == "VARCHAR" else f"{sql}::varchar", "text")


def filtered(lift: Lift, condition: str | None) -> Lift:
    """The value only of those records that satisfy a condition."""
    if condition is None:
        return lift

    def both(problem: str | None) -> str | None:
        return None if problem is None else f"({condition} and {problem})"

    value = f"case when {condition} then {lift.sql} end"
    return Lift(value, lift.suffix, lift.scale, both(lift.not_finite), both(lift.overflow))


def _finite(sql: str) -> Lift:
    not_finite = f"({sql} is not null and not isfinite({sql}))"
    return Lift(f"case when isfinite({sql}) then {sql}::double end", "real", 0, not_finite)


def _narrowed(sql: str, into: str, scale: int) -> Lift:
    narrow = f"try_cast({sql} as {into})"
    value = f"({narrow} * {10**scale})::bigint" if scale else f"{narrow}::bigint"
    return Lift(value, "integer", scale, None, f"({sql} is not null and {narrow} is null)")


def _scaled(sql: str, width: int, scale: int) -> Lift:
    if scale > _EXACT_DIGITS:
        return Lift(f"{sql}::double", "real")
    if width > _EXACT_DIGITS:
        return _narrowed(sql, f"decimal({_EXACT_DIGITS},{scale})", scale)
    return Lift(f"({sql} * {10**scale})::bigint" if scale else f"{sql}::bigint", "integer", scale)


def _decimal(kind: str) -> tuple[int, int]:
    width, scale = re.findall(r"\d+", kind)
    return int(width), int(scale)
