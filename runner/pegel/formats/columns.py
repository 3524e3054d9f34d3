"""Columns that the operator names, with types."""

from __future__ import annotations

from collections.abc import Mapping

TYPES = ("VARCHAR", "BIGINT", "DOUBLE", "BOOLEAN")
"""What a column can be: what partial results, labels and conditions are made of."""


def checked(types: Mapping[str, str]) -> dict[str, str]:
    """The columns with their types in DuckDB's spelling.

    Raises:
        ValueError: There is none, a name cannot be a column, or a type is not known.
    """
    if not types:
        raise ValueError("`columns` is empty; name the values to read, with their types")
    lower = [name.lower() for name in types]
    for name, kind in types.items():
        if not name or name.startswith("_"):
            raise ValueError(f'`columns`: "{name}" cannot be a column; names do not begin with "_"')
        if kind.upper() not in TYPES:
            raise ValueError(f'`columns`: "{kind}" is not a type; there are {", ".join(TYPES).lower()}')
        if lower.count(name.lower()) > 1:
            raise ValueError(f'`columns`: "{name}" is there twice; names are compared without case')
    return {name: kind.upper() for name, kind in types.items()}


def finite(value: str, kind: str) -> str:
    """SQL for a value that is NULL where a number is not finite."""
    return f"case when isfinite({value}) then {value} end" if kind == "DOUBLE" else value
