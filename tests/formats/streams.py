"""Drive a format over a stream the way the runner does: piece by piece, offering again what was not used up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pegel.formats import REJECT, ROW, End, Format
from pegel.table import Engine

ENGINE = Engine()


@dataclass
class Read:
    """What was read: rows of the table without `_row` and `_reject`, and what was lost."""

    rows: list[tuple[Any, ...]] = field(default_factory=list)
    rejects: Counter[str] = field(default_factory=Counter)
    offset: int = 0
    mark: str = ""


def read(
    form: Format,
    data: bytes,
    cuts: Iterable[int] = (),
    *,
    last: End = End.FINAL,
    flush: Iterable[int] = (),
    seams: Sequence[int] = (),
) -> Read:
    """Read a stream that becomes known up to each of `cuts` in turn, is silent at `flush`, and then is over.

    Seams are shown as soon as a byte behind them is known.
    """
    result = Read()
    silent = set(flush)
    ends = [(cut, End.FLUSH if cut in silent else End.MORE) for cut in sorted({*cuts, *silent}) if cut <= len(data)]
    for known, end in [*ends, (len(data), last)]:
        piece = data[result.offset : known]
        inside = [seam - result.offset for seam in seams if result.offset < seam < known]
        frames = form.split(piece, end, result.mark, inside)
        assert 0 <= frames.consumed <= len(piece)
        take(form, frames.block, frames.records, result)
        result.offset += frames.consumed
        result.mark = frames.mark
        for reject in frames.rejects:
            assert reject.count > 0
            assert 0 <= reject.offset <= len(piece)
            result.rejects[reject.reason] += reject.count
    return result


def take(form: Format, block: Any, records: int, result: Read) -> None:
    """Add the rows of one block."""
    if not records:
        return
    names = list(form.columns())
    with ENGINE.batch() as batch:
        table = form.table(batch, block, frozenset(names))
        assert list(table.columns) == [ROW, REJECT, *names]
        rows = batch.query(f"select * from ({table.sql}) order by {ROW}")
    assert [row[0] for row in rows] == list(range(records))
    for _, reject, *values in rows:
        if reject is None:
            result.rows.append(tuple(values))
        else:
            result.rejects[reject] += 1
            assert all(value is None for value in values)
