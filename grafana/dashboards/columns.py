"""Tables out of several queries of Prometheus: one row for each set of labels, a column for each query."""

from __future__ import annotations

from collections.abc import Mapping
from string import ascii_uppercase

from dashboards.model import Json, Override


def texts(*headings: str) -> Override:
    """Columns that are read as they are: a text of digits is a number to Grafana, and 64496 would be 64 K."""
    return Override(f"/^({'|'.join(headings)})$/", {"unit": "string"})


def merged(
    labels: Mapping[str, str], columns: list[str], first: str = "", hidden: tuple[str, ...] = ()
) -> list[dict[str, Json]]:
    """The transformations that make it.

    Args:
        labels: Headings of the labels, from left to right.
        columns: Headings of the values, one for each query.
        first: The column whose greatest value is at the top.
        hidden: Labels that nobody needs to see.
    """
    values = dict(zip((f"Value #{letter}" for letter in ascii_uppercase), columns, strict=False))
    names: dict[str, Json] = {**labels, **values}
    order: dict[str, Json] = {name: place for place, name in enumerate(names)}
    left_out: dict[str, Json] = dict.fromkeys(("Time", *hidden), True)
    made: list[dict[str, Json]] = [
        {"id": "merge", "options": {}},
        {"id": "organize", "options": {"excludeByName": left_out, "indexByName": order, "renameByName": names}},
    ]
    sort: dict[str, Json] = {"id": "sortBy", "options": {"fields": {}, "sort": [{"field": first, "desc": True}]}}
    return [*made, sort] if first else made
