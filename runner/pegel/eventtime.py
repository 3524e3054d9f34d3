"""Event time: how a column of a record becomes microseconds since 1970."""

from __future__ import annotations

from collections.abc import Sequence

from pegel.table import Batch, literal, quote

TIME = "_t"
"""Column with the event time in microseconds, NULL where it cannot be read."""

POSITION = "_pos"
"""Column with the order of arrival, for ties between equal times."""

NAMED = ("iso8601", "unix", "unix_ms", "unix_us")
_PER_SECOND = {"unix": 1_000_000, "unix_ms": 1_000, "unix_us": 1}


def expression(column: str, kind: str, formats: Sequence[str]) -> str:
    """SQL for the event time of a column of a DuckDB type; a BIGINT, NULL where no format fits.

    The formats are tried in order, each by itself: one call with a list of formats carries the offset of one
    row over to the next (DuckDB 2.0).
    """
    name = quote(column)
    if kind.startswith("TIMESTAMP"):
        return f"epoch_us({name})"
    tries = [_one(name, form) for form in formats]
    return tries[0] if len(tries) == 1 else f"coalesce({', '.join(tries)})"


def check(batch: Batch, formats: Sequence[str]) -> str | None:
    """What is wrong with a list of formats, None if they can be used."""
    if not formats:
        return "at least one format is needed"
    for form in formats:
        if form in NAMED:
            continue
        if "%" not in form:
            return f'"{form}" is neither a strptime format nor one of {", ".join(NAMED)}'
        try:
            batch.query(f"select {_one(literal('x'), form)}")
        except Exception as error:  # noqa: BLE001 - whatever DuckDB says about a format is what the user needs to read
            return f'"{form}" is not a time format: {str(error).splitlines()[0]}'
    return None


def _one(name: str, form: str) -> str:
    if form == "iso8601":
        return f"epoch_us(try_cast({name} as timestamptz))"
    if form in _PER_SECOND:
        return f"try_cast(round(try_cast({name} as double) * {_PER_SECOND[form]}) as bigint)"
    return f"epoch_us(try_strptime({name}, {literal(form)}))"
