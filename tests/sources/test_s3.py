"""The source `s3`: every object once, whatever is listed, fails, comes late or is replaced."""

from __future__ import annotations

import gzip
from collections import Counter

from sources.bucket_driving import Driver, key
from sources.fake_bucket import NOON


def lines(name: str, count: int = 3) -> bytes:
    return b"".join(b"%s-%d\n" % (name.encode(), number) for number in range(count))


def counted(*names: str, count: int = 3) -> Counter[bytes]:
    return Counter(line for name in names for line in lines(name, count).split())


def test_objects_are_read_once_oldest_first() -> None:
    """The order of the keys is not the order of time: the name of a writer comes before the number."""
    driver = Driver()
    driver.bucket.put(key(12, 2, "b"), lines("b2"), NOON + 20)
    driver.bucket.put(key(12, 1, "z"), gzip.compress(lines("z1")), NOON + 10)
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
