"""A table of given rows, as a format would make it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from pegel.enrichers import Enricher
from pegel.table import Engine, Table, quote

_TYPES = {str: "VARCHAR", int: "BIGINT", float: "DOUBLE", bool: "BOOLEAN"}


@contextmanager
def table(columns: Mapping[str, Sequence[Any]], rejects: Sequence[str | None] | None = None) -> Iterator[Table]:
    """A kept table of columns; `rejects` is its `_reject`, all NULL if it is not given."""
    count = len(next(iter(columns.values())))
    kinds = {
        name: next((_TYPES[type(value)] for value in values if value is not None), "VARCHAR")
        for name, values in columns.items()
    }
    given = {"_row": list(range(count)), "_reject": rejects or [None] * count, **columns}
    types = {"_row": "BIGINT", "_reject": "VARCHAR", **kinds}
    picked = ", ".join(f"unnest($p{index}::{types[name]}[]) as {quote(name)}" for index, name in enumerate(given))
    with Engine().batch() as batch:
        values = {f"p{index}": list(column) for index, column in enumerate(given.values())}
        batch.query(f"create temp table given as select {picked}", values)
        yield batch.table("select * from given", kinds)


def enriched(
    enricher: Enricher, columns: Mapping[str, Sequence[Any]], rejects: Sequence[str | None] | None = None
) -> dict[str, list[Any]]:
    """The added columns, or the columns that are left, by name."""
    with table(columns, rejects) as given:
        added = list(enricher.adds(given.columns)) or list(given.columns)
        result = enricher.enrich(given)
        assert result.columns.keys() == {*given.columns, *enricher.adds(given.columns)}
        rows = sorted(result.rows("_row", *added))
        return {name: [row[index] for row in rows] for index, name in enumerate(added, 1)}
