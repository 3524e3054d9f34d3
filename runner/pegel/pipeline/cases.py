"""A `[[tests]]` entry is run: what its records made, against what its author expects."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pegel.pipeline import trial
from pegel.plan import Case, Expected, Plan
from pegel.sinks import Histogram, Point
from pegel.sinks.ndjson import plain
from pegel.units import show_moment

_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Difference:
    """One thing that is not as expected.

    Attributes:
        where: Its metric; `rejects` or `input`.
        expected: What should be there; None for a point that should not.
        got: What is there instead; None for nothing.
        wrong: What of it is not as expected, each as a sentence.
    """

    where: str
    expected: str | None = None
    got: str | None = None
    wrong: Sequence[str] = ()


@dataclass(frozen=True)
class Verdict:
    """What came of a test."""

    case: Case
    differences: Sequence[Difference] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether all is as expected."""
        return not self.differences


def judge(plan: Plan, case: Case) -> Verdict:
    """Run the records of a test through its plan, with a state that is thrown away."""
    if case.input_file is not None:
        return _judged(plan, case, case.input_file)
    with tempfile.TemporaryDirectory(prefix="pegel-test-") as directory:
        file = Path(directory) / "input"
        file.write_text(case.input or "", encoding="utf-8", newline="")
        return _judged(plan, case, file)


def _judged(plan: Plan, case: Case, file: Path) -> Verdict:
    try:
        file.open("rb").close()
    except OSError as error:
        return Verdict(case, [Difference("input", wrong=[f"{file} cannot be read: {error.strerror}"])])
    return Verdict(case, list(_differences(case, trial.run(trial.reading(plan, case.source, [str(file)])))))


def _differences(case: Case, tried: trial.Trial) -> Iterator[Difference]:
    if tried.trouble:
        yield Difference("input", wrong=[tried.trouble])
        return
    for metric, expected in case.points.items():
        yield from compare(metric, expected, [point for point in tried.points if point.metric == metric])
    for reason in sorted(case.rejects.keys() | tried.rejects.keys()):
        wanted, got = case.rejects.get(reason, 0), tried.rejects.get(reason, 0)
        if wanted != got:
            yield Difference("rejects", wrong=[f"{reason} is {got}, expected {wanted}"])


# -- points ----------------------------------------------------------------------------------------------------


def compare(metric: str, expected: Sequence[Expected], got: Sequence[Point]) -> Iterator[Difference]:
    """What is missing, what is too much, and what is nearly there.

    Expectations say as much as they like, so one may fit several points: as many as possible are paired.
    """
    pairs = _pairs(expected, got)
    missing = [one for index, one in enumerate(expected) if index not in pairs]
    rest = [point for index, point in enumerate(got) if index not in pairs.values()]
    for one in missing:
        nearest = min(rest, key=lambda point: len(list(_wrong(one, point))), default=None)
        if nearest is None:
            yield Difference(metric, expected=show_expected(one))
        else:
            rest.remove(nearest)
            yield Difference(metric, show_expected(one), show_point(nearest), list(_wrong(one, nearest)))
    for point in rest:
        yield Difference(metric, got=show_point(point))


def _pairs(expected: Sequence[Expected], got: Sequence[Point]) -> dict[int, int]:
    """The greatest pairing of expectations with points that fit, by their numbers (Kuhn's augmenting paths)."""
    fitting = [[index for index, point in enumerate(got) if not any(_wrong(one, point))] for one in expected]
    taken: dict[int, int] = {}

    def place(one: int, seen: set[int]) -> bool:
        for point in fitting[one]:
            if point not in seen:
                seen.add(point)
                if point not in taken or place(taken[point], seen):
                    taken[point] = one
                    return True
        return False

    for one in range(len(expected)):
        place(one, set())
    return {one: point for point, one in taken.items()}


def _wrong(expected: Expected, point: Point) -> Iterator[str]:
    """What of a point is not as expected."""
    if expected.time is not None and expected.time != point.start_us:
        yield f"time is {show_moment(point.start_us)}, expected {show_moment(expected.time)}"
    labels = dict(point.labels)
    for name, text in expected.labels.items():
        if labels.get(name, "") != text:
            yield f"{name} is {labels.get(name, '')}, expected {text}"
    for name, value in expected.values.items():
        found = point.values.get(name)
        if not _same(value, found):
            yield f"{name} is {'missing' if found is None else _told(found, value)}, expected {_told(value, found)}"


def _same(expected: Any, found: Any) -> bool:
    """Whether a value is as expected; of floats, as far as their sums do not depend on the order."""
    if isinstance(found, Histogram):
        return _same(expected, plain(found))
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        return all(_same(value, found.get(name)) for name, value in expected.items())
    if isinstance(expected, list) and isinstance(found, list | tuple):
        return len(expected) == len(found) and all(map(_same, expected, found))
    if isinstance(expected, int | float) and isinstance(found, int | float):
        return math.isclose(expected, found, rel_tol=_TOLERANCE)
    return bool(expected == found)


# -- words -----------------------------------------------------------------------------------------------------


def show_point(point: Point) -> str:
    """A point as a line: time, labels, values."""
    parts = [show_moment(point.start_us), *(f"{name}={text}" for name, text in point.labels)]
    return " ".join([*parts, *(f"{name}={_value(value)}" for name, value in point.values.items())])


def show_expected(expected: Expected) -> str:
    """An expectation in the same form, as far as it goes."""
    parts = [] if expected.time is None else [show_moment(expected.time)]
    parts += [f"{name}={text}" for name, text in expected.labels.items()]
    return " ".join([*parts, *(f"{name}={_value(value)}" for name, value in expected.values.items())]) or "any point"


def _value(value: Any) -> str:
    return (
        str(plain(value))
        if isinstance(value, Histogram)
        else f"{value:.12g}"
        if isinstance(value, float)
        else str(value)
    )


def _told(value: Any, other: Any) -> str:
    """A value with what it is, where it looks like another one that is something else."""
    if other is None or _value(value) != _value(other):
        return _value(value)
    return f'"{value}" (a text)' if isinstance(value, str) else f"{_value(value)} (a number)"
