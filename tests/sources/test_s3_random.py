"""Random histories of a bucket: whatever is listed, replaced, late, refused or cut off, each object counts once."""

from __future__ import annotations

import gzip
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from pegel.sources.bucket import StoreError
from sources.bucket_driving import Driver, key
from sources.fake_bucket import NOON, FakeBucket

WRITERS = "abc"

step = st.one_of(
    st.tuples(st.just("put"), st.sampled_from(WRITERS), st.integers(1, 6), st.integers(10, 12), st.booleans()),
    st.tuples(st.just("again"), st.integers(0, 30)),
    st.tuples(st.just("read"), st.integers(1, 6)),
    st.tuples(st.just("commit"), st.integers(1, 4)),
    st.tuples(st.just("kill")),
    st.tuples(st.just("stop")),
    st.tuples(st.just("fail"), st.integers(1, 5), st.sampled_from(["list", "read"])),
    st.tuples(st.just("later"), st.integers(1, 200)),
)


class History:
    """A bucket, a runner that is stopped and killed, and what of the first versions must have been counted."""

    def __init__(self, page_size: int, size: int) -> None:
        options = {"piece_size": size, "part_size": size}
        self.driver = Driver(bucket=FakeBucket(page_size=page_size), options=options)
        self.driver.bucket.fault = self.fault
        self.failing = {"list": 0, "read": 0}
        self.versions: dict[str, list[bytes]] = {}
        self.number = 0
        self.driver.open()

    def fault(self, kind: str, _key: str) -> StoreError | None:
        if self.failing.get(kind, 0) > 0:
            self.failing[kind] -= 1
            return StoreError("busy", slow=True)
        return None

    def put(self, writer: str, sequence: int, hour: int, packed: bool) -> None:
        name = key(hour, sequence, writer, ".gz" if packed else "")
        self.number += 1
        data = b"".join(b"%d-%s-%d\n" % (self.number, writer.encode(), line) for line in range(1 + self.number % 4))
        self.versions.setdefault(name, []).append(data)
        written = min(NOON + (hour - 12) * 3600 + sequence * 30, self.driver.clock.now)
        self.driver.bucket.put(name, gzip.compress(data, mtime=0) if packed else data, written)

    def again(self, number: int) -> None:
        """An object is delivered again, as it was or with other content."""
        names = sorted(self.versions)
        if names:
            name = names[number % len(names)]
            writer, sequence = name.split("rtl.")[1].split("+")
            self.put(writer, int(sequence[:6]), int(name.split("/")[2]), name.endswith(".gz"))

    def read(self, count: int) -> None:
        for _ in range(count):
            self.driver.read()
            self.driver.clock.now += 0.5

    def commit(self, count: int) -> None:
        self.driver.commit(count)

    def kill(self) -> None:
        self.driver.kill()
        self.driver.open()

    def stop(self) -> None:
        self.driver.stop()
        self.driver.open()

    def fail(self, count: int, kind: str) -> None:
        self.failing[kind] = count

    def later(self, seconds: int) -> None:
        self.driver.clock.now += seconds

    def end(self) -> None:
        """Everything is read; then each object counted as one of its versions, whole, or not at all if put aside."""
        self.failing = {"list": 0, "read": 0}
        self.driver.settle(300.0)
        self.driver.stop()
        rest = Counter(self.driver.records)
        for name, versions in self.versions.items():
            possible = [Counter(version.split()) for version in versions]
            counted = [one for one in possible if one <= rest]
            assert len(counted) == 1, (name, versions, self.driver.fate(name))
            rest -= counted[0]
        assert not rest


@settings(max_examples=150, deadline=None)
@given(st.lists(step, max_size=40), st.integers(1, 5), st.sampled_from([5, 17, 10**6]))
def test_each_object_counts_exactly_once(steps: list[tuple[object, ...]], page_size: int, size: int) -> None:
    history = History(page_size, size)
    for name, *arguments in steps:
        getattr(history, str(name))(*arguments)
    history.end()


@settings(max_examples=60, deadline=None)
@given(st.permutations(range(8)), st.integers(1, 9))
def test_the_order_of_reading_does_not_depend_on_the_order_of_arrival(order: list[int], page_size: int) -> None:
    driver = Driver(bucket=FakeBucket(page_size=page_size))
    for number in order:
        driver.bucket.put(key(12, number // 2, "ab"[number % 2]), b"%d\n" % number, NOON + number)
    driver.run()
    assert driver.order == [f"logs/{key(12, number // 2, 'ab'[number % 2])}" for number in range(8)]
