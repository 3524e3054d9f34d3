"""Rolling windows against a count by hand: late records, epochs, crashes and starts at any point, folded labels.

The count by hand keeps every record and looks at all of them for every step; it knows nothing of indexes, of keys,
or of what is stored.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from doubles import Words, metric
from pegel.metrics.compiled import compile_metric
from pegel.metrics.definition import Metric, Value
from pegel.metrics.partials import Partials
from pegel.metrics.windows import DAY, Windows
from pegel.pipeline import registry
from pegel.pipeline.changes import definition
from pegel.pipeline.rolling import RollingMetric
from pegel.sinks import Point
from pegel.state import State
from pegel.units import Duration

MINUTE = 60 * 10**6
MIDNIGHT = 20_516 * DAY
"""Where one key takes over from another."""

Record = tuple[int, str, str]
"""(minute from midnight, key, user)"""


def definition_of(over: int, lateness: int, values: int) -> Metric:
    """A metric over minutes, with a gauge and its arrivals, and at most so many keys."""
    return replace(
        metric("m", every=60.0, over=over * 60.0),
        values={
            "active": Value(value="count(distinct user)"),
            "came": Value(value="arrivals(user)", kind="counter"),
            "n": Value(value="count(*)"),
            "most": Value(value="max(number)"),
        },
        allowed_lateness=Duration(lateness * 60.0),
        max_values={"key": values},
    )


# -- the count by hand -------------------------------------------------------------------------------------------


@dataclass
class ByHand:
    """Every record that was counted, and what the rules make of them."""

    over: int
    lateness: int
    most_keys: int
    keys: list[str] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    closed: int | None = None
    begun: int | None = None
    owed: Counter[str] = field(default_factory=Counter)
    total: Counter[str] = field(default_factory=Counter)
    shown: dict[tuple[int, str], tuple[int, int, int, int | None]] = field(default_factory=dict)

    def take(self, batch: Sequence[Record]) -> None:
        closed = self.closed
        usable = [one for one in batch if closed is None or one[0] >= closed - self.lateness]
        first = min((minute for minute, *_ in batch), default=None)
        if first is not None and (self.begun is None or (first < self.begun and (closed is None or first >= closed))):
            self.begun = first
        for key in dict.fromkeys(key for _, key, _ in sorted(usable)):
            if key not in self.keys and len(self.keys) < self.most_keys:
                self.keys.append(key)
        for minute, key, user in sorted((minute, self.named(key), user) for minute, key, user in usable):
            if closed is not None and minute < closed:
                near = range(minute - self.over + 1, min(minute + self.over, closed))
                if not self.was_there(key, user, near):
                    self.owed[key] += 1
                    self.total[key] += 1
            self.records.append((minute, key, user))

    def named(self, key: str) -> str:
        return key if key in self.keys else "__other__"

    def was_there(self, key: str, user: str, minutes: range) -> bool:
        return any(m in minutes and (k, u) == (key, user) for m, k, u in self.records)

    def close(self, before: int) -> None:
        first = min((minute for minute, *_ in self.records), default=before)
        for minute in range(first if self.closed is None else self.closed, before):
            self.step(minute)
        self.closed = before if self.closed is None else max(before, self.closed)

    def step(self, minute: int) -> None:
        window = range(minute - self.over + 1, minute + 1)
        for key in {key for _, key, _ in self.records}:
            there = {user for m, k, user in self.records if (m, k) == (minute, key)}
            came = sum(not self.was_there(key, user, window[:-1]) for user in there)
            self.owed[key] += came
            self.total[key] += came
            seen = [user for m, k, user in self.records if k == key and m in window]
            left = any(k == key and m == minute - self.over for m, k, _ in self.records)
            if self.begun is not None and window[0] >= self.begun and (seen or left or self.owed[key]):
                most = max((len(user) for user in seen), default=None)
                self.shown[minute, key] = (len(set(seen)), self.owed.pop(key, 0), len(seen), most)


# -- the product -------------------------------------------------------------------------------------------------


class Product:
    """A rolling metric on a state of its own."""

    def __init__(self, directory: Path, metric: Metric) -> None:
        self.compiled = compile_metric(metric, Words().columns(), frozenset({"user"}))
        self.state = State(directory)
        self.state.connection.execute(
            "insert into metrics (name, definition) values ('m', ?)", (definition(metric, Words().columns()),)
        )
        self.shown: dict[tuple[int, str], tuple[int, int, int, int | None]] = {}
        self.start()

    def start(self) -> None:
        """Begin anew with what is committed."""
        with self.state.transaction():
            (standing,) = registry.standings(self.state.connection)
            self.metric = RollingMetric(self.state, self.compiled, standing)

    def crash(self, work: Callable[[], object]) -> None:
        """Do something, and die before it is committed."""
        try:
            with self.state.transaction():
                work()
                raise InterruptedError
        except InterruptedError:
            self.start()

    def take(self, batch: Sequence[Record]) -> None:
        self.metric.merge(partials(self.compiled.windows, batch))

    def close(self, before: int) -> list[Point]:
        points = self.metric.close(MIDNIGHT + before * MINUTE)
        self.metric.sweep()
        return points

    def commit(self, work: Callable[[], object]) -> None:
        with self.state.transaction():
            points = work()
        for point in points if isinstance(points, list) else ():
            minute, values = (point.start_us - MIDNIGHT) // MINUTE, point.values
            place = minute, dict(point.labels)["key"]
            assert place not in self.shown, "a step is shown once"
            self.shown[place] = values["active"], values["came"], values["n"], values.get("most")

    def totals(self) -> dict[str, Any]:
        shown = {dict(point.labels)["key"]: point.values["came"] for point in self.metric.snapshot()}
        return {key: count for key, count in shown.items() if count}


def partials(windows: Windows, batch: Iterable[Record]) -> Partials:
    """What a fold makes of records whose number is the length of their user's name."""
    rows: dict[tuple[int, str], list[str]] = defaultdict(list)
    for minute, key, user in batch:
        rows[MIDNIGHT + minute * MINUTE, key].append(user)
    result = Partials()
    for (pane, key), users in rows.items():
        result.rows.append((pane, (key,), len(users), pane, (max(map(len, users)),)))
        for epoch in windows.epochs(pane):
            hashed = [hashlib.sha256(f"{epoch}{user}".encode()).digest()[:8] for user in users]
            members = np.unique(np.frombuffer(b"".join(hashed), "<i8"))
            result.sets.append((0, pane, epoch, (key,), members))
    return result


# -- the proof ---------------------------------------------------------------------------------------------------

AGES = (0, 0, -1, -2, -3, -5, -8, -11)
"""Minutes by which a record is older than the newest: some come in time, some late, some too late."""

USERS = ("u", "vv", "www", "xxxx")
BATCHES = st.lists(st.tuples(st.sampled_from(AGES), st.sampled_from("abc"), st.sampled_from(USERS)), max_size=6)
STEPS = st.lists(st.tuples(BATCHES, st.integers(0, 3), st.sampled_from(("", "", "start", "crash"))), max_size=16)


AROUND_MIDNIGHT = [([(0, "a", "vv")], 8, ""), ([(0, "a", "u")], 2, ""), ([(-4, "a", "u")], 1, "")]


@example(AROUND_MIDNIGHT, 3, 3, 1, -5)
@settings(deadline=None, max_examples=40)
@given(STEPS, st.sampled_from((1, 2, 3, 7)), st.sampled_from((0, 1, 3, 12)), st.integers(1, 3), st.integers(-14, 3))
def test_every_step_and_every_total_is_what_a_count_by_hand_gives(
    steps: list[tuple[list[Record], int, str]], over: int, lateness: int, keys: int, begin: int
) -> None:
    """The example: who is late before a change of keys, and was seen after it, has not arrived twice."""
    with tempfile.TemporaryDirectory() as directory:
        product = Product(Path(directory) / "state", definition_of(over, lateness, keys))
        hand = ByHand(over, lateness, keys)
        now = begin
        for batch, passed, what in [*steps, ([], over + 2, "start")]:
            records = [(now + minute, key, user) for minute, key, user in batch]
            product.crash(lambda: product.take(records)) if what == "crash" else None  # noqa: B023 - called at once
            product.commit(lambda: product.take(records))  # noqa: B023
            hand.take(records)
            now += passed
            product.crash(lambda: product.close(now - 1)) if what == "crash" else None  # noqa: B023
            product.commit(lambda: product.close(now - 1))  # noqa: B023
            hand.close(now - 1)
            if what == "start":
                product.start()
            event(what or "goes on")
        assert product.shown == hand.shown
        assert product.totals() == dict(+hand.total)
        product.state.close()
