from __future__ import annotations

import gzip
import select
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pegel.errors import Permanent, Retryable
from pegel.secret import Secret
from pegel.sinks import Histogram
from pegel.sinks.influxdb2 import Influxdb2
from sinks.hostile import many_points, point
from sinks.influx_server import (
    TOKEN,
    FakeInflux,
    Fault,
    Handler,
    and_close,
    drip,
    page,
    raw,
    reset,
    silence,
    status,
    stored_but_reset,
)

MINUTE = 1_772_539_200
SERIES = ("ookla_speedtest_minutely", (("server", "st-01"),))


@pytest.fixture
def influx() -> Iterator[FakeInflux]:
    with FakeInflux() as server:
        yield server


@pytest.fixture
def sink(influx: FakeInflux) -> Iterator[Influxdb2]:
    sink = made(influx)
    yield sink
    sink.close()


def made(influx: FakeInflux, **options: Any) -> Influxdb2:
    given = {"url": influx.url, "org": "example", "bucket": "telemetry", "token": Secret(TOKEN)}
    return Influxdb2(**{**given, **options})


def and_then_well(handler: Handler) -> None:
    handler.send(204, b"")


def row(number: int, value: str = "1i") -> bytes:
    return f"m,n={number} v={value} {MINUTE}\n".encode()


def stored_rows(influx: FakeInflux) -> set[int]:
    return {int(dict(tags)["n"]) for ((_, tags), _time) in influx.stored}


# -- requests -------------------------------------------------------------------------------------------


def test_points_are_stored_with_their_types(influx: FakeInflux, sink: Influxdb2) -> None:
    sink.send(sink.encode([point(tests=12, rate=0.5, note="a b")]))
    assert influx.stored == {(SERIES, MINUTE): {"tests": 12, "rate": 0.5, "note": "a b"}}


def test_a_request_says_this_and_nothing_else(influx: FakeInflux, sink: Influxdb2) -> None:
    """Byte by byte: what is not needed is one more thing that a proxy can take amiss."""
    sink.send(b"m v=1i 1\n")
    (request,) = influx.requests
    assert request.target == "/api/v2/write?org=example&bucket=telemetry&precision=s"
    assert request.headers == {
        "host": influx.host,
        "user-agent": "pegel",
        "authorization": f"Token {TOKEN}",
        "content-type": "text/plain; charset=utf-8",
        "content-length": "9",
    }
    assert request.raw == b"m v=1i 1\n"


def test_a_long_body_is_packed(influx: FakeInflux, sink: Influxdb2) -> None:
    payload = b"".join(map(row, range(200)))
    sink.send(payload)
    (request,) = influx.requests
    assert request.headers["content-encoding"] == "gzip"
    assert gzip.decompress(request.raw) == payload
    assert len(request.raw) < len(payload) / 3


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_base_path_and_a_slash_at_its_end_are_kept_apart(slash: str) -> None:
    """`//api/v2/write` is another address: the real server answers it with its web page."""
    with FakeInflux(base="/influx") as influx:
        sink = made(influx, url=influx.url + slash)
        sink.send(row(1))
        sink.close()
        assert stored_rows(influx) == {1}


def test_names_with_blanks_and_signs_arrive_as_they_are(influx: FakeInflux) -> None:
    influx.oldest["a b&c=d"] = 0
    sink = made(influx, bucket="a b&c=d")
    sink.send(row(1))
    sink.close()
    assert stored_rows(influx) == {1}


def test_one_connection_serves_many_requests(influx: FakeInflux, sink: Influxdb2) -> None:
    for number in range(5):
        sink.send(row(number))
    assert (influx.connections, len(influx.requests)) == (1, 5)


def test_a_connection_that_the_server_closed_in_between_is_not_used(influx: FakeInflux, sink: Influxdb2) -> None:
    """Sending into it would fail, and nobody would know what arrived."""
    influx.faults = [and_close]
    sink.send(row(1))
    assert sink._poster is not None
    assert sink._poster._socket is not None
    select.select([sink._poster._socket], [], [], 5)
    sink.send(row(2))
    assert (influx.connections, stored_rows(influx)) == (2, {1, 2})


def test_a_point_without_a_usable_value_is_a_comment(influx: FakeInflux, sink: Influxdb2) -> None:
    """So that a row that is refused can be found among the points."""
    payload = sink.encode([point(n=float("nan")), point(n=1), point(n=2**70)])
    assert payload.splitlines()[::2] == [b"#", b"#"]
    sink.send(payload)
    assert influx.stored == {(SERIES, MINUTE): {"n": 1}}


def test_nothing_is_sent_where_there_is_nothing_to_say(influx: FakeInflux, sink: Influxdb2) -> None:
    sink.send(sink.encode([point(n=float("nan"))]))
    assert influx.requests == []


@settings(max_examples=60, deadline=None)
@given(many_points)
def test_points_and_lines_are_as_many(points: list[Any]) -> None:
    """Whatever strangers write into labels and texts."""
    sink = Influxdb2(url="http://localhost", org="o", bucket="b", token=Secret("t"))
    payload = sink.encode(points)
    assert payload.count(b"\n") == len(points)
    assert len(payload.splitlines()) == len(points)


# -- rows that can never be stored ---------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.data())
def test_exactly_the_bad_rows_are_refused_and_all_others_stored(count: int, data: st.DataObject) -> None:
    """Any set of them, of any of three kinds."""
    kinds = data.draw(st.lists(st.sampled_from("ggggctb"), min_size=count, max_size=count))
    rows: dict[str, Callable[[int], bytes]] = {
        "g": row,
        "c": lambda number: row(number, "1.5"),
        "t": lambda number: f"m,n={number} v=1i 5\n".encode(),
        "b": lambda number: f"m,n={number} v= {MINUTE}\n".encode(),
    }
    payload = b"".join(rows[kind](number) for number, kind in enumerate(kinds))
    bad = {number for number, kind in enumerate(kinds) if kind != "g"}
    with FakeInflux(oldest={"telemetry": 1000.0}, types={("m", "v"): int}) as influx:
        sink = made(influx)
        refused = refused_by(sink, payload)
        sink.close()
        assert set(refused) == bad
        assert stored_rows(influx) == set(range(count)) - bad


def refused_by(sink: Influxdb2, payload: bytes) -> dict[int, str]:
    try:
        sink.send(payload)
    except Permanent as error:
        return error.rows or {-1: "nothing was stored"}
    return {}


def test_reasons_name_the_fault_and_not_the_row(influx: FakeInflux, sink: Influxdb2) -> None:
    """Dead letters are counted by reason."""
    influx.oldest["telemetry"] = 1000.0
    influx.types["m", "v"] = int
    payload = row(0) + row(1, "1.5") + b"m,n=2 v=1i 5\n" + b"m,n=3 v=1i 6\n" + row(4, "2.5")
    conflict = 'field type conflict: input field "v" on measurement "m" is type float, already exists as type integer'
    late = "older than the bucket keeps (1h0m0s)"
    assert refused_by(sink, payload) == {1: conflict, 2: late, 3: late, 4: conflict}


def test_every_reason_has_a_class(influx: FakeInflux, sink: Influxdb2) -> None:
    """Counters are by class: a server's words are not."""
    influx.oldest["telemetry"] = 1000.0
    influx.types["m", "v"] = int
    influx.max_bytes = 150
    payload = row(0) + row(1, "1.5") + b"m,n=2 v=1i 5\n" + b"nonsense\n" + row(4, '"' + "x" * 200 + '"')
    with pytest.raises(Permanent) as caught:
        sink.send(payload)
    assert caught.value.faults == {1: "type_conflict", 2: "outside_retention", 3: "unparsable", 4: "too_big"}


def test_many_bad_rows_of_one_kind_cost_one_request(influx: FakeInflux, sink: Influxdb2) -> None:
    """Back-filling into a bucket that keeps an hour: the server says that it dropped them all."""
    influx.oldest["telemetry"] = 1e10
    assert len(refused_by(sink, b"".join(map(row, range(500))))) == 500
    assert len(influx.requests) == 1


def test_few_bad_rows_among_many_cost_few_requests(influx: FakeInflux, sink: Influxdb2) -> None:
    influx.types["m", "v"] = int
    rows = [row(number, "1.5" if number in (17, 4_321) else "1i") for number in range(5_000)]
    assert set(refused_by(sink, b"".join(rows))) == {17, 4_321}
    assert len(influx.requests) < 60


def test_a_request_that_is_too_big_is_halved(influx: FakeInflux, sink: Influxdb2) -> None:
    influx.max_bytes = 200
    sink.send(b"".join(map(row, range(100))))
    assert stored_rows(influx) == set(range(100))


def test_a_row_that_is_too_big_alone_is_refused(influx: FakeInflux, sink: Influxdb2) -> None:
    influx.max_bytes = 100
    refused = refused_by(sink, row(0) + row(1, '"' + "x" * 200 + '"') + row(2))
    assert refused == {1: "the row alone is too big for the server (413)"}
    assert stored_rows(influx) == {0, 2}


@pytest.mark.parametrize("code", [400, 413, 422])
def test_a_refusal_of_everything_blames_no_row(influx: FakeInflux, sink: Influxdb2, code: int) -> None:
    """A proxy that refuses whatever it gets would otherwise turn every point into a dead letter."""
    influx.faults = [status(code, {"message": "go away"})] * 2
    with pytest.raises(Retryable, match="refuses every write"):
        sink.send(row(1) + row(2))
    sink.send(row(1) + row(2))
    assert stored_rows(influx) == {1, 2}


# -- answers that a person or time can mend ------------------------------------------------------------


def failure(sink: Influxdb2, payload: bytes | None = None) -> Retryable:
    with pytest.raises(Retryable) as caught:
        sink.send(payload or row(1))
    assert TOKEN not in str(caught.value)
    assert str(caught.value).isprintable()
    return caught.value


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"token": Secret("wrong")}, r'does not know the token \(401\); give one that may write to the bucket "tele'),
        ({"token": Secret("reader")}, r'the token may not write to the bucket "telemetry" \(403: insufficient'),
        ({"bucket": "metrics"}, r'has no such place: bucket "metrics" not found; make it, or correct org and bucket'),
        ({"org": "acme"}, r'has no such place: organization name "acme" not found; make it, or correct'),
    ],
)
def test_what_the_operator_can_mend_loses_nothing(influx: FakeInflux, options: dict[str, Any], sentence: str) -> None:
    """It says what to do, and is tried again slowly."""
    influx.tokens["reader"] = set()
    sink = made(influx, **options)
    error = failure(sink)
    assert error.unsure is False
    assert error.after == 60.0
    with pytest.raises(Retryable, match=sentence):
        raise error
    sink.close()


def test_a_new_token_in_its_file_is_used_at_once(influx: FakeInflux, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("revoked\n")
    sink = made(influx, token=Secret.read(file))
    failure(sink)
    assert sink.mended() is False
    file.write_text(TOKEN + "\n")
    assert sink.mended() is True
    assert sink.mended() is False
    sink.send(row(1))
    sink.close()
    assert stored_rows(influx) == {1}


@pytest.mark.parametrize("text", ["two\nlines", "snow\u2603man", "two words"])
def test_a_token_that_is_none_goes_nowhere(influx: FakeInflux, text: str) -> None:
    """A line break in it would be a header of somebody's own."""
    error = failure(made(influx, token=Secret(text)))
    assert "is it in one line?" in str(error)
    assert text not in str(error)
    assert influx.requests == []


ANSWERS: list[tuple[Fault, str, float | None, bool]] = [
    (page(), "is {url} the address of an InfluxDB 2? it answered a write with a web page (200)", 60, True),
    (page(404), "is {url} the address of an InfluxDB 2? it answered a write with a web page (404)", 60, False),
    (page(400), "is {url} the address of an InfluxDB 2? it answered a write with a web page (400)", 60, False),
    (status(202, {}), "is {url} the address of an InfluxDB 2? it answered a write with something else (202)", 60, True),
    (status(429, {}, retry_after="7"), "{url} asks to wait (429)", 7, False),
    (status(503, {"message": "busy"}, retry_after="0"), "{url} asks to wait (503: busy)", 0, True),
    (status(503, {}, retry_after="999999999999"), "{url} asks to wait (503)", 600, True),
    (status(503, {}, retry_after="Tue, 03 Mar 2026 12:00:30 GMT"), "{url} asks to wait (503)", 30, True),
    (status(503, {}, retry_after="Mon, 02 Mar 2026 12:00:30 GMT"), "{url} asks to wait (503)", 0, True),
    (status(503, {}, retry_after="soon"), "{url} asks to wait (503)", None, True),
    (status(500, {"message": "disk full"}), "{url} did not store the points (500: disk full)", None, True),
    (status(502), "{url} did not store the points (502)", None, True),
    (status(418, {"message": "teapot"}), "{url} did not store the points (418: teapot)", 60, False),
    (status(408), "{url} did not store the points (408)", 60, True),
]


@pytest.mark.parametrize(("fault", "sentence", "after", "unsure"), ANSWERS, ids=[answer[1] for answer in ANSWERS])
def test_only_204_is_success(
    influx: FakeInflux, sink: Influxdb2, fault: Fault, sentence: str, after: float | None, unsure: bool
) -> None:
    """Everything else is tried again, with a sentence."""
    influx.faults = [fault]
    error = failure(sink)
    assert (str(error), error.after, error.unsure) == (sentence.format(url=influx.url), after, unsure)
    sink.send(row(1))
    assert stored_rows(influx) == {1}


def test_what_the_server_says_is_cut_and_cleaned_and_holds_no_token(influx: FakeInflux, sink: Influxdb2) -> None:
    """It may quote our rows, or us."""
    influx.faults = [status(500, {"message": f"\x1b[31mToken {TOKEN}\n" + "x" * 5_000})]
    said = str(failure(sink))
    assert "_[31mToken ***_xxx" in said
    assert len(said) < 400


def test_a_reason_for_a_row_holds_no_token_either(influx: FakeInflux, sink: Influxdb2) -> None:
    """Reasons go further than errors: into the log, the dead letters and our own metrics."""
    answer = status(400, {"message": f"header not allowed: Authorization: Token {TOKEN}"})
    influx.faults = [answer, and_then_well, answer, answer]
    with pytest.raises(Permanent) as raised:
        sink.send(row(1) + row(2))
    assert set(raised.value.rows.values()) == {"header not allowed: Authorization: Token ***"}
    assert TOKEN not in str(raised.value)


def test_a_server_with_a_reason_of_its_own_for_every_row_has_a_few_reasons(influx: FakeInflux, sink: Influxdb2) -> None:
    """Each would be a line in the log and a series of our own metrics."""
    influx.faults = [status(400, {"message": "no"}), and_then_well]
    influx.faults += [status(400, {"message": f"no {number}"}) for number in range(200)]
    with pytest.raises(Permanent) as raised:
        sink.send(b"".join(row(number) for number in range(50)))
    assert len(raised.value.rows) == 50
    assert len(set(raised.value.rows.values())) <= 11


@pytest.mark.parametrize("body", [b"[" * 60_000, b"\xff\xfe", b'{"message": 7}', b"[1]", b"{"])
def test_an_error_document_that_is_none_blames_no_row(influx: FakeInflux, sink: Influxdb2, body: bytes) -> None:
    influx.faults = [lambda handler: handler.send(400, body, content_type="application/json")]
    assert "the address of an InfluxDB 2" in str(failure(sink))


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_never_followed(influx: FakeInflux, sink: Influxdb2, code: int) -> None:
    """The token would go with it."""
    with FakeInflux() as other:
        influx.faults = [status(code, None, location=f"{other.url}/api/v2/write")]
        error = failure(sink)
        assert f"redirects to {other.url}/api/v2/write ({code}), which is not followed" in str(error)
        assert error.unsure is False
        assert (other.requests, other.connections) == ([], 0)


# -- networks --------------------------------------------------------------------------------------------

NETWORKS: list[tuple[str, Fault, str]] = [
    ("reset", reset, "broke the connection before it answered"),
    ("stored, but reset", stored_but_reset, "broke the connection before it answered"),
    ("silence", silence, "did not answer within 0.3 s"),
    ("drip", drip, "did not answer within 0.3 s"),
    ("closed", raw(b""), "broke the connection before it answered"),
    ("half a status", raw(b"HTTP/1.1 20"), "gave an answer that is none (BadStatusLine)"),
    ("garbage", raw(b"\x00\x01\x02\r\n\r\n"), "gave an answer that is none (BadStatusLine)"),
    ("cut", raw(b"HTTP/1.1 500 X\r\nContent-Length: 99\r\n\r\nabc"), "did not store the points (500)"),
    ("endless line", raw(b"HTTP/1.1 204 " + b"x" * 100_000), "gave an answer that is none (LineTooLong)"),
    ("many headers", raw(b"HTTP/1.1 204 X\r\n" + b"A: b\r\n" * 500), "gave an answer that is none (HTTPException)"),
    ("a big page", raw(b"HTTP/1.1 500 X\r\n\r\n" + b"x" * 500_000), "did not store the points (500)"),
]


@pytest.mark.parametrize(("fault", "sentence"), [case[1:] for case in NETWORKS], ids=[case[0] for case in NETWORKS])
def test_a_broken_network_is_told_from_a_broken_row(influx: FakeInflux, fault: Fault, sentence: str) -> None:
    """Nobody knows what came of it, nothing is lost, and the next attempt has a connection of its own."""
    sink = made(influx, timeout=0.3)
    influx.faults = [fault]
    error = failure(sink)
    assert sentence in str(error)
    assert error.unsure is True
    influx.released.set()
    sink.send(row(1))
    sink.close()
    assert stored_rows(influx) == {1}
    assert influx.connections == 2


def test_a_refused_connection_is_certain(influx: FakeInflux) -> None:
    with FakeInflux() as gone:
        url = gone.url
    error = failure(made(influx, url=url))
    assert str(error) == f"{url} refuses connections; does the server run, and on this port?"
    assert error.unsure is False


def test_proxies_of_the_environment_are_not_used(
    influx: FakeInflux, sink: Influxdb2, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy would see the token; who wants one writes its address as the url."""
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    sink.send(row(1))
    assert stored_rows(influx) == {1}


# -- probing -------------------------------------------------------------------------------------------------


def probed(influx: FakeInflux, now: float = MINUTE, **options: Any) -> list[str]:
    sink = made(influx, **options)
    sink._wall = lambda: now
    return [sentence.replace(influx.url, "URL") for sentence in sink.probe()]


def test_a_probe_of_a_good_place_finds_nothing_and_stores_nothing(influx: FakeInflux) -> None:
    assert probed(influx) == []
    assert influx.stored == {}
    assert len(influx.requests) == 1


def test_a_probe_says_what_is_wrong(influx: FakeInflux) -> None:
    influx.tokens["reader"] = set()
    assert probed(influx, token=Secret("x")) == [
        'URL does not know the token (401); give one that may write to the bucket "telemetry"'
    ]
    assert "may not write" in probed(influx, token=Secret("reader"))[0]
    assert 'bucket "x" not found' in probed(influx, bucket="x")[0]
    assert "refuses connections" in probed(influx, url="http://127.0.0.1:1")[0]


def test_a_probe_compares_the_clocks(influx: FakeInflux) -> None:
    """Points of a runner whose clock is wrong are outside of every dashboard."""
    assert probed(influx, MINUTE + 95.0) == [
        "the clock of this machine is 95 s ahead of that of URL; let both follow NTP"
    ]
    assert probed(influx, MINUTE - 31.0) == [
        "the clock of this machine is 31 s behind that of URL; let both follow NTP"
    ]
    assert probed(influx, MINUTE + 30.0) == []


def test_a_probe_tells_that_certificates_are_not_looked_at(influx: FakeInflux) -> None:
    assert probed(influx, insecure_skip_verify=True, i_know=True) == [
        "insecure_skip_verify is on: anybody on the way can read the token"
    ]


# -- types ---------------------------------------------------------------------------------------------------


def test_histograms_keep_the_types_of_their_fields(influx: FakeInflux, sink: Influxdb2) -> None:
    """Counts are integers and the sum is a float, whatever the records were."""
    sink.send(sink.encode([point(h=Histogram((1.0,), (1, 2), 7))]))
    sink.send(sink.encode([point(minute=1, h=Histogram((1.0,), (0, 0), 0.5))]))
    assert len(influx.stored) == 2


def test_the_sink_does_not_show_its_token() -> None:
    assert TOKEN not in repr(Influxdb2(url="http://localhost", org="o", bucket="b", token=Secret(TOKEN)))
