"""How the steps of a record look: aligned for people, as facts for machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pegel.cli.terminal import Terminal
from pegel.sinks import Histogram
from pegel.sinks.ndjson import plain, show_time
from pegel.sinks.safe_text import clean
from pegel.units import show_duration, show_moment

if TYPE_CHECKING:
    from pegel.pipeline.explaining import Column, Counting, Explained, Explanation, Refused, Step

HIDDEN = "***"
_LONGEST = 200
"""Characters of a value; a token may have thousands."""


# -- for people ------------------------------------------------------------------------------------------------


def lines(found: Explanation, terminal: Terminal, *, private: bool) -> Iterator[str]:
    """An explanation as text."""
    if not found.records and not found.refused:
        yield "there is no record in the input"
    for one in found.refused:
        yield from _refused(one, terminal)
    for number, record in enumerate(found.records, 1):
        yield terminal.bold(f"record {number}")
        yield from (f"  {text}".rstrip() for text in _record(record, terminal, private=private))
    if found.more:
        yield f"{found.more:,} more records are not shown"


def _refused(one: Refused, terminal: Terminal) -> Iterator[str]:
    many = f", and {one.count - 1:,} more behind them" if one.count > 1 else ""
    yield terminal.bold(f"no record: {one.length:,} bytes at byte {one.offset:,}{many}")
    yield f"  refused as {one.reason}: {one.why}"


def _record(record: Explained, terminal: Terminal, *, private: bool) -> Iterator[str]:
    columns = [column for step in record.steps for column in step.columns]
    widths = [max((len(getattr(one, name)) for one in columns), default=0) for name in ("name", "type")]
    for step in record.steps:
        yield from _step(step, widths, terminal, private=private)
    if record.reject:
        yield f"refused as {record.reject}: {record.why}"
    elif record.time is not None:
        yield f"{terminal.dim('time')} {_time(record.time)} UTC"
    for counting in record.metrics:
        yield from _metric(counting, terminal)


def _step(step: Step, widths: Sequence[int], terminal: Terminal, *, private: bool) -> Iterator[str]:
    if step.dropped:
        yield f"{terminal.dim(step.name)} drops it: it is counted nowhere"
        return
    yield terminal.dim(step.name) + ("" if step.columns else " changes nothing")
    for column in step.columns:
        mark = "~" if column.changed else "+"
        former = f"  (was {_shown(column, column.former, private=private)})" if column.changed else ""
        value = _shown(column, column.value, private=private)
        yield f"  {mark} {column.name:{widths[0]}}  {terminal.dim(f'{column.type:{widths[1]}}')}  {value}{former}"


def _shown(column: Column, value: Any, *, private: bool) -> str:
    if value is None:
        return "NULL"
    if column.private and not private:
        return f"{HIDDEN} (private)"
    return clean(str(value), _LONGEST)


def _metric(one: Counting, terminal: Terminal) -> Iterator[str]:
    if not one.counted:
        yield f"{one.metric}: not counted, since {' '.join(one.why.split())}"
        return
    labels = " ".join(f"{name}={clean(text)}" for name, text in one.labels.items())
    back = f", looking back {show_duration(one.over / 1e6)}" if one.over else ""
    window = f"{_time(one.start)} to {_time(one.end)}{back}"
    yield f"{terminal.bold(one.metric)}: counted in {window}" + (f" under {labels}" if labels else "")
    values = "  ".join(f"{name} {_value(value)}" for name, value in one.values.items())
    yield f"  alone it makes  {values}"
    if one.why:
        yield f"  {one.why}"


def _value(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, Histogram):
        return clean(str(plain(value)), _LONGEST)
    return f"{value:.10g}" if isinstance(value, float) else clean(str(value), _LONGEST)


def _time(us: int) -> str:
    moment = show_moment(us - us % 10**6)
    return f"{moment}.{us % 10**6:06d}" if us % 10**6 else moment


# -- for machines ----------------------------------------------------------------------------------------------


def facts(found: Explanation, *, private: bool) -> dict[str, Any]:
    """An explanation as JSON."""
    return {
        "source": found.source,
        "refused": [vars(one) for one in found.refused],
        "records": [_record_facts(one, private=private) for one in found.records],
        "more": found.more,
    }


def _record_facts(record: Explained, *, private: bool) -> dict[str, Any]:
    return {
        "time": None if record.time is None else show_time(record.time),
        "reject": record.reject,
        "why": record.why,
        "steps": [
            {
                "name": step.name,
                "dropped": step.dropped,
                "columns": [_column_facts(one, private=private) for one in step.columns],
            }
            for step in record.steps
        ],
        "metrics": [_metric_facts(one) for one in record.metrics],
    }


def _column_facts(column: Column, *, private: bool) -> dict[str, Any]:
    hidden = column.private and not private
    told = {"name": column.name, "type": column.type, "value": column.value, "private": column.private}
    if column.changed:
        told["former"] = column.former
    return {
        name: HIDDEN if hidden and name in ("value", "former") and one is not None else one
        for name, one in told.items()
    }


def _metric_facts(one: Counting) -> dict[str, Any]:
    if not one.counted:
        return {"metric": one.metric, "counted": False, "why": one.why}
    return {
        "metric": one.metric,
        "counted": True,
        "why": one.why,
        "start": show_time(one.start),
        "end": show_time(one.end),
        "over": None if one.over is None else one.over / 1e6,
        "labels": dict(one.labels),
        "values": {name: None if value is None else plain(value) for name, value in one.values.items()},
    }
