"""The source `s3` and a real S3 server: signatures, listings of many pages, keys of any kind, conditions, deletions."""

from __future__ import annotations

import gzip
import time
from collections import Counter
from typing import Any

import pytest

from doubles import FakeClock
from engines.s3 import ACCESS, REGION, SECRET, RealBucket
from pegel.secret import Secret
from sources.bucket_driving import Driver, key


def driver(objects: RealBucket, **options: Any) -> Driver:
    """One that reads a real bucket, or as a test says."""
    real = {
        "bucket": objects.name,
        "endpoint": objects.server.url,
        "region": REGION,
        "access_key": Secret(ACCESS),
        "secret_key": Secret(SECRET),
        "timeout": 10.0,
    }
    return Driver(options={**real, **options}, clock=FakeClock(time.time()))


def test_objects_of_a_real_server_are_read_once(objects: RealBucket) -> None:
    objects.put(key(12, 1), b"one\ntwo\n")
    objects.put(key(12, 2, end=".gz"), gzip.compress(b"three\n" * 1000))
    objects.put(key(12, 3), b"")
    reading = driver(objects)
    reading.run()
    reading.run()
    assert reading.failures == []
    assert reading.records == Counter({b"one": 1, b"two": 1, b"three": 1000})


@pytest.mark.parametrize(
    "odd", ["a b", "a+b", "a%2Bb", "ü/ß", "q?x=1&y", "a=b", "#", "[1]", "tab\tx", "line\nbreak", "~", "'\""]
)
def test_a_key_may_be_any_text(objects: RealBucket, odd: str) -> None:
    objects.put(f"p/{odd}", b"here\n")
    objects.put("p/zz", b"behind\n")
    reading = driver(objects, layout="", names="")
    reading.run()
    assert reading.failures == []
    assert reading.records == Counter([b"here", b"behind"])


def test_a_key_that_xml_cannot_hold_spoils_no_other(objects: RealBucket) -> None:
    """This server says another key than it has, however it is asked; nothing can be read from under that."""
    odd = ["a+b", "c d", "e%2Bf", "\x01", "é"]
    for one in odd:
        objects.put(f"p/{one}", one.encode().hex().encode())
    reading = driver(objects, layout="", names="")
    reading.open()
    reading.settle(10.0)
    assert reading.failures == []
    assert reading.records == Counter(one.encode().hex().encode() for one in odd if one != "\x01")
    assert reading.counts["vanished_objects"] == 1
    reading.stop()


def test_a_long_listing_has_many_pages(objects: RealBucket) -> None:
    for number in range(2100):
        (objects.server.directory / objects.name / f"k{number:05d}").write_bytes(b"%d\n" % number)
    reading = driver(objects, layout="", names="", prefix="k")
    reading.run()
    assert reading.failures == []
    assert len(reading.records) == 2100


def test_a_big_object_comes_in_parts(objects: RealBucket) -> None:
    data = b"".join(b"%012d\n" % number for number in range(200_000))
    objects.put("p/big", data)
    objects.put("p/big.gz", gzip.compress(data, 1))
    reading = driver(objects, layout="", names="", part_size=2**18, max_in_flight=2**19)
    reading.run()
    assert reading.failures == []
    assert reading.records == Counter(line for line in data.split() for _ in "12")


def test_what_is_wrong_is_said(objects: RealBucket) -> None:
    for change, said in (
        ({"secret_key": Secret("wrong")}, "SignatureDoesNotMatch; the secret key is wrong"),
        ({"access_key": Secret("nobody")}, "failed with 404 XAdminUserNotFound"),
        ({"bucket": "no-such-bucket"}, "there is no bucket no-such-bucket"),
    ):
        reading = driver(objects, **change)
        reading.run(2.0)
        assert said in reading.failures[0]
