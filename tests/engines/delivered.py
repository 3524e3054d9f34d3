"""What a CDN's log says in the end, counted from the raw lines, and what Prometheus says of it.

The lines are read by `presets.cdn77_oracle`, which shares nothing with the product. What was delivered in time has to
be in the sample of its own window, exactly; what came late has to be in one of the samples that follow.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise

from engines.prometheus import Prometheus
from presets.cdn77_oracle import VIEWERS, Labels, Places, Row, read_row, region_of, some

MINUTE = 60
PATIENCE = 5
"""Minutes after which what was delivered late must be in a sample."""

Key = tuple[str, Labels]
"""Name of a metric in Prometheus, and labels."""

Samples = Sequence[tuple[float, float]]
"""Of one series: (time, value), in order."""

_NOBODY: frozenset[str] = frozenset()

_DELIVERY = ("stream_name", "cdn_id", "cache_status", "pop")


@dataclass
class Counted:
    """One counter: what it grew by, by the minute of the rows."""

    punctual: Counter[int] = field(default_factory=Counter)
    late: list[tuple[int, int, int]] = field(default_factory=list)
    """(minute of the row, minute in which it was delivered, amount)"""


@dataclass
class Watched:
    """Who was there: addresses by minute; `held` of rows that came late."""

    punctual: defaultdict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    held: defaultdict[int, set[str]] = field(default_factory=lambda: defaultdict(set))


class Truth:
    """Takes every line that was ever delivered.

    Attributes:
        rows: How many there were.
        released: The last minute in which somebody's rows came late; 0 if nobody's did.
    """

    def __init__(self, places: Places, window: int) -> None:
        self._places = places
        self._regions: dict[str | None, str] = {}
        self.window = window
        self.rows = 0
        self.rejects: Counter[str] = Counter()
        self.counters: defaultdict[Key, Counted] = defaultdict(Counted)
        self.first_bytes: defaultdict[tuple[Labels, int], list[float]] = defaultdict(list)
        self.unsure: set[tuple[Labels, int]] = set()
        self.viewers: defaultdict[tuple[str, Labels], Watched] = defaultdict(Watched)
        self.released = 0
        self.first_held = 2**31

    def take(self, line: bytes, delivered: int | None) -> Row | None:
        """One line; `delivered` is the minute of its delivery if that is late."""
        row = read_row(line, [], self.rejects)
        if row is None:
            return None
        if row.address not in self._regions:
            self._regions[row.address] = region_of(row.address, self._places)
        row.labels["region"] = self._regions[row.address]
        self.rows += 1
        self._count(row, delivered)
        self._watch(row, delivered)
        return row

    def _count(self, row: Row, delivered: int | None) -> None:
        labels = some(row.labels, *_DELIVERY)
        sent = int(row.bytes) if row.bytes is not None and row.bytes > 0 else 0
        with_status = some(row.labels, *_DELIVERY, "response_status")
        for key, amount in (
            (("cdn77_requests_total", labels), 1),
            (("cdn77_transfer_bytes_total", labels), sent),
            (("cdn77_responses_total", with_status), 1),
        ):
            if delivered is None:
                self.counters[key].punctual[row.minute] += amount
            else:
                self.counters[key].late.append((row.minute, delivered, amount))
        if delivered is not None:
            self.unsure.add((labels, row.minute))
        elif row.first_byte is not None and row.first_byte > 0:
            self.first_bytes[labels, row.minute].append(row.first_byte)

    def _watch(self, row: Row, delivered: int | None) -> None:
        if row.address is None:
            return
        if delivered is not None:
            self.released = max(self.released, delivered)
            self.first_held = min(self.first_held, row.minute)
        for name, labels in VIEWERS.items():
            watched = self.viewers[name, some(row.labels, *labels)]
            (watched.punctual if delivered is None else watched.held)[row.minute].add(row.address)


# -- judging ------------------------------------------------------------------------------------------------


def wrong(truth: Truth, server: Prometheus, selector: str, at: float) -> list[str]:
    """Everything that a real server says otherwise, as sentences."""
    found = read(server, selector, at)
    sentences = [*_counters(truth, found), *_first_bytes(truth, found), *_viewers(truth, found)]
    known = {
        *truth.counters,
        *(("cdn77_time_to_first_byte_ms", labels) for labels, _ in (*truth.first_bytes, *truth.unsure)),
    }
    known |= {key for name, labels in truth.viewers for key in names_of(name, labels, truth.window)}
    sentences += [f"{key}: nobody delivered that" for key in found if key not in known]
    return sentences + asked_in_promql(truth, server, selector)


def read(server: Prometheus, selector: str, at: float) -> dict[Key, Samples]:
    """Every sample of the job that a server has."""
    names = server.query(f"count by (__name__) (last_over_time({{__name__=~'cdn77_.+', {selector}}}[1d]))", at)
    found: dict[Key, Samples] = {}
    for name in [one.labels["__name__"] for one in names]:
        for series in server.query(f"{name}{{{selector}}}[1d]", at):
            labels = {key: value for key, value in series.labels.items() if key not in ("__name__", "runner")}
            found[name, tuple(sorted(labels.items()))] = series.samples
    return found


def names_of(name: str, labels: Labels, window: int) -> tuple[Key, Key]:
    """Counter and gauge of viewers."""
    words = f"{window // 60}h" if window % 60 == 0 else f"{window}m"
    return (f"cdn77_{name}_total", labels), (f"cdn77_active_{name}", tuple(sorted((*labels, ("window", words)))))


def _counters(truth: Truth, found: Mapping[Key, Samples]) -> Iterator[str]:
    for key, counted in truth.counters.items():
        for sentence in unexplained(counted, found.get(key, ())):
            yield f"{key}: {sentence}"


def unexplained(counted: Counted, samples: Samples) -> Iterator[str]:
    """What is wrong with the samples of one counter."""
    total = sum(counted.punctual.values()) + sum(amount for _, _, amount in counted.late)
    if not samples:
        yield f"there is no sample of {total}"
        return
    yield from _shape(samples)
    at = {round(time): value for time, value in samples}
    for minute, amount in (+counted.punctual).items():
        before, after = at.get(minute * MINUTE), at.get((minute + 1) * MINUTE)
        if before is None or after is None:
            yield f"{minute}: no sample {'after' if after is None else 'before'} a growth of {amount}"
        elif after - before < amount or (not counted.late and after - before != amount):
            yield f"{minute}: grew by {after - before}, not by {amount}"
    least = _by_minute([*counted.punctual.items(), *((late + PATIENCE, amount) for _, late, amount in counted.late)])
    most = _by_minute([*counted.punctual.items(), *((minute, amount) for minute, _, amount in counted.late)])
    for time, value in samples:
        if not least(time) <= value <= most(time):
            yield f"{time:.0f}: is {value}, has to be {least(time)} to {most(time)}"
    if samples[-1][1] != total:
        yield f"ends with {samples[-1][1]}, not with {total}"


class _by_minute:  # noqa: N801 - used as a function
    """Sums of amounts of all windows that end not later than a time."""

    def __init__(self, amounts: Iterable[tuple[int, int]]) -> None:
        ordered = sorted(amounts)
        self._ends = [(minute + 1) * MINUTE for minute, _ in ordered]
        self._sums = [0, *accumulate(amount for _, amount in ordered)]

    def __call__(self, time: float) -> int:
        return self._sums[bisect_left(self._ends, time + 1)]


def _shape(samples: Samples) -> Iterator[str]:
    yield from (f"{time}: not the end of a window" for time, _ in samples if time % MINUTE)
    yield from (f"{b}: fell from {x} to {y}" for (_, x), (b, y) in pairwise(samples) if y < x)


def _first_bytes(truth: Truth, found: Mapping[Key, Samples]) -> Iterator[str]:
    at = {key: {round(time): value for time, value in samples} for key, samples in found.items()}
    for (labels, minute), times in truth.first_bytes.items():
        if (labels, minute) in truth.unsure:
            continue
        value = at.get(("cdn77_time_to_first_byte_ms", labels), {}).get((minute + 1) * MINUTE)
        mean = sum(times) / len(times)
        if value is None or abs(value - mean) > 1e-9 * mean:
            yield f"first bytes of {labels} in {minute}: {value}, not {mean}"


# -- viewers --------------------------------------------------------------------------------------------------


def _viewers(truth: Truth, found: Mapping[Key, Samples]) -> Iterator[str]:
    minutes = [minute for watched in truth.viewers.values() for minute in (*watched.punctual, *watched.held)]
    if not minutes:
        return
    covered = min(minutes) + truth.window  # steps end there at the earliest
    for (name, labels), watched in truth.viewers.items():
        total, active = names_of(name, labels, truth.window)
        expected = list(_steps(watched, covered, max(minutes) + 1, truth.window))
        for step, least, most, _ in expected:
            yield from _is_between(active, found.get(active, ()), step, least, most)
        yield from (f"{total}: {one}" for one in _arrivals(truth, watched, expected, found.get(total, ())))


def _steps(watched: Watched, first: int, last: int, window: int) -> Iterator[tuple[int, int, int, int]]:
    """(end as minute, least, most, arrivals if nothing was late) of every step with somebody in it."""
    came = _arrived(watched, window)
    for end in range(first, last + 1):
        punctual, everybody = set[str](), set[str]()
        for minute in range(end - window, end):
            punctual |= watched.punctual.get(minute, _NOBODY)
            everybody |= watched.held.get(minute, _NOBODY)
        everybody |= punctual
        if everybody:
            yield end, len(punctual), len(everybody), came[end - 1]


def _arrived(watched: Watched, window: int) -> Counter[int]:
    """How many come in each minute who were not there for as long as the window."""
    seen: dict[str, int] = {}
    came: Counter[int] = Counter()
    for minute in sorted({*watched.punctual, *watched.held}):
        for address in watched.punctual.get(minute, _NOBODY) | watched.held.get(minute, _NOBODY):
            came[minute] += minute - seen.get(address, -window) >= window
            seen[address] = minute
    return came


def _is_between(key: Key, samples: Samples, step: int, least: int, most: int) -> Iterator[str]:
    value = next((value for time, value in samples if round(time) == step * MINUTE), None)
    if value is None and least > 0:
        yield f"{key}: no sample at {step}, has to be {least}"
    elif value is not None and not least <= value <= most:
        yield f"{key}: {value} at {step}, has to be {least} to {most}"


def _arrivals(
    truth: Truth, watched: Watched, expected: Sequence[tuple[int, int, int, int]], samples: Samples
) -> Iterator[str]:
    """Every step's growth where all was known in time; the sum in the end, but for those who came late."""
    if not samples:
        yield "there is no sample"
        return
    yield from _shape(samples)
    at = {round(time): value for time, value in samples}
    for step, _, _, arrived in expected[1:]:
        if arrived and (step <= truth.first_held or step > truth.released + PATIENCE):
            grown = at.get(step * MINUTE, 0.0) - at.get((step - 1) * MINUTE, 0.0)
            if grown != arrived:
                yield f"{step}: {grown} arrived, not {arrived}"
    total = _arrived(watched, truth.window).total()
    doubtful = len(set().union(*watched.held.values()))
    if not total <= samples[-1][1] <= total + doubtful:
        yield f"{samples[-1][1]} arrived in all, not {total} (and {doubtful} came late)"


# -- as a panel asks --------------------------------------------------------------------------------------------


def asked_in_promql(truth: Truth, server: Prometheus, selector: str) -> list[str]:
    """`increase`, `rate` and instant gauges, summed up by stream."""
    found = []
    for metric in ("cdn77_requests_total", "cdn77_transfer_bytes_total"):
        found += [f"{metric}: {one}" for one in _increases(truth, server, metric, selector)]
    return found


def _increases(truth: Truth, server: Prometheus, metric: str, selector: str) -> Iterator[str]:
    """Growth of all streams, minute by minute, and at the end over a quarter of an hour and as a rate."""
    counted = [one for (name, _), one in truth.counters.items() if name == metric]
    punctual = sum((one.punctual for one in counted), Counter[int]())
    late = sum(amount for one in counted for _, _, amount in one.late)
    total = sum(punctual.values()) + late
    asked = f"sum(increase({metric}{{{selector}}}[1m]))"
    grown = {
        round(time): value
        for series in server.query_range(asked, (min(punctual) + 1) * MINUTE, (max(punctual) + 1) * MINUTE, MINUTE)
        for time, value in series.samples
    }
    for minute, amount in punctual.items():
        value = grown.get((minute + 1) * MINUTE, 0.0)
        if value < amount * (1 - 1e-9):
            yield f"increase[1m] at {minute + 1} is {value}, not {amount}"
    if abs(sum(grown.values()) - total) > 1e-6 * total:
        yield f"increase[1m] adds up to {sum(grown.values())}, not {total}"
    end = max(punctual) + 1
    quarter = sum(punctual[minute] for minute in range(end - 15, end))
    for words in (f"increase({metric}{{{selector}}}[15m])", f"900 * rate({metric}{{{selector}}}[15m])"):
        value = sum(series.value for series in server.query(f"sum({words})", end * MINUTE))
        if not quarter * 0.97 <= value <= (quarter + late) * 1.05:
            yield f"{words} at {end} is {value}, not {quarter}"
