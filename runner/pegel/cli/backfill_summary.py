"""What a back-fill says before and after."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import typer

from pegel.pipeline.backfill import Prepared
from pegel.pipeline.runner import Runner
from pegel.sinks.safe_text import clean
from pegel.units import show_moment, show_size


@dataclass(frozen=True)
class Summary:
    """What came of it: for people, and what a person has to mend."""

    lines: Sequence[str]
    wrong: Sequence[str]


def say(lines: Iterable[str], *, quiet: bool) -> None:
    """Print lines, unless nobody wants them."""
    for line in lines if not quiet else ():
        typer.echo(clean(line))


def introduction(prepared: Prepared, name: str) -> Iterator[str]:
    """What will be read, where it ends, and what is left out."""
    verb = "goes on with" if prepared.resumed else "reads"
    if prepared.part:
        yield f'back-fill "{name}" {verb} objects: {_listed(prepared.part)}'
    else:
        size = show_size(sum(one.size for one in prepared.files))
        yield f'back-fill "{name}" {verb} {_count(len(prepared.files), "file")}, {size}'
    times: dict[int, list[str]] = {}
    for metric, end in prepared.ends.items():
        times.setdefault(end, []).append(metric)
    for end, metrics in sorted(times.items()):
        yield f"  windows before {show_moment(end)} UTC: {_listed(metrics)}"
    for reason, paths in _by_reason(prepared).items():
        yield f"  {_count(len(paths), 'file')} skipped, {reason}: {_listed(paths)}"
    for metric, others in prepared.partial.items():
        yield f"  note: {metric} also reads {_listed(others)}; its windows get only what these files hold"


def summary(prepared: Prepared, runner: Runner, left: str) -> Summary:
    """Records, rejects and points of an open runner; then everything that needs a person."""
    counters = [(name, json.loads(labels), value) for (name, labels), value in sorted(runner.state.counters().items())]
    return Summary(list(_figures(runner, counters)), list(_wrong(prepared, runner, counters, left)))


_Counters = Sequence[tuple[str, Mapping[str, str], int]]


def _figures(runner: Runner, counters: _Counters) -> Iterator[str]:
    totals = {name: sum(value for one, _, value in counters if one == name) for name, _, _ in counters}
    yield f"{totals.get('records_total', 0):,} records, {show_size(totals.get('bytes_total', 0))} unpacked"
    for reason, count in _by(counters, "rejects_total", "reason"):
        yield f"  {count:,} rejected: {reason}"
    for metric, count in _by(counters, "foreign_total", "metric"):
        yield f"  {count:,} not counted in {metric}: their windows have another owner"
    for delivery in runner.deliveries:
        yield f"{delivery.sent_points:,} points stored by {delivery.name} this time"


def _wrong(prepared: Prepared, runner: Runner, counters: _Counters, left: str) -> Iterator[str]:
    if left:
        yield f"not everything was read or delivered: {left}; the same command tries again"
    for one in prepared.skipped:
        if one.broken:
            yield f"{one.path} {one.reason}"
    for sentence in prepared.source.put_aside():
        yield f"{sentence}; it was put aside" if prepared.part else f"{sentence}; nothing of it was counted"
    for metric, count in _by(counters, "too_late_total", "metric"):
        yield (
            f"{count:,} records came too late for {metric}: this back-fill has closed their windows;"
            " older files need another --id"
        )
    where = prepared.plan.runner.state
    for letter in runner.state.letters.counted():
        refused = f"{letter.sink} refused {letter.points:,} points for good: {letter.reason}"
        yield f"{refused}; pegel sinks --state {where} shows them"


def _by(counters: _Counters, name: str, label: str) -> list[tuple[str, int]]:
    return [(labels[label], value) for one, labels, value in counters if one == name]


def _by_reason(prepared: Prepared) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in prepared.skipped:
        found.setdefault(one.reason, []).append(one.path)
    return found


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _listed(names: Sequence[str], most: int = 4) -> str:
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest:,} more" if rest > 0 else "")
