"""The source `s3` and a real S3 server: signatures, listings of many pages, keys of any kind, conditions, deletions."""

from __future__ import annotations

import gzip
import socket
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from doubles import FakeClock
from engines.conftest import program_or_skip
from engines.s3 import ACCESS, REGION, SECRET, RealBucket, S3Server
from pegel.reaching import Trust
from pegel.secret import Secret
from pegel.sources.bucket.client import Address, Bucket
from pegel.sources.bucket.pump import Pump
from pegel.sources.bucket.signing import Credentials
from sources.bucket_driving import Driver, key, source

CERTIFICATES = Path(__file__).parents[1] / "sinks" / "certificates"


def driver(objects: RealBucket, **options: Any) -> Driver:
    """One that reads a real bucket, or as a test says."""
    real = {
        "bucket": objects.name,
        "endpoint": objects.server.url,
        "region": REGION,
        "access_key": Secret(ACCESS),
        "secret_key": Secret(SECRET),
        "timeout": 10.0,
        "look_back": 1e9,  # the hours in the keys are long ago
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


def probed(objects: RealBucket, **options: Any) -> list[str]:
    """What `check --connect` would say of a bucket."""
    reading = driver(objects, **options)
    return list(source(reading.bucket, **reading.options).probe())


def test_a_probe_finds_nothing_wrong_where_nothing_is(objects: RealBucket) -> None:
    objects.put(key(12, 1), b"one\n")
    assert probed(objects) == []
    assert probed(objects, delete=True) == []
    assert objects.keys() == {key(12, 1)}


def test_a_probe_says_what_is_wrong(objects: RealBucket) -> None:
    objects.put("p/elsewhere", b"one\n")
    assert probed(objects) == [
        "no key under the prefix fits `layout` and `names`; compare them with a key of the bucket"
    ]
    assert "there is no bucket nowhere-at-all" in probed(objects, bucket="nowhere-at-all")[0]
    assert "the secret key is wrong" in probed(objects, secret_key=Secret("x"))[0]
    assert "refuses connections" in probed(objects, endpoint="http://127.0.0.1:9")[0]


def test_objects_are_deleted_from_a_real_server(objects: RealBucket) -> None:
    """A condition on the ETag keeps what was replaced."""
    tag = objects.put("p/mine", b"one\n")
    objects.put("p/other", b"one\n")
    reading = driver(objects, layout="", names="", delete=True)
    reading.open()
    reading.settle(3.0)
    objects.put("p/other", b"two\n")
    reading.learn(released=[one for one in reading.committed.values() if "etag" in one.cursor])
    reading.settle(3.0)
    reading.stop()
    assert objects.keys() == {"p/other"}
    assert reading.committed[f"{objects.name}/p/mine"].cursor == {
        "etag": tag,
        "size": 4,
        "written": reading.committed[f"{objects.name}/p/mine"].cursor["written"],
        "fate": "deleted",
    }


def test_a_server_is_believed_by_the_authority_that_was_named(tmp_path: Path) -> None:
    server_file = str(CERTIFICATES / "server.pem")
    server = S3Server(program_or_skip("versitygw"), tmp_path, "--cert", server_file, "--key", server_file)
    try:
        (server.directory / "secure").mkdir()
        (server.directory / "secure" / "one").write_bytes(b"here\n")
        where = {"endpoint": f"https://localhost:{server.port}", "bucket": "secure", "prefix": ""}
        bucket = RealBucket(server, "secure")
        trusting = driver(bucket, **where, layout="", names="", ca_file=CERTIFICATES / "authority.pem")
        trusting.run(3.0)
        assert trusting.failures == []
        assert trusting.records == Counter([b"here"])
        doubting = driver(bucket, **where, layout="", names="")
        doubting.run(2.0)
        assert "has a certificate that is not trusted" in doubting.failures[0]
    finally:
        server.stop()


def test_the_name_of_the_bucket_may_be_in_the_host(tmp_path: Path) -> None:
    server = S3Server(program_or_skip("versitygw"), tmp_path, "--virtual-domain", "s3.test")
    pump = Pump()
    bucket = Bucket(
        Address(f"http://s3.test:{server.port}", "named", REGION, "virtual"),
        Credentials(Secret(ACCESS), Secret(SECRET)),
        time.time,
        Trust(),
        5.0,
        resolve=lambda _host, port: [(socket.AF_INET, ("127.0.0.1", port))],
    )
    try:
        (server.directory / "named").mkdir()
        (server.directory / "named" / "a+b").write_bytes(b"here\n")
        found = pump.finish(bucket.list("", "", "")).objects[0]
        assert found.key == "a+b"
        assert pump.finish(bucket.read(found.key, found.etag, 0, 5)) == b"here\n"
    finally:
        pump.close(bucket.close())
        server.stop()
