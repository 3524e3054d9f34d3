"""What is wrong with a metric."""

from __future__ import annotations

from collections.abc import Sequence

from pegel.sql import ExpressionError

Path = tuple[str | int, ...]
"""A field of the metric: `("values", "users")`, `("where",)`, `("labels", 2)`, `("every",)`."""


class MetricErrors(Exception):
    """A metric cannot be compiled.

    Attributes:
        errors: (field, what is wrong there), every one of them.
    """

    def __init__(self, errors: Sequence[tuple[Path, ExpressionError]]) -> None:
        self.errors = list(errors)
        super().__init__("\n".join(f"{'.'.join(map(str, path))}: {error}" for path, error in errors))
