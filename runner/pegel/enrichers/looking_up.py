"""Columns by what is found for each distinct value of another column."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from pegel.arrow import Frame, texts
from pegel.table import Columns, Table, quote

Found = Mapping[str, Sequence[str]]
"""By value: what was found, as many texts for each; empty ones stand for nothing."""

Expressions = Callable[[Sequence[str]], Mapping[str, str]]
"""SQL of the new columns over the names of the columns that hold the texts."""


def looked_up(
    table: Table, column: str, find: Callable[[Sequence[str]], Found], width: int, added: Expressions, types: Columns
) -> Table:
    """A table with columns made of what is found for a text column, asked for once per distinct value.

    Rows without a value, or with one of which nothing is found, have NULL where the texts would be.

    Args:
        table: It is held, since it is read twice.
        column: The column whose values are looked up.
        find: Looks up distinct values.
        width: How many texts are found for a value.
        added: The new columns.
        types: Their types.
    """
    held = table.batch.hold(table)
    found = find(held.distinct(column))
    if not found:
        return held.with_columns(added(["null::varchar"] * width), types)
    key, *places = names = [f"_found_{number}" for number in range(width + 1)]
    columns = [list(found), *zip(*found.values(), strict=True)]
    frame = table.batch.register(Frame(dict(zip(names, map(texts, columns), strict=True))))
    joined = replace(held, sql=f"select * from ({held.sql}) left join {frame} on {quote(column)} = {key}")
    wide = joined.with_columns(added(places), types)
    return replace(wide, sql=f"select * exclude ({', '.join(names)}) from ({wide.sql})", held=True)
