"""The preset against the oracle: every point and every reject, whatever way the log is read."""

from __future__ import annotations

import base64
import contextlib
import json
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from pegel.cli.preview import collect
from pegel.samples.ookla_log import PROFILES, records
from pegel.samples.rotation import RotatingLog, Rotation
from pegel.sinks import exposition, ndjson
from presets import ookla_oracle as oracle
from presets.ookla_run import Key, Run, keyed

START = 1_772_582_000.0
"""2026-03-03 23:53:20 UTC: some minutes before a new day."""

Records = Iterator[tuple[float, bytes]]


def dirty(seed: int) -> Records:
    return records(seed, START, PROFILES["dirty"].at_rate(5.0))


@contextlib.contextmanager
def log_in(directory: Path, limit: int = 400_000) -> Iterator[RotatingLog]:
    directory.mkdir(exist_ok=True)
    with RotatingLog(directory / oracle.LIVE, Rotation(limit=limit)) as log:
        yield log


def write(directory: Path, log: Records, count: int) -> None:
    with log_in(directory) as file:
        for moment, record in islice(log, count):
            file.write(moment, record)


def expected(directory: Path) -> dict[Key, object]:
    return keyed(oracle.ndjson(oracle.points(oracle.count(oracle.read_log(directory)), "st-01")))


def differences(got: dict[Key, object], wanted: dict[Key, object]) -> list[tuple[Key, object, object]]:
    """What differs, first things first: (point, product, oracle)."""
    return [(key, got.get(key), wanted.get(key)) for key in sorted(got | wanted) if got.get(key) != wanted.get(key)]


def test_the_golden_points_are_those_of_the_oracle() -> None:
    golden = oracle.GOLDEN.read_text(encoding="utf-8")
    assert golden == oracle.ndjson(oracle.points(oracle.count(oracle.read_log(oracle.SAMPLE)), "st-01"))


def test_a_preview_of_the_shipped_sample_gives_the_golden_points(tmp_path: Path) -> None:
    points = collect(Run(tmp_path, oracle.SAMPLE).plan())
    golden = keyed(oracle.GOLDEN.read_text(encoding="utf-8"))
    assert differences(keyed(ndjson.encode(points).decode()), golden) == []


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_a_dirty_log_gives_every_point_and_every_reject_of_the_oracle(tmp_path: Path, seed: int) -> None:
    write(tmp_path / "log", dirty(seed), 4000)
    run = Run(tmp_path, tmp_path / "log")
    run.once(close=True)
    assert differences(run.points(), expected(tmp_path / "log")) == []
    rejects = oracle.count(oracle.read_log(tmp_path / "log")).rejects
    assert {reason: run.rejects().get(reason, 0) for reason in ("malformed", "foreign", "bad_time")} == {
        reason: rejects[reason] for reason in ("malformed", "foreign", "bad_time")
    }


def test_small_pieces_make_no_difference(tmp_path: Path) -> None:
    """A block that ends within a record, a wrapped record or a hole must not show in the numbers."""
    write(tmp_path / "log", dirty(21), 2000)
    run = Run(tmp_path, tmp_path / "log", piece_size="7kB")
    run.once(close=True)
    assert differences(run.points(), expected(tmp_path / "log")) == []


def test_runs_from_cron_between_rotations_give_the_points_of_one_run(tmp_path: Path) -> None:
    """A minute that was read in two runs was the original's worst defect: its last part won."""
    log = dirty(31)
    run = Run(tmp_path, tmp_path / "log")
    for _ in range(4):
        write(tmp_path / "log", log, 700)
        run.once(close=False)
    write(tmp_path / "log", log, 700)
    run.once(close=True)
    assert differences(run.points(), expected(tmp_path / "log")) == []


def test_a_run_in_the_middle_of_a_record_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """The server may have written half a line, or half of a wrapped `HI`, when cron comes by."""
    text = b"".join(record for _, record in islice(dirty(41), 600))
    wrapped = text.index(b"\nWS/1.0") + 3
    run = Run(tmp_path, tmp_path / "log")
    (tmp_path / "log").mkdir()
    done = 0
    for end in (1000, 50_001, wrapped, len(text)):
        with (tmp_path / "log" / oracle.LIVE).open("ab") as file:
            file.write(text[done:end])
        done = end
        run.once(close=end == len(text))
    assert differences(run.points(), expected(tmp_path / "log")) == []


GUID = "3f6d2b7a-0c1d-4e5f-8a9b-0c1d2e3f4a5b"
PAYLOAD = (
    base64.urlsafe_b64encode(b'{"data":{"deviceId":"d-1","model":"M","app":"a","version":"1"}}').decode().rstrip("=")
)
TOKEN = f"e30.{PAYLOAD}.AA"

EDGES = [
    f"HI {GUID}\n{TOKEN} WS/1.0",  # the break is dropped, guid and token are one word
    f"HI\n{GUID} {TOKEN} WS/1.0",  # no `HI ` any more
    f"HI {GUID} {TOKEN}\r\nWS/1.0",
    "HI WS/1.0",
    f"HI {GUID[:-1]} {TOKEN} WS/1.0",
    f"HI {GUID}0 {TOKEN} WS/1.0",
    f"HI {'é' * 36} {TOKEN} WS/1.0",
    f"HI {GUID} {TOKEN} more WS/1.0",
    f"HI {GUID} {TOKEN}  WS/1.0",
    f"HI {GUID}  {TOKEN} WS/1.0",
    f"HI {GUID} e30.{PAYLOAD} WS/1.0",
    f"HI {GUID} e30.{PAYLOAD}.AA.AA WS/1.0",
    f"HI {GUID} e30.{PAYLOAD}. WS/1.0",
    f"HI {GUID} e30.e30.AA WS/1.0",
    f"HI {GUID} e30..AA WS/1.0",
    f"HI {GUID} e30.W10.AA WS/1.0",
    f"HI {GUID} e30.{PAYLOAD}=.AA WS/1.0",
    f"HI {GUID} e30.{PAYLOAD[:-1]}+.AA WS/1.0",
    f"hi {GUID} {TOKEN} WS/1.0",
    f"GET /download?guid={GUID} HTTP/1.1",
    f"GET /download?guid={GUID}",
    f"GET /download?guid={GUID}&guid=short HTTP/1.1",
    f"GET /download?guid=short&guid={GUID} HTTP/1.1",
    f"GET /download?a=b&&guid={GUID}& HTTP/1.1",
    f"GET /download?a&guid%3D{GUID} HTTP/1.1",
    f"GET /download?guid%3d{GUID} HTTP/1.1",
    f"GET /download?Guid={GUID} HTTP/1.1",
    f"GET /download?other_guid={GUID} HTTP/1.1",
    f"GET /download? guid={GUID} HTTP/1.1",
    f"GET /download?guid={'é' * 36} HTTP/1.1",
    f"GET /download?guid={GUID[:-1]}x&nocache=1 HTTP/1.1",
    f"POST /upload?guid={GUID}#fragment HTTP/1.1",
    f"POST /download?guid={GUID} HTTP/1.1",
    f"GET /upload?guid={GUID} HTTP/1.1",
    "",
]


def test_records_at_the_edge_of_the_definition_are_judged_as_it_says(tmp_path: Path) -> None:
    """Each in a minute of its own, so that a difference names its record."""
    (tmp_path / "log").mkdir()
    lines = [
        f'{"a" * 40} - - [03/Mar/2026:12:{minute:02d}:01 GMT] "{request}" {500 + 33 * (minute % 4)} 0 "" "x"\n'
        for minute, request in enumerate(EDGES)
    ]
    (tmp_path / "log" / oracle.LIVE).write_bytes("".join(lines).encode())
    run = Run(tmp_path, tmp_path / "log")
    run.once(close=True)
    assert differences(run.points(), expected(tmp_path / "log")) == []


RECORD = f'{"a" * 40} - - [03/Mar/2026:12:00:01 GMT] "GET / HTTP/1.1" 200 0 "" "x"'

FRAGMENTS = [
    RECORD.replace(" - - ", " -- "),
    RECORD.replace(" - - ", "- - "),
    RECORD[1:],
    "a" + RECORD,
    RECORD.replace("a", "A"),
    " " + RECORD,
    RECORD[:-1],
    RECORD[:60],
    RECORD.replace('"" "x"', '"x"'),
    RECORD.replace("[", ""),
    RECORD.replace("03/Mar", "32/Mar"),
    RECORD.replace("GMT", "CET"),
    RECORD.replace("Mar", "Mrz"),
]


def test_what_is_no_record_is_rejected_for_the_reason_of_the_oracle(tmp_path: Path) -> None:
    """Each after a whole record, so that none hides behind another."""
    (tmp_path / "log").mkdir()
    text = "".join(f"{RECORD}\n{fragment}\n" for fragment in FRAGMENTS)
    (tmp_path / "log" / oracle.LIVE).write_text(text, encoding="utf-8")
    run = Run(tmp_path, tmp_path / "log")
    run.once(close=True)
    counted = oracle.count(text.encode())
    assert run.rejects() == counted.rejects
    assert counted.records + sum(counted.rejects.values()) == 2 * len(FRAGMENTS)


def test_prometheus_gets_the_same_under_names_that_speak(tmp_path: Path) -> None:
    """A dashboard without InfluxDB asks for these."""
    points = collect(Run(tmp_path, oracle.SAMPLE).plan(), snapshot=True)
    families = {family.name: family for family in exposition.families(points)}
    minutely = "ookla_speedtest_minutely"
    both = ("asn_minutely", "device_minutely", "app_minutely", "hourly", "daily", "app_daily")
    assert set(families) == {
        *(f"{minutely}_{value}" for value in ("tests", "users", "uploads", "downloads", "errors5xx")),
        *(f"ookla_speedtest_{name}_{value}" for name in both for value in ("tests", "users")),
        "ookla_speedtest_hello_minutely_records",
        "asn_map_info",
    }
    (series,) = (labels for labels in families["asn_map_info"].series if ("asn", "64497") in labels)
    assert series == (("asn", "64497"), ("asname", 'HAFENFUNK-AS Hafenfunk "Mobil" eG'))
    assert all(family.help for family in families.values())


def test_the_sample_has_something_of_everything() -> None:
    """Golden points over an easy log would prove nothing."""
    counted = oracle.count(oracle.read_log(oracle.SAMPLE))
    whole = counted.minutes.values()
    assert len(counted.days) == 2
    assert min(counted.rejects[reason] for reason in ("malformed", "foreign")) > 5
    assert sum(len(minute.users) for minute in whole) < sum(len(minute.tests) for minute in whole)
    assert Counter(day.month for day in counted.days) == {3: 2}
    assert {"unknown", "12"} <= {model for _, model in counted.devices}
    assert all(sum(getattr(minute, name) for minute in whole) for name in ("uploads", "downloads", "errors5xx"))
    providers = {asn for _, asn in counted.providers}
    named = {asn for _, asn in counted.names}
    assert "unknown" in providers - named
    assert len(providers - named - {"unknown"}) > 0  # a number without a name still counts
    assert any(":" in one and "." not in one for one in addresses(oracle.read_log(oracle.SAMPLE)))
    assert {status for _, _, status in counted.hellos} > {"200"}
    assert {asn for _, asn, _ in counted.hellos} == providers
    assert len({day for day, _, _ in counted.app_days}) == len(counted.hours) == 2


def addresses(log: bytes) -> set[str]:
    return {claims.ip for one in oracle.records(log, Counter()) if (claims := oracle.claims_of(one)) and claims.ip}


IPS = {
    "192.0.2.1": "64496",
    "192.0.2.193": "unknown",
    "203.0.113.255": "64511",
    "::ffff:192.0.2.1": "64496",
    "2001:db8:b000::1": "65538",
    "2001:DB8:B000:0:0:0:0:1": "65538",
    "2001:db8:b000::1%eth0": "unknown",
    "192.0.2.01": "unknown",
    "192.0.2": "unknown",
    "192.0.2.1 ": "unknown",
    "10.0.0.1": "unknown",
    "3221225985": "unknown",
    "": "unknown",
}


def test_addresses_find_the_provider_that_the_oracle_finds(tmp_path: Path) -> None:
    """The address in a token is a stranger's text."""
    (tmp_path / "log").mkdir()
    lines = []
    for minute, ip in enumerate(IPS):
        payload = json.dumps({"data": {"deviceId": "d", "ip": ip}}).encode()
        token = f"e30.{base64.urlsafe_b64encode(payload).decode().rstrip('=')}.AA"
        request = f"HI {GUID} {token} WS/1.0"
        lines.append(f'{"a" * 40} - - [03/Mar/2026:12:{minute:02d}:01 GMT] "{request}" 200 0 "" "x"\n')
    (tmp_path / "log" / oracle.LIVE).write_text("".join(lines))
    run = Run(tmp_path, tmp_path / "log")
    run.once(close=True)
    assert differences(run.points(), expected(tmp_path / "log")) == []
    found = [dict(labels)["asn"] for _, metric, labels in sorted(run.points()) if metric.endswith("_asn_minutely")]
    assert found == list(IPS.values())


def test_without_a_database_every_provider_is_unknown_and_nothing_is_missing(tmp_path: Path) -> None:
    """The breakdown then has the one row that says so, and adds up."""
    write(tmp_path / "log", dirty(11), 1500)
    run = Run(tmp_path, tmp_path / "log", providers=())
    run.once(close=True)
    counted = oracle.count(oracle.read_log(tmp_path / "log"), providers=None)
    assert differences(run.points(), keyed(oracle.ndjson(oracle.points(counted, "st-01")))) == []
    assert not counted.names
