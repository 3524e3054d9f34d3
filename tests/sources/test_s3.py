"""The source `s3`: every object once, whatever is listed, fails, comes late or is replaced."""

from __future__ import annotations

import gzip
import os
from collections import Counter

import pytest

from pegel.sources.bucket import Missing, Refused, StoreError
from sources.bucket_driving import Driver, key
from sources.fake_bucket import NOON, FakeBucket


def lines(name: str, count: int = 3) -> bytes:
    return b"".join(b"%s-%d\n" % (name.encode(), number) for number in range(count))


def counted(*names: str, count: int = 3) -> Counter[bytes]:
    return Counter(line for name in names for line in lines(name, count).split())


def test_objects_are_read_once_oldest_first() -> None:
    """The order of the keys is not the order of time: the name of a writer comes before the number."""
    driver = Driver()
    driver.bucket.put(key(12, 2, "b"), lines("b2"), NOON + 20)
    driver.bucket.put(key(12, 1, "z"), gzip.compress(lines("z1"), mtime=0), NOON + 10)
    driver.bucket.put(key(11, 9, "z"), lines("z9"), NOON - 5)
    driver.run()
    driver.run()
    assert driver.records == counted("b2", "z1", "z9")
    assert driver.order == [f"logs/{one}" for one in (key(11, 9, "z"), key(12, 1, "z"), key(12, 2, "b"))]


def test_a_last_line_without_newline_is_a_record() -> None:
    driver = Driver()
    driver.bucket.put(key(12, 1), b"one\ntwo")
    driver.bucket.put(key(12, 2), b"three")
    driver.run()
    assert driver.records == Counter([b"one", b"two", b"three"])


def test_a_listing_has_as_many_pages_as_it_needs() -> None:
    driver = Driver(bucket=FakeBucket(page_size=7))
    for number in range(100):
        driver.bucket.put(key(12, number), lines(str(number)), NOON + number)
    driver.run()
    assert driver.records == counted(*map(str, range(100)))


def test_the_first_look_begins_a_look_back_before_now() -> None:
    """A bucket may hold a month; that is for a back-fill, at whose end the runner goes on."""
    driver = Driver()
    driver.bucket.put(key(9, 9), lines("old"), NOON - 7300)
    driver.bucket.put(key(10, 1), lines("new"), NOON - 7100)
    driver.run()
    assert driver.records == counted("new")


def test_a_late_object_within_the_look_back_counts() -> None:
    driver = Driver(watermark=round(NOON * 1e6))
    driver.bucket.put(key(12, 5), lines("5"))
    driver.run()
    driver.bucket.put(key(10, 1), lines("late"), NOON - 3600)
    driver.run()
    assert driver.records == counted("5", "late")


def test_a_look_begins_at_the_watermark_less_the_look_back_however_long_nobody_looked() -> None:
    """A runner that was down for a night has its watermark of yesterday, and misses nothing."""
    driver = Driver(watermark=round((NOON - 10 * 3600) * 1e6))
    driver.run(2.0)
    assert driver.bucket.after == ["p/20260303/00/"]
    driver.watermark = round((NOON + 10 * 3600) * 1e6)  # records from the future do not move it past the clock
    driver.run(2.0)
    assert driver.bucket.after[-1] == "p/20260303/10/"


def test_an_object_that_was_replaced_after_it_counted_is_put_aside() -> None:
    driver = Driver()
    driver.bucket.put(key(12, 1), lines("first"))
    driver.run()
    driver.bucket.put(key(12, 1), lines("second"))
    driver.bucket.put(key(12, 2), lines("other"))
    driver.run()
    driver.run()
    assert driver.records == counted("first", "other")
    assert driver.fate(key(12, 1)).startswith("quarantined: it was replaced after it had been counted")


def test_an_object_that_is_replaced_before_it_is_read_counts_as_it_is_then() -> None:
    driver = Driver()
    driver.bucket.put(key(12, 1), lines("old"))
    driver.bucket.fault = lambda kind, _: StoreError("busy") if kind == "read" else None
    driver.open()
    driver.settle(5.0)
    driver.bucket.put(key(12, 1), lines("new"))
    driver.bucket.fault = lambda _kind, _key: None
    driver.settle(200.0)
    driver.stop()
    assert driver.records == counted("new")


def test_an_object_that_is_replaced_while_it_is_read_is_put_aside() -> None:
    """What was counted of it stays; the rest of it is gone, and what is there now begins like anything."""
    padding = b"-" * 4000 + b"\n"
    driver = Driver()
    driver.bucket.put(key(12, 1), b"old" + padding * 12_000)
    driver.open()
    while not driver.read():
        pass
    driver.bucket.put(key(12, 1), b"new" + padding * 12_000)
    driver.settle()
    assert b"new" + padding[:-1] not in driver.records
    assert 0 < driver.records.total() < 12_000
    assert driver.fate(key(12, 1)) == "quarantined: it was replaced while it was read; the rest of it cannot be counted"
    assert driver.counts["quarantined_objects"] == 1
    driver.stop()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"not gzip at all", "its name ends in .gz, and it is not gzip"),
        (gzip.compress(b"x" * 1000, mtime=0)[:-5], "the file ends in the middle of a gzip member"),
        (gzip.compress(b"x" * 10**7, mtime=0), "unpacks to more than 200 times its size"),
        (b"<!DOCTYPE html><html><body>504</body></html>", "it is a web page"),
        (gzip.compress(b"a\n" * 50, mtime=0)[:-8] + b"12345678", "not readable as gzip"),
    ],
)
def test_what_can_never_be_read_is_put_aside_and_all_else_goes_on(data: bytes, reason: str) -> None:
    driver = Driver()
    driver.bucket.put(key(12, 1, end=".gz"), data)
    driver.bucket.put(key(12, 2), lines("good"))
    driver.run()
    driver.run()
    assert driver.records == counted("good")
    assert reason in driver.fate(key(12, 1, end=".gz"))


@pytest.mark.parametrize("end", ["", ".gz"])
def test_a_first_line_that_is_a_page_is_a_line_like_others(end: str) -> None:
    """A writer that logs what its own upstream said; what has nothing else is put aside by the runner."""
    driver = Driver()
    data = b"<html>503 Service Unavailable</html>\none\ntwo\n"
    driver.bucket.put(key(12, 1, end=end), gzip.compress(data, mtime=0) if end else data)
    driver.run()
    assert driver.records == Counter(data.splitlines())


def test_a_line_of_a_gigabyte_is_read_in_small_pieces() -> None:
    """The framer gives up what is too long; the source never holds more than a piece and what it was given back."""
    driver = Driver(options={"part_size": 65536, "piece_size": 65536})
    driver.bucket.put(key(12, 1), b"x" * 2_000_000 + b"\nend\n")
    source = driver.open()
    sizes = []
    for _ in range(1000):
        piece = source.poll()
        if piece is not None:
            sizes.append(len(piece.data))
            source.consume(piece, len(piece.data), "")
    driver.stop()
    assert sum(sizes) == 2_000_005
    assert max(sizes) <= 65536


def test_what_was_put_aside_is_tried_again_when_somebody_asks() -> None:
    driver = Driver()
    whole = gzip.compress(lines("mended"), mtime=0)
    driver.bucket.put(key(12, 1, end=".gz"), whole)
    driver.bucket.spoil = lambda _key, data: data[:-8] + b"????" + data[-4:]
    driver.run()
    driver.bucket.spoil = lambda _key, data: data
    driver.run()
    assert driver.records == Counter()
    driver.open()
    driver.learn(tries=1)
    driver.settle()
    driver.stop()
    driver.run()
    assert driver.records == counted("mended")
    assert driver.fate(key(12, 1, end=".gz")) == ""


def test_what_was_put_aside_and_is_gone_is_forgotten_when_somebody_asks() -> None:
    """Else its row stays for ever, and every start asks the server for it."""
    driver = Driver()
    driver.bucket.put(key(12, 1, end=".gz"), b"not gzip")
    driver.run()
    del driver.bucket.objects[key(12, 1, end=".gz")]
    driver.open()
    driver.learn(tries=1)
    driver.settle()
    assert driver.counts["vanished_objects"] == 1
    driver.stop()
    assert f"logs/{key(12, 1, end='.gz')}" not in driver.committed
    driver.bucket.put(key(12, 1, end=".gz"), gzip.compress(lines("back"), mtime=0))
    driver.run()
    assert driver.records == counted("back")


def test_asking_again_does_not_count_twice_what_was_replaced_after_it_counted() -> None:
    driver = Driver()
    driver.bucket.put(key(12, 1), lines("first"))
    driver.run()
    driver.bucket.put(key(12, 1), lines("second"))
    driver.run()
    driver.open()
    driver.learn(tries=1)
    driver.settle()
    driver.stop()
    assert driver.records == counted("first")
    assert driver.fate(key(12, 1)).startswith("dismissed: it was replaced after it had been counted")
    driver.run()
    driver.bucket.put(key(12, 1), lines("third"))
    driver.run()
    assert driver.records == counted("first")
    assert driver.fate(key(12, 1)).startswith("quarantined: ")


def test_a_right_that_one_object_lacks_holds_up_no_other() -> None:
    driver = Driver()
    for number in range(4):
        driver.bucket.put(key(12, number), lines(str(number)), NOON + number)
    driver.bucket.fault = lambda kind, name: Refused("no") if kind == "read" and name == key(12, 1) else None
    driver.run()
    assert driver.records == counted("0", "2", "3")
    assert driver.fate(key(12, 1)) == "quarantined: others can be read, and this one cannot: no"


def test_a_right_that_all_lack_is_waited_for() -> None:
    """Nothing is passed over: the operator mends it, and every object is read then, in order."""
    driver = Driver()
    for number in range(4):
        driver.bucket.put(key(12, number), lines(str(number)), NOON + number)
    driver.bucket.fault = lambda kind, _: Refused("s3:GetObject is missing") if kind == "read" else None
    driver.open()
    driver.settle()
    assert driver.records == Counter()
    assert set(driver.failures) == {"s3:GetObject is missing"}
    assert driver.source is not None
    assert driver.source.status().state == "failing"
    driver.bucket.fault = lambda _kind, _key: None
    driver.settle()
    driver.stop()
    assert driver.records == counted("0", "1", "2", "3")
    assert driver.order == [f"logs/{key(12, number)}" for number in range(4)]


def test_a_server_that_asks_for_less_gets_less() -> None:
    driver = Driver()
    for number in range(50):
        driver.bucket.put(key(12, number), lines(str(number)), NOON + number)
    busy = iter([True] * 20)
    driver.bucket.fault = lambda kind, _: (
        StoreError("503 SlowDown", slow=True) if kind == "read" and next(busy, False) else None
    )
    driver.run()
    assert driver.records == counted(*map(str, range(50)))
    assert "503 SlowDown" in driver.failures


def test_an_object_that_vanished_before_it_was_read_is_nothing() -> None:
    driver = Driver()
    driver.bucket.put(key(12, 1), lines("gone"))
    driver.bucket.put(key(12, 2), lines("here"))
    driver.bucket.fault = lambda kind, name: Missing("gone") if kind == "read" and name == key(12, 1) else None
    driver.open()
    driver.settle(5.0)
    assert driver.records == counted("here")
    assert driver.counts["vanished_objects"] == 1
    driver.stop()


def test_a_bucket_that_is_gone_loses_nothing() -> None:
    driver = Driver()
    driver.bucket.put(key(12, 1), lines("1"))
    driver.open()
    driver.bucket.fault = lambda kind, _: StoreError("there is no bucket logs") if kind == "list" else None
    driver.settle()
    assert driver.source is not None
    assert not driver.source.exhausted()
    assert driver.source.status().reason == "there is no bucket logs"
    driver.bucket.fault = lambda _kind, _key: None
    driver.settle()
    assert driver.source.exhausted()
    driver.stop()
    assert driver.records == counted("1")


def test_a_listing_that_breaks_off_loses_nothing_of_what_it_had_said() -> None:
    driver = Driver(bucket=FakeBucket(page_size=2))
    for number in range(9):
        driver.bucket.put(key(12, number), lines(str(number)), NOON + number)
    pages = iter(range(100))
    driver.bucket.fault = lambda kind, _: StoreError("broken") if kind == "list" and next(pages) == 3 else None
    driver.run()
    assert driver.records == counted(*map(str, range(9)))
    assert driver.order == [f"logs/{key(12, number)}" for number in range(9)]


def test_start_at_the_end_leaves_what_is_there() -> None:
    driver = Driver(start="end")
    driver.bucket.put(key(12, 1), lines("old"))
    driver.run()
    driver.bucket.put(key(12, 2), lines("new"))
    driver.run()
    driver.run()
    assert driver.records == counted("new")


def test_rows_are_given_up_with_their_hours_and_never_counted_again() -> None:
    """Neither a longer look-back nor a clock that jumps back brings back what is still in the bucket."""
    driver = Driver(options={"look_back": 86400.0})
    driver.bucket.put(key(9, 1), lines("old"), NOON - 3 * 3600)
    driver.bucket.put(key(12, 1), lines("new"))
    driver.run()
    driver.clock.now += 60 * 3600
    driver.watermark = round(driver.clock.now * 1e6)
    driver.run()
    assert not any(stream.endswith(key(9, 1)) for stream in driver.committed)
    driver.options["look_back"] = 1000 * 3600.0
    driver.clock.now = NOON - 50 * 3600
    driver.run()
    driver.watermark = None
    driver.run()
    assert driver.records == counted("old", "new")


def test_a_plain_prefix_is_listed_behind_the_key_that_was_given() -> None:
    driver = Driver(options={"layout": "", "names": "", "start_after": "p/b"})
    for name in ("p/a", "p/b", "p/c", "q/d"):
        driver.bucket.put(name, lines(name))
    driver.run()
    assert driver.records == counted("p/c")


def test_keys_of_nobody_are_counted_once_and_left_alone() -> None:
    driver = Driver()
    driver.bucket.put("p/readme.txt", b"hello\n")
    driver.bucket.put("p/20260332/10/rtl.a+1.log", b"no such day\n")
    driver.open()
    driver.settle()
    assert driver.counts["foreign_objects"] == 2
    driver.stop()
    assert driver.records == Counter()


@pytest.mark.parametrize(
    "odd", ["../../etc/passwd", "a\nb", "\x00\x1b[31m", "x" * 1000, "\udcff\udc80", "%2e%2e", "ü", "//", "."]
)
def test_a_key_is_only_text(odd: str) -> None:
    """It is never a path, it is stored as valid text, and two that differ stay two."""
    driver = Driver(options={"layout": "", "names": ""})
    driver.bucket.put(f"p/{odd}", b"one\n")
    driver.bucket.put(f"p/{odd}%", b"two\n")
    driver.run()
    driver.run()
    assert driver.records == Counter([b"one", b"two"])
    assert all(stream.encode().decode().isprintable() for stream in driver.committed)


def test_a_copied_bucket_is_read_in_the_order_of_its_hours() -> None:
    """A copy has the time of the copy on every object."""
    driver = Driver(options={"look_back": 86400.0})
    for hour in (11, 9, 10):
        driver.bucket.put(key(hour, 1), lines(str(hour)), NOON + 9e6)
    driver.run()
    assert driver.order == [f"logs/{key(hour, 1)}" for hour in (9, 10, 11)]


def test_bytes_on_their_way_stay_within_their_bounds() -> None:
    driver = Driver(options={"part_size": 65536, "max_in_flight": 4 * 65536, "piece_size": 65536})
    for number in range(20):
        driver.bucket.put(key(12, number), os.urandom(3 * 65536), NOON + number)
    source = driver.open()
    most = 0
    for _ in range(2000):
        piece = source.poll()
        most = max(most, sum(one.held for one in source._fetcher._begun))
        if piece is not None:
            source.consume(piece, len(piece.data), "")
    assert source.exhausted()
    assert 65536 < most <= 4 * 65536
    driver.stop()
