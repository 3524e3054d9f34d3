"""What a metric computes of every record, as SQL text: plain data that can be sent to another machine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pegel.metrics.algebra import RULES, Rule
from pegel.metrics.partials import ScalarPart
from pegel.metrics.windows import DAY, Windows
from pegel.table import Columns, Table, quote

_ERAS = 2**60 // DAY * DAY


@dataclass(frozen=True)
class Column:
    """A scalar partial: a rule applied to lifted value number `x`; it has one state column per name."""

    rule: str
    x: int
    names: tuple[str, ...]

    @property
    def how(self) -> Rule:
        """The rule itself."""
        return RULES[self.rule]


@dataclass(frozen=True)
class Program:
    """The part of a compiled metric that runs over records.

    Attributes:
        columns: What it reads of a table, with types.
        where: SQL condition on records.
        lifts: SQL of the values of one record, all over `columns`.
        scalars: What becomes columns of a pane's row.
        sets: Lifts whose distinct values are kept, by set.
        buckets: Lifts that are bucket numbers, by bucket part.
        rejects: SQL conditions by reason: the record has a value that cannot be used.
    """

    windows: Windows
    columns: Columns
    where: str | None
    labels: tuple[str, ...]
    lifts: tuple[str, ...]
    scalars: tuple[Column, ...]
    sets: tuple[int, ...]
    buckets: tuple[int, ...]
    rejects: tuple[tuple[str, str], ...]

    def parts(self) -> list[ScalarPart]:
        """The columns of a pane's row, in the order of `scalars`."""
        return [part for column in self.scalars for part in column.how.parts(column.names)]

    def each(self, table: Table) -> str:
        """A SELECT with a row per record: time, labels, rejects, scalar partials, values of sets, bucket numbers."""
        picked = ["_t", *self._labels(), *(condition for _, condition in self.rejects)]
        picked += [s.format(x=f"({self.lifts[c.x]})") for c in self.scalars for s in c.how.single]
        picked += [self.lifts[x] for x in (*self.sets, *self.buckets)]
        return f"select {', '.join(picked)} from {self._source(table)}"

    def records(self, table: Table, pane: str, lifts: Iterable[int], *, rejects: bool = False) -> str:
        """A SELECT with the pane `_p`, `_t`, `_pos`, the labels `_l0`… and the lifts `_x0`… that are asked for."""
        picked = [f"{pane} as _p", "_t", "_pos"]
        picked += [f"{text} as _l{number}" for number, text in enumerate(self._labels())]
        picked += [f"{self.lifts[number]} as _x{number}" for number in sorted(set(lifts))]
        if rejects:
            picked += [f"{condition} as _r{number}" for number, (_, condition) in enumerate(self.rejects)]
        return f"select {', '.join(picked)} from {self._source(table)}"

    def pane(self, table: Table) -> str:
        """SQL for the start of the pane of `_t`; for calendar days it depends on the days in the table."""
        if not self.windows.calendar:
            return _floored(self.windows.every)
        days = table.batch.query(f"select distinct ({_floored(DAY)}) // {DAY} from ({table.sql})")
        return _latest_start(self.windows.starts(day for (day,) in days) or [0])

    def keys(self) -> str:
        """The columns of `records` by which it is grouped."""
        return ", ".join(["_p", *(f"_l{number}" for number in range(len(self.labels)))])

    def _labels(self) -> list[str]:
        text = {
            name: quote(name) if self.columns[name] == "VARCHAR" else f"{quote(name)}::varchar" for name in self.labels
        }
        return list(text.values())

    def _source(self, table: Table) -> str:
        """The records that count, with every column that is read in the type that was checked.

        A metric reads several sources: a column that one of them lacks is NULL there.
        """
        present = table.columns
        where = f" where try({self.where})" if self.where else ""
        if all(present.get(name) == kind for name, kind in self.columns.items()):
            return f"({table.sql}){where}"
        picked = [
            f"try_cast({quote(name)} as {kind}) as {quote(name)}"
            if name in present
            else f"null::{kind} as {quote(name)}"
            for name, kind in self.columns.items()
        ]
        return f"(select {', '.join(['_t', '_pos', *picked])} from ({table.sql})){where}"


def _floored(length: int) -> str:
    return f"_t - (_t + {_ERAS}) % {length}"  # `%` keeps the sign, and times may be before 1970


def _latest_start(starts: Sequence[int]) -> str:
    """SQL for the last of the sorted starts that is not after `_t`, by bisection."""
    if len(starts) == 1:
        return str(starts[0])
    middle = len(starts) // 2
    return (
        f"case when _t < {starts[middle]} then {_latest_start(starts[:middle])}"
        f" else {_latest_start(starts[middle:])} end"
    )
