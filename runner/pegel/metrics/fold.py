"""Folding a block of records into partials: DuckDB for many records, the same algebra in Python for few.

Planning and running a grouped statement costs about a millisecond whatever the block has, so a block of few
records is fetched once, each record as partials of its own, and merged here. Both ways give the same partials.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import accumulate, chain

import numpy as np

from pegel.metrics.algebra import OVERFLOW, Values
from pegel.metrics.merging import merge_partials, merge_scalars
from pegel.metrics.partials import Keys, Labels, Members, Partials
from pegel.metrics.program import Program
from pegel.table import Row, Table

FEW = 500
"""Up to so many records are folded in Python (measured: where both ways cost the same)."""

OTHER = "__other__"
"""Label value of the series that are folded together; a record that says so becomes `_other_`."""

_LONGEST_LABEL = 128
_KNOWN_LABELS = 1 << 14
"""Values of labels that are not looked at again: blocks have mostly the same ones."""

_REMEMBERED = 16_384
"""Label sets that are not cleaned again: the same ones come in every block."""

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


def fold(program: Program, table: Table, keys: Keys) -> Partials:
    """Fold a table into partials; it is read up to four times, so it should be a kept one."""
    if table.at_most is not None and table.at_most <= FEW:
        return _fold_few(program, table, keys)
    pane, partials = program.pane(table), Partials()
    epoch = _only_epoch(program, table, pane) if _is_one_set(program) else None
    if epoch is not None:
        _fold_one_set(program, table, pane, (epoch, keys(epoch)), partials)
    else:
        _fold_scalars(program, table, pane, partials)
        if program.sets and partials.rows:
            _fold_sets(program, table, pane, keys, partials)
    if program.buckets and partials.rows:
        _fold_buckets(program, table, pane, partials)
    return _with_clean_labels(program, partials)


# --- few records: each is lifted by SQL and merged here ---------------------------------------------------------


def _fold_few(program: Program, table: Table, keys: Keys) -> Partials:
    rejects = 1 + len(program.labels)
    scalars = rejects + len(program.rejects)
    sets = scalars + sum(len(column.names) for column in program.scalars)
    buckets = sets + len(program.sets)
    merged: dict[tuple[int, Labels], tuple[int, int, Values]] = {}
    members: dict[tuple[int, int, Labels], set[str]] = {}
    counts: Counter[tuple[int, int, Labels, int]] = Counter()
    unusable: Counter[str] = Counter()
    for row in table.batch.query(program.each(table)):
        time, pane, labels = row[0], program.windows.pane_start(row[0]), _labels(row[1:rejects])
        unusable.update(r[0] for r, bad in zip(program.rejects, row[rejects:scalars], strict=True) if bad)
        _merge_record(program, merged, (pane, labels), time, row[scalars:sets])
        for number, text in enumerate(row[sets:buckets]):
            if text is not None:
                members.setdefault((number, pane, labels), set()).add(text)
        for number, bucket in enumerate(row[buckets:]):
            if bucket is not None:
                counts[number, pane, labels, bucket] += 1
    partials = Partials(rows=[(*key, *row) for key, row in merged.items()], unusable=dict(unusable))
    partials.sets = [entry for key, texts in members.items() for entry in _hashed(program, key, texts, keys)]
    partials.buckets = [(*key, count) for key, count in counts.items()]
    _count_overflow(program, partials)
    return partials


def _merge_record(
    program: Program,
    merged: dict[tuple[int, Labels], tuple[int, int, Values]],
    key: tuple[int, Labels],
    time: int,
    scalars: Values,
) -> None:
    known = merged.get(key)
    if known is None:
        merged[key] = 1, time, scalars
    else:
        records, earliest, held = known
        merged[key] = records + 1, min(earliest, time), merge_scalars(program.scalars, held, scalars)


def _hashed(
    program: Program, key: tuple[int, int, Labels], texts: Iterable[str], keys: Keys
) -> Iterable[tuple[int, int, int, Labels, Members]]:
    number, pane, labels = key
    encoded = [text.encode() for text in texts]
    for epoch in program.windows.epochs(pane):
        secret = keys(epoch)
        digests = b"".join(hashlib.sha256(secret + value).digest()[:8] for value in encoded)
        yield number, pane, epoch, labels, np.unique(np.frombuffer(digests, ">i8").astype(np.int64))


# --- many records: DuckDB groups them ---------------------------------------------------------------------------


def _fold_scalars(program: Program, table: Table, pane: str, partials: Partials) -> None:
    keys = program.keys()
    picked = [keys, "count(*)", "min(_t)", *(f"count(*) filter (where _r{n})" for n in range(len(program.rejects)))]
    picked += [one.format(x=f"_x{column.x}") for column in program.scalars for one in column.how.fold]
    records = program.records(table, pane, (column.x for column in program.scalars), rejects=True)
    rows = table.batch.query(f"select {', '.join(picked)} from ({records}) group by {keys}")
    end = 1 + len(program.labels)
    scalars = end + 2 + len(program.rejects)
    partials.rows = [(row[0], _texts(row[1:end]), row[end], row[end + 1], row[scalars:]) for row in rows]
    for number, (reason, _) in enumerate(program.rejects):
        count = sum(row[end + 2 + number] for row in rows)
        if count:
            partials.unusable[reason] = partials.unusable.get(reason, 0) + count
    _count_overflow(program, partials)


def _fold_sets(program: Program, table: Table, pane: str, keys: Keys, partials: Partials) -> None:
    """Members are made distinct first and hashed then, once per epoch that needs them."""
    by = program.keys()
    distinct = _distinct_values(program, table, pane)
    epochs = sorted({epoch for pane in {row[0] for row in partials.rows} for epoch in program.windows.epochs(pane)})
    secrets = {f"k{number}": keys(epoch) for number, epoch in enumerate(epochs)}
    if len(epochs) == 1:
        source, epoch, key = f"({distinct})", str(epochs[0]), "$k0::blob"
    else:
        reach = program.windows.epoch_length + program.windows.reach
        ranges = ", ".join(f"({start}, {start + reach}, $k{number}::blob)" for number, start in enumerate(epochs))
        table_of_keys = f"(values {ranges}) as epochs(_e, _until, _k)"  # as `Windows.epochs` says
        source, epoch, key = f"({distinct}) join {table_of_keys} on _p >= _e and _p < _until", "_e", "_k"
    rows = table.batch.query(
        f"select _s, {epoch} as _e, {by}, {_digests(key)} from {source} group by _s, _e, {by}",
        secrets,
    )
    for row, members in zip(rows, _sorted_members([row[-1] for row in rows]), strict=True):
        partials.sets.append((row[0], row[2], row[1], _texts(row[3:-1]), members))


def _is_one_set(program: Program) -> bool:
    """Whether the distinct values of one set are all that a metric makes of its records, beside counting them."""
    return len(program.sets) == 1 and not (program.scalars or program.rejects or program.buckets)


def _only_epoch(program: Program, table: Table, pane: str) -> int | None:
    """The epoch of all members, None if there are several, or nothing at all."""
    panes = table.batch.query(f"select distinct {pane} from ({table.sql})")
    epochs = {epoch for (start,) in panes for epoch in program.windows.epochs(start)}
    return epochs.pop() if len(epochs) == 1 else None


def _fold_one_set(program: Program, table: Table, pane: str, key: tuple[int, bytes], partials: Partials) -> None:
    """Rows and members by one statement: those that have a value in common are counted by its way (a third less)."""
    by, x = program.keys(), program.sets[0]
    records = program.records(table, pane, [x])
    values = f"select {by}, _x{x} as _v, count(*) as _n, min(_t) as _t from ({records}) group by {by}, _v"
    epoch, secret = key
    rows = table.batch.query(
        f"select {by}, sum(_n)::bigint, min(_t), {_digests('$key::blob')} from ({values}) group by {by}",
        {"key": secret},
    )
    partials.rows = [(row[0], _texts(row[1:-3]), row[-3], row[-2], ()) for row in rows]
    found = [number for number, row in enumerate(rows) if row[-1] is not None]
    digests = _sorted_members([rows[number][-1] for number in found])
    for number, members in zip(found, digests, strict=True):
        pane_start, labels, *_ = partials.rows[number]
        partials.sets.append((0, pane_start, epoch, labels, members))


def _digests(key: str) -> str:
    """SQL for the keyed hashes of distinct values `_v`, 16 digits each, in one text; NULL if there are none."""
    return f"string_agg(left(sha256({key} || encode(_v)), 16), '')"


def _distinct_values(program: Program, table: Table, pane: str) -> str:
    """A SELECT of set `_s`, the keys and the distinct values `_v`; one pass and one hash table for all sets."""
    by, values = program.keys(), [f"_x{x}" for x in program.sets]
    present = " or ".join(f"{value} is not null" for value in values)
    unpivoted = f"unnest({list(range(len(values)))}) as _s, unnest([{', '.join(values)}]) as _v"
    records = program.records(table, pane, program.sets)
    return (
        f"select distinct _s, {by}, _v from (select {by}, {unpivoted} from ({records}) where {present})"
        " where _v is not null"
    )


def _sorted_members(digests: Sequence[str]) -> Iterable[Members]:
    """Hexadecimal digests, 16 digits per member, as sorted numbers."""
    numbers = np.frombuffer(bytes.fromhex("".join(digests)), ">i8").astype(np.int64)
    ends = list(accumulate(len(text) // 16 for text in digests))
    for start, end in zip([0, *ends], ends, strict=False):
        members = numbers[start:end]
        members.sort()
        yield members


def _fold_buckets(program: Program, table: Table, pane: str, partials: Partials) -> None:
    by = program.keys()
    rows = table.batch.query(
        " union all ".join(
            f"select {number}, {by}, _x{x}, count(*) from ({program.records(table, pane, [x])})"
            f" where _x{x} is not null group by {by}, _x{x}"
            for number, x in enumerate(program.buckets)
        )
    )
    partials.buckets += [(row[0], row[1], _texts(row[2:-2]), row[-2], row[-1]) for row in rows]


# --- labels and limits ------------------------------------------------------------------------------------------


def _texts(values: Row) -> Labels:
    return values if None not in values else tuple("" if value is None else value for value in values)


@functools.lru_cache(maxsize=_REMEMBERED)
def _labels(values: Row) -> Labels:
    return tuple(_clean(value) for value in values)


@functools.lru_cache(_KNOWN_LABELS)
def _clean(value: str | None) -> str:
    """A label as it is stored: no control characters, at most 128 characters, never the reserved name."""
    if value is None:
        return ""
    if _CONTROL.search(value):
        value = _CONTROL.sub("", value)
    return "_other_" if value == OTHER else value[:_LONGEST_LABEL]


def _with_clean_labels(program: Program, partials: Partials) -> Partials:
    """Labels are cleaned once per group, not once per record; groups that become one are merged."""
    values = set(chain.from_iterable([row[1] for row in partials.rows]))
    if all(value == _clean(value) for value in values):
        return partials
    cleaned = {labels: _labels(labels) for labels in {row[1] for row in partials.rows}}
    renamed = Partials(
        rows=[(pane, cleaned[labels], *rest) for pane, labels, *rest in partials.rows],  # type: ignore[misc]
        sets=[(n, pane, epoch, cleaned[labels], members) for n, pane, epoch, labels, members in partials.sets],
        buckets=[(n, pane, cleaned[labels], bucket, count) for n, pane, labels, bucket, count in partials.buckets],
        unusable=partials.unusable,
    )
    return merge_partials(program.scalars, [renamed])


def _count_overflow(program: Program, partials: Partials) -> None:
    """Count the records of sums that left int64 within this block."""
    kinds = [column.rule for column in program.scalars for _ in column.names]
    sums = [index for index, rule in enumerate(kinds) if rule == "sum_integer"]
    lost = sum(row[2] for row in partials.rows if any(row[4][index] == OVERFLOW for index in sums)) if sums else 0
    if lost:
        partials.unusable["overflow"] = partials.unusable.get("overflow", 0) + lost
