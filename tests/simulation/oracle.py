"""What the numbers must be, straight from `semantics.md`: no code of the product, no batches, no state.

The whole of it works on lists of records in memory. It is slow and plain on purpose: it is the judge.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

SECOND = 1_000_000
MINUTE = 60 * SECOND


@dataclass(frozen=True, order=True)
class Record:
    """One record as the writer meant it. `number` grows with every record of a log."""

    number: int
    time_us: int
    key: str
    value: int
    user: str


@dataclass(frozen=True)
class Row:
    """The values of one series in one window."""

    n: int
    total: int
    users: int
    top: int
    last: int


Window = tuple[int, str]
"""Start of the window in microseconds, and the key."""


def start_of(time_us: int, every_us: int) -> int:
    """The start of the tumbling window that holds a time."""
    return time_us - time_us % every_us


def windows(records: Iterable[Record], every_us: int) -> dict[Window, Row]:
    """The final values of every window that has a record; an empty group makes no point."""
    groups: dict[Window, list[Record]] = defaultdict(list)
    for record in records:
        groups[start_of(record.time_us, every_us), record.key].append(record)
    return {window: _row(group) for window, group in groups.items()}


def totals(records: Iterable[Record]) -> dict[str, tuple[int, int]]:
    """Count and sum of each key over all time: what a counter shows that is never reset."""
    found: dict[str, tuple[int, int]] = {}
    for record in records:
        n, total = found.get(record.key, (0, 0))
        found[record.key] = (n + 1, total + record.value)
    return found


def rolling(records: Sequence[Record], every_us: int, over_us: int, until_us: int) -> dict[int, tuple[int, int, int]]:
    """Count, distinct users and arrivals of the `over` before the end of each step, by the start of the step.

    Nothing until `over` is covered, then every step, down to one last 0 after which it stops until records
    come again. The first step has the arrivals of those before, too. `until_us` is the watermark at the end.
    """
    if not records:
        return {}
    panes: dict[int, list[Record]] = defaultdict(list)
    for record in records:
        panes[start_of(record.time_us, every_us)].append(record)
    came = _arrivals(panes, over_us)
    steps: dict[int, tuple[int, int, int]] = {}
    step, shown = min(panes) + over_us - every_us, True
    while step + every_us <= until_us:
        inside = [r for pane in range(step - over_us + every_us, step + 1, every_us) for r in panes.get(pane, ())]
        if inside or shown:
            told = sum(came.pop(pane) for pane in list(came) if pane <= step)
            steps[step] = (len(inside), len({record.user for record in inside}), told)
        shown = bool(inside)
        step += every_us
    return steps


def _arrivals(panes: Mapping[int, Sequence[Record]], over_us: int) -> dict[int, int]:
    """How many users of each pane are in no other one of the window that it ends."""
    return {
        pane: len(
            {record.user for record in records}
            - {r.user for other, found in panes.items() if pane - over_us < other < pane for r in found}
        )
        for pane, records in panes.items()
    }


@dataclass(frozen=True)
class Rules:
    """The options that decide about time, in microseconds."""

    every_us: int = MINUTE
    disorder_us: int = 5 * SECOND
    lateness_us: int = 120 * MINUTE
    future_us: int = 5 * MINUTE


@dataclass
class Verdicts:
    """What becomes of the records of a source that is read turn by turn."""

    counted: list[Record] = field(default_factory=list)
    late: list[Record] = field(default_factory=list)
    too_late: list[Record] = field(default_factory=list)
    future: list[Record] = field(default_factory=list)
    watermark_us: int | None = None
    closed: dict[Window, int] = field(default_factory=dict)
    """How often each window was closed or corrected: the revision of its newest point."""


def judge(turns: Iterable[tuple[int, Sequence[Record]]], rules: Rules) -> Verdicts:
    """Apply the watermark to turns of (wall clock when read, records): semantics.md section 1.

    A record is judged by the watermark before its turn; future records never move it; it never goes back.
    """
    verdicts = Verdicts()
    for now_us, records in turns:
        touched = _admit(verdicts, now_us, records, rules)
        seen = [record.time_us for record in records if record.time_us <= now_us + rules.future_us]
        if seen:
            mark = min(max(seen), now_us) - rules.disorder_us
            verdicts.watermark_us = max(mark, verdicts.watermark_us or mark)
        _close(verdicts, touched, rules)
    return verdicts


def _admit(verdicts: Verdicts, now_us: int, records: Sequence[Record], rules: Rules) -> set[Window]:
    before, touched = verdicts.watermark_us, set()
    for record in records:
        end = start_of(record.time_us, rules.every_us) + rules.every_us
        if record.time_us > now_us + rules.future_us:
            verdicts.future.append(record)
        elif before is not None and end + rules.lateness_us <= before:
            verdicts.too_late.append(record)
        else:
            verdicts.counted.append(record)
            touched.add((end - rules.every_us, record.key))
            if before is not None and end <= before:
                verdicts.late.append(record)
    return touched


def _close(verdicts: Verdicts, touched: set[Window], rules: Rules) -> None:
    for window in windows(verdicts.counted, rules.every_us):
        ended = verdicts.watermark_us is not None and window[0] + rules.every_us <= verdicts.watermark_us
        if ended and (window in touched or window not in verdicts.closed):
            verdicts.closed[window] = verdicts.closed.get(window, 0) + 1


def _row(group: Sequence[Record]) -> Row:
    newest = max(group, key=lambda record: (record.time_us, record.number))
    return Row(
        n=len(group),
        total=sum(record.value for record in group),
        users=len({record.user for record in group}),
        top=max(record.value for record in group),
        last=newest.value,
    )
