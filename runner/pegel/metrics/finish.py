"""From merged panes to values. A bare aggregate is read; anything else DuckDB computes, once for all panes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from pegel import sql
from pegel.metrics.lifting import Suffix
from pegel.metrics.partials import Pane, Scalar
from pegel.metrics.reading import Bounded, Reading, Result
from pegel.sinks import Histogram
from pegel.sinks import Value as Point

_LARGEST = 2**63 - 1


@dataclass(frozen=True)
class Operand:
    """An aggregate as a column of a final expression: its type is that of the original aggregate."""

    name: str
    type: str
    reading: Reading


@dataclass(frozen=True)
class Final:
    """One value of a metric: a histogram, a bare aggregate (`expression` is None), or SQL over operands.

    Attributes:
        kind: What it is outside, whatever the data are.
    """

    name: str
    kind: Suffix
    reading: Reading | Bounded | None
    expression: str | None = None


@dataclass(frozen=True)
class Finisher:
    """All values of a metric."""

    finals: tuple[Final, ...]
    operands: tuple[Operand, ...]

    def finish(self, panes: Sequence[Pane]) -> list[Mapping[str, Point | Histogram]]:
        """The values of each pane; one that does not exist is left out."""
        columns: dict[str, Sequence[Point | Histogram | None]] = {}
        computed = [final for final in self.finals if final.expression is not None]
        if computed and panes:
            columns |= zip((final.name for final in computed), self._computed(computed, panes), strict=True)
        for final in self.finals:
            if final.reading is not None:
                columns[final.name] = _read(final, final.reading, panes)
        names = [final.name for final in self.finals]
        if not panes:
            return []
        rows = zip(*(columns[name] for name in names), strict=True)
        return [{n: v for n, v in zip(names, row, strict=True) if v is not None} for row in rows]

    def _computed(self, finals: Sequence[Final], panes: Sequence[Pane]) -> list[list[Point | None]]:
        values = {o.name: [_parameter(o.reading.read(pane)) for pane in panes] for o in self.operands}
        unnested = ", ".join(f"unnest(${o.name}::{_carrier(o.type)}[])::{o.type} as {o.name}" for o in self.operands)
        picked = ", ".join(_cast(final) for final in finals)
        rows = sql.evaluate(f"select {picked} from (select {unnested})", values)
        return [
            [_outside(value, final.kind) for value in column]
            for final, column in zip(finals, zip(*rows, strict=True), strict=True)
        ]


def _cast(final: Final) -> str:
    into = {"integer": "bigint", "real": "double", "text": "varchar"}[final.kind]
    return f"try_cast(try({final.expression}) as {into})"


def _read(final: Final, reading: Reading | Bounded, panes: Sequence[Pane]) -> list[Point | Histogram | None]:
    if isinstance(reading, Bounded):
        return [reading.histogram(pane) for pane in panes]
    return [_outside(reading.read(pane), final.kind) for pane in panes]


def _outside(value: Result, kind: Suffix) -> Point | None:
    """A value as sinks know it: of one type for ever, finite, and in 64 bits."""
    if value is None:
        return None
    if kind == "text":
        return str(value)
    if kind == "integer":
        number = int(value)
        return number if -_LARGEST <= number <= _LARGEST else None
    return float(value) if math.isfinite(float(value)) else None


def _carrier(kind: str) -> str:
    return "varchar" if kind.startswith("DECIMAL") else "bigint" if kind in ("HUGEINT", "BOOLEAN") else kind


def _parameter(value: Result) -> Scalar:
    return f"{value:f}" if isinstance(value, Decimal) else value
