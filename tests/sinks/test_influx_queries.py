"""The question for the newest points, and what is made of its answers; the real server is asked in tests/engines."""

from __future__ import annotations

import pytest

from pegel.errors import Retryable
from pegel.sinks.influx_queries import newest_flux, read_newest
from pegel.sinks.posting import Reply

ANSWER = (
    b",result,table,_measurement,_time\r\n"
    b",_result,0,a,2026-03-03T12:00:00Z\r\n"
    b",_result,1,b c,2026-03-03T12:00:00.5Z\r\n\r\n"
)


def reply(status: int, body: bytes = b"") -> Reply:
    return Reply(status, {}, body)


def test_the_newest_time_of_each_measurement_is_read() -> None:
    assert read_newest(reply(200, ANSWER), "x") == {"a": 1_772_539_200_000_000, "b c": 1_772_539_200_500_000}


def test_nothing_is_found_in_an_empty_bucket() -> None:
    assert read_newest(reply(200, b"\r\n"), "x") == {}


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_token_that_may_not_read_says_so(status: int) -> None:
    """The stack's own token is one of these: that is no fault."""
    with pytest.raises(Retryable, match=rf'the token may not read the bucket "telemetry" \({status}\)'):
        read_newest(reply(status), "telemetry")


@pytest.mark.parametrize(
    ("status", "body"), [(500, b"boom"), (200, b",result,table,_measurement,_time\r\n,_result,0,a,noon\r\n")]
)
def test_an_answer_that_is_none_is_said(status: int, body: bytes) -> None:
    with pytest.raises(Retryable, match="a query was answered with"):
        read_newest(reply(status, body), "telemetry")


def test_names_cannot_break_out_of_their_text() -> None:
    """A bucket's name is the operator's; `${` would begin an expression of Flux."""
    flux = newest_flux('a"b${c}', ["m\\n"])
    assert 'from(bucket: "a\\"b\\${c}")' in flux
    assert 'r._measurement == "m\\\\n"' in flux
