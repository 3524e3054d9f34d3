"""SQL expressions of the config: bound against known columns before anything runs. (Owns DuckDB's syntax tree.)"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass
class ExpressionError(Exception):
    """An expression is wrong.

    Attributes:
        message: What is wrong, without the place.
        position: Character offset in the expression, 0 where unknown.
        candidates: Names that may have been meant, best first.
    """

    message: str
    position: int = 0
    candidates: Sequence[str] = ()
