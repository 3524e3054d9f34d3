"""What a real InfluxDB 2 does, where the sink depends on it; a new version that differs fails here first."""

from __future__ import annotations

import gzip
import json

import pytest

from engines.influxdb import ORG, Bucket, Server

NOW = 1_772_539_200
TIME = "2026-03-03T12:00:00Z"


def test_a_write_is_answered_with_204_and_can_be_read_at_once(bucket: Bucket) -> None:
    assert bucket.write(f'm,server=st-01 tests=12i,share=1,name="x" {NOW}').status == 204
    assert bucket.points() == {(TIME, "m", (("server", "st-01"),)): {"tests": 12, "share": 1.0, "name": "x"}}


def test_gzip_is_taken(bucket: Bucket) -> None:
    body = gzip.compress(f"m tests=1i {NOW}\n".encode())
    assert bucket.write(body, headers={"Content-Encoding": "gzip"}).status == 204
    assert bucket.points() == {(TIME, "m", ()): {"tests": 1}}


def test_a_second_write_replaces_the_fields_that_it_has_and_leaves_the_others(bucket: Bucket) -> None:
    bucket.write(f"m tests=1i,users=1i {NOW}")
    bucket.write(f"m tests=2i {NOW}")
    assert bucket.points() == {(TIME, "m", ()): {"tests": 2, "users": 1}}


def test_of_a_request_with_an_unreadable_line_nothing_is_written(bucket: Bucket) -> None:
    """So the good lines of a 400 have to be sent again without the bad one."""
    reply = bucket.write(f"m tests=1i {NOW}\nm tests= {NOW}\nm tests=2i {NOW + 60}")
    assert (reply.status, reply.json()["code"], bucket.points()) == (400, "invalid", {})


def test_a_type_conflict_is_answered_with_422_and_the_rest_is_written(bucket: Bucket) -> None:
    bucket.write(f"m tests=1i {NOW}")
    reply = bucket.write(f"m tests=1.5 {NOW + 60}\nm tests=3i {NOW + 120}")
    assert (reply.status, reply.json()["code"]) == (422, "unprocessable entity")
    assert "partial write: field type conflict" in reply.json()["message"]
    assert sorted(point["tests"] for point in bucket.points().values()) == [1, 3]


def test_a_point_outside_the_retention_is_answered_with_422_and_the_rest_is_written(influxdb: Server) -> None:
    bucket = influxdb.bucket("kept-an-hour", keep_seconds=3600)
    reply = bucket.write(f"m tests=1i {NOW}\nm tests=2i {4_000_000_000}")
    assert reply.status == 422
    assert "dropped=1" in reply.json()["message"]
    assert [point["tests"] for point in bucket.points().values()] == [2]


@pytest.mark.parametrize(("token", "status"), [("", 401), ("nonsense", 401)])
def test_without_a_valid_token_it_is_401(bucket: Bucket, token: str, status: int) -> None:
    assert bucket.write(f"m tests=1i {NOW}", token=token).status == status


def test_a_token_that_may_not_write_here_is_refused(influxdb: Server, bucket: Bucket) -> None:
    other = influxdb.bucket(f"{bucket.name}-other")
    assert bucket.write(f"m tests=1i {NOW}", token=bucket.read_only.text).status == 403
    assert bucket.write(f"m tests=1i {NOW}", token=other.write_only.text).status == 403
    assert bucket.points() == {}


def test_a_revoked_token_is_401_and_a_new_one_works(bucket: Bucket) -> None:
    old = bucket.new_token("write")
    assert bucket.write(f"m tests=1i {NOW}", token=old.text).status == 204
    bucket.revoke(old)
    assert bucket.write(f"m tests=1i {NOW}", token=old.text).status == 401
    assert bucket.write(f"m tests=1i {NOW}", token=bucket.new_token("write").text).status == 204


@pytest.mark.parametrize("query", [f"org={ORG}&bucket=none", "org=none&bucket=first"])
def test_an_unknown_bucket_or_organisation_is_404(influxdb: Server, query: str) -> None:
    path = f"/api/v2/write?{query}&precision=s"
    reply = influxdb.request("POST", path, b"m tests=1i", token=influxdb.operator)
    assert (reply.status, reply.json()["code"]) == (404, "not found")


def test_an_unknown_precision_is_400(influxdb: Server) -> None:
    path = f"/api/v2/write?org={ORG}&bucket=first&precision=m"
    assert influxdb.request("POST", path, b"m tests=1i", token=influxdb.operator).status == 400


@pytest.mark.parametrize("path", ["/write/api/v2/write", "//api/v2/write", "/influx/api/v2/write"])
def test_a_path_that_does_not_exist_is_never_a_success(influxdb: Server, path: str) -> None:
    """A wrong base path in the URL must not look like a write that worked: only 204 may count as one."""
    reply = influxdb.request("POST", f"{path}?org={ORG}&bucket=first", b"m tests=1i", token=influxdb.operator)
    assert reply.status != 204


def test_nothing_to_write_is_not_an_error_but_needs_the_right_to_write(bucket: Bucket) -> None:
    """`probe` asks with this whether a token may write, and stores nothing."""
    answers = {
        name: bucket.write("# nothing\n", token=token).status
        for name, token in (("write", bucket.write_only.text), ("read", bucket.read_only.text), ("none", "x"))
    }
    assert answers == {"write": 204, "read": 403, "none": 401}
    assert bucket.points() == {}


def test_texts_come_back_as_they_were(bucket: Bucket) -> None:
    written = f'asn_map,asn=64500 asname="EXAMPLE-AS - Beispiel \\"Netz\\" GmbH, DE \\\\ \U0001f4a1" {NOW}'
    assert bucket.write(written).status == 204
    key = (TIME, "asn_map", (("asn", "64500"),))
    assert bucket.points() == {key: {"asname": 'EXAMPLE-AS - Beispiel "Netz" GmbH, DE \\ \U0001f4a1'}}


def test_the_date_of_an_answer_can_be_compared_with_our_clock(influxdb: Server) -> None:
    reply = influxdb.request("GET", "/ping")
    assert (reply.status, "date" in reply.headers) == (204, True)


def test_errors_are_json_with_a_code(bucket: Bucket) -> None:
    reply = bucket.write("nonsense")
    assert reply.headers["x-platform-error-code"] == json.loads(reply.body)["code"] == "invalid"
