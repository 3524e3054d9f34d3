"""Every query of the speed-test dashboards against a real InfluxDB that the runner filled from the preset's sample.

What they must answer is computed here from the golden points, in plain Python.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from statistics import fmean
from typing import Any

import pytest

from engines.conftest import program_or_skip
from engines.grafana import Frame, Look, ask, panels, queries, substituted
from engines.influxdb import Bucket, Server, Value
from engines.job import Job, ookla
from engines.seeing import READ, Rows, of_influxdb, seen
from presets import ookla_oracle as oracle

BEGIN = datetime(2026, 3, 3, 23, 45, tzinfo=UTC)
END = datetime(2026, 3, 4, 0, 15, tzinfo=UTC)
WINDOW = timedelta(minutes=5)
ASN = "64496"
LOOK = Look(BEGIN, END, WINDOW, {"server": ".*", "zone": "Europe/Berlin", "asn": ASN}, now=END)
NEXT_DAY = replace(LOOK, begin=BEGIN + timedelta(days=1), end=END + timedelta(days=1))


@dataclass(frozen=True)
class Point:
    """A golden point."""

    time: datetime
    labels: Mapping[str, str]
    values: Mapping[str, Any]


def golden(metric: str) -> Iterator[Point]:
    for line in oracle.GOLDEN.read_text(encoding="utf-8").splitlines():
        one = json.loads(line)
        if one["metric"] == metric:
            yield Point(datetime.fromisoformat(one["time"]), one["labels"], one["values"])


NAMES = {"unknown": "unknown"} | {one.labels["asn"]: one.values["asname"] for one in golden("asn_map")}

Series = dict[str, dict[str, Any]]
"""Values by time, by the name of the line."""


def text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def windows() -> list[datetime]:
    return [BEGIN + number * WINDOW for number in range((END - BEGIN) // WINDOW)]


def window(moment: datetime) -> datetime:
    return BEGIN + (moment - BEGIN) // WINDOW * WINDOW


def totals(metric: str, value: str, *labels: str) -> Counter[str]:
    """Sums over the whole time, by labels in order."""
    found: Counter[str] = Counter()
    for one in golden(metric):
        found[" ".join(one.labels[label] for label in labels)] += one.values[value]
    return found


def means(value: str, shift: timedelta = timedelta()) -> dict[str, float]:
    """Of the minutes of a window."""
    found = defaultdict(list)
    for one in golden("ookla_speedtest_minutely"):
        found[window(one.time)].append(one.values[value])
    return {text(start + shift): fmean(found[start]) for start in windows()}


def per_minute(
    points: Iterator[Point], value: str, name: Callable[[Point], str], shift: timedelta = timedelta()
) -> Series:
    """Sums of a window for one minute; 0 where nothing was. One window more than is seen."""
    sums: defaultdict[str, Counter[datetime]] = defaultdict(Counter)
    for one in points:
        sums[name(one)][window(one.time)] += one.values[value]
    return {
        line: {text(start + shift): pytest.approx(found[start] / 5) for start in [BEGIN - WINDOW, *windows()]}
        for line, found in sums.items()
    }


def leading(count: Counter[str], limit: int) -> list[str]:
    """The biggest; among equals the label decides."""
    return sorted(count, key=lambda name: (count[name], name), reverse=True)[:limit]


# -- what the dashboards must say -------------------------------------------------------------------------------------


def one_line(value: str) -> Series:
    return {"st-01": means(value)}


def of_day(value: str) -> Series:
    (found,) = (one.values[value] for one in golden("ookla_speedtest_daily") if one.time.day == END.day)
    return {"st-01": {"2026-03-04T00:00:00Z": found}}


def refusals(asn: str = "") -> tuple[int, int]:
    """(refused, all) HI records, of one provider or of all."""
    found = [one for one in golden("ookla_speedtest_hello_minutely") if asn in ("", one.labels["asn"])]
    refused = sum(one.values["records"] for one in found if one.labels["status"] != "200")
    return refused, sum(one.values["records"] for one in found)


def age() -> Series:
    newest = max(one.time for one in golden("ookla_speedtest_minutely"))
    return {"st-01": {text(END): (END - newest).total_seconds()}}


def transfers() -> Series:
    return {f"st-01: {field}": means(field) for field in ("uploads", "downloads")}


def users_per_day() -> Series:
    return {"st-01": {text(one.time): one.values["users"] for one in golden("ookla_speedtest_daily")}}


def by_provider() -> Series:
    biggest = leading(totals("ookla_speedtest_asn_minutely", "tests", "asn"), 10)

    def name(one: Point) -> str:
        return named(one.labels["asn"]) if one.labels["asn"] in biggest else "all others"

    return per_minute(golden("ookla_speedtest_asn_minutely"), "tests", name)


def named(asn: str) -> str:
    return str(NAMES.get(asn, f"AS {asn}"))


def refused_by_status() -> Series:
    points = (one for one in golden("ookla_speedtest_hello_minutely") if one.labels["status"] != "200")
    return per_minute(points, "records", lambda one: f"status {one.labels['status']}")


def roll_out() -> Series:
    users = totals("ookla_speedtest_app_daily", "users", "app", "version")
    biggest = leading(users, 11)
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for one in golden("ookla_speedtest_app_daily"):
        name = f"{one.labels['app']} {one.labels['version']}"
        found[name if name in biggest else "all others"][text(one.time)] += one.values["users"]
    return {name: dict(days) for name, days in found.items()}


def of_provider(metric: str, value: str, name: Callable[[Point], str], shift: timedelta = timedelta()) -> Series:
    return per_minute((one for one in golden(metric) if one.labels["asn"] == ASN), value, name, shift)


LINES: dict[tuple[str, str], Callable[[], Series]] = {
    ("ookla", "Is data arriving?"): age,
    ("ookla", "Age of the newest minute"): age,
    ("ookla", "Tests of the day"): lambda: of_day("tests"),
    ("ookla", "Users of the day"): lambda: of_day("users"),
    ("ookla", "Tests per minute A"): lambda: one_line("tests"),
    ("ookla", "Users per minute"): lambda: one_line("users"),
    ("ookla", "Server errors (5xx) per minute"): lambda: one_line("errors5xx"),
    ("ookla", "Transfers of the older kind per minute"): transfers,
    ("ookla", "Users per day"): users_per_day,
    ("ookla", "Tests per minute by provider"): by_provider,
    ("ookla", "Share of all tests by provider"): by_provider,
    ("ookla", "Refused HI records per minute by status"): refused_by_status,
    ("ookla", "Roll-out of app versions"): roll_out,
    ("ookla-provider", "Tests per minute by server A"): lambda: of_provider(
        "ookla_speedtest_asn_minutely", "tests", lambda one: one.labels["server"]
    ),
    ("ookla-provider", "HI records per minute by status"): lambda: of_provider(
        "ookla_speedtest_hello_minutely", "records", lambda one: f"status {one.labels['status']}"
    ),
}
"""Charts and numbers with a time, and what they must show."""

DAY = timedelta(days=1)
LINES_OF_THE_DAY_BEFORE: dict[tuple[str, str], Callable[[], Series]] = {
    ("ookla", "Tests per minute B"): lambda: {"st-01, the day before": means("tests", DAY)},
    ("ookla-provider", "Tests per minute by server B"): lambda: of_provider(
        "ookla_speedtest_asn_minutely", "tests", lambda one: one.labels["server"] + ", the day before", DAY
    ),
}
"""The same, for a reader who looks at the day after the sample."""


def providers_table() -> list[dict[str, object]]:
    tests = totals("ookla_speedtest_asn_minutely", "tests", "asn")
    biggest = leading(tests, 10)
    return [
        {"provider": named(asn), "asn": asn, "tests": count, "share": pytest.approx(count / tests.total())}
        for asn, count in tests.items()
        if asn in biggest
    ]


def refused_table() -> list[dict[str, object]]:
    found = {asn: refusals(asn) for asn in totals("ookla_speedtest_hello_minutely", "records", "asn")}
    return [
        {
            "provider": named(asn),
            "asn": asn,
            "records": records,
            "refused": refused,
            "share": pytest.approx(refused / records),
        }
        for asn, (refused, records) in found.items()
        if refused
    ]


def top(metric: str, limit: int, column: str, *labels: str) -> list[dict[str, object]]:
    tests = totals(metric, "tests", *labels)
    return [{column: name, "tests": tests[name]} for name in leading(tests, limit)]


def busy_hours() -> list[dict[str, object]]:
    """23:00 UTC of a Tuesday is 0:00 of Wednesday in Berlin; the hour in progress is none yet."""
    first, _ = (one.values["tests"] for one in golden("ookla_speedtest_hourly"))
    return [{"hour": 0, "Wed": first}]


def alone(value: object) -> Callable[[], list[dict[str, object]]]:
    return lambda: [{"_value": value}]


def of_one_provider() -> int:
    return totals("ookla_speedtest_asn_minutely", "tests", "asn")[ASN]


ROWS: dict[tuple[str, str], Callable[[], list[dict[str, object]]]] = {
    ("ookla", "Server errors (5xx)"): alone(sum(one.values["errors5xx"] for one in golden("ookla_speedtest_minutely"))),
    ("ookla", "Tests that were refused"): alone(pytest.approx(refusals()[0] / refusals()[1])),
    ("ookla", "Biggest providers"): providers_table,
    ("ookla", "Providers whose tests are refused"): refused_table,
    ("ookla", "Device models"): lambda: top("ookla_speedtest_device_minutely", 15, "model", "model"),
    ("ookla", "App versions"): lambda: top("ookla_speedtest_app_minutely", 20, "version", "app", "version"),
    ("ookla", "Busy hours"): busy_hours,
    ("ookla", "$server"): alone("st-01"),
    ("ookla-provider", "$server"): alone("st-01"),
    ("ookla-provider", "$asn"): lambda: [
        {"_value": f"{asn} {named(asn)}"} for asn in totals("ookla_speedtest_asn_minutely", "tests", "asn")
    ],
    ("ookla-provider", "Provider"): lambda: [{"provider": NAMES[ASN]}],
    ("ookla-provider", "Tests"): lambda: [{"_value": of_one_provider()}],
    ("ookla-provider", "Share of all tests"): lambda: [
        {"_value": pytest.approx(of_one_provider() / totals("ookla_speedtest_asn_minutely", "tests").total())}
    ],
    ("ookla-provider", "Refused"): lambda: [{"_value": pytest.approx(refusals(ASN)[0] / refusals(ASN)[1])}],
}
"""Tables and numbers, and what they must show, in any order."""

MARKED = ("@Starts of a runner", "@Changes of a configuration", "@Refused configurations", "@Log rotations")
ANNOTATIONS = [(uid, name) for uid in ("ookla", "ookla-provider") for name in MARKED]

EVERY = {(uid, name): query for uid in ("ookla", "ookla-provider") for name, query in queries(uid).items()}


# -- tests ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def filled(influxdb: Server, tmp_path_factory: pytest.TempPathFactory) -> Bucket:
    """A bucket with the sample, by the real command."""
    bucket = influxdb.bucket("dashboards")
    assert Job(tmp_path_factory.mktemp("job"), bucket, ookla(oracle.SAMPLE)).run("--once", "--close") == ""
    return bucket


def answer(bucket: Bucket, which: tuple[str, str], look: Look = LOOK) -> list[Frame]:
    """As Grafana gets it, with its token."""
    return ask(bucket.server, substituted(EVERY[which].text, look, bucket.name), bucket.read_only.text)


def lines(frames: list[Frame]) -> Series:
    """Lines by what they are called: their only label."""
    found: Series = {}
    for frame in frames:
        (name,) = frame.labels.values()
        found[name] = frame.series
    return found


def test_every_query_is_asked_here() -> None:
    """A new panel without an expected value is a panel that nobody has ever seen to be right."""
    assert sorted(EVERY) == sorted([*LINES, *LINES_OF_THE_DAY_BEFORE, *ROWS, *ANNOTATIONS])


@pytest.mark.parametrize("which", LINES, ids=" - ".join)
def test_a_chart_shows_what_the_golden_points_say(filled: Bucket, which: tuple[str, str]) -> None:
    assert lines(answer(filled, which)) == LINES[which]()


@pytest.mark.parametrize("which", LINES_OF_THE_DAY_BEFORE, ids=" - ".join)
def test_the_day_before_lies_over_the_day(filled: Bucket, which: tuple[str, str]) -> None:
    assert lines(answer(filled, which, NEXT_DAY)) == LINES_OF_THE_DAY_BEFORE[which]()


@pytest.mark.parametrize("which", ROWS, ids=" - ".join)
def test_a_table_shows_what_the_golden_points_say(filled: Bucket, which: tuple[str, str]) -> None:
    rows = [present(row) for frame in answer(filled, which) for row in frame.rows]
    assert in_any_order(rows) == in_any_order(ROWS[which]())


def present(row: Mapping[str, Value | None]) -> dict[str, Value]:
    """Without cells that are empty."""
    return {name: value for name, value in row.items() if value is not None}


def in_any_order(rows: list[Any]) -> list[Any]:
    return sorted(rows, key=lambda row: [str(value) for name, value in sorted(row.items()) if name != "share"])


@pytest.mark.parametrize(
    "title", ["Biggest providers", "Providers whose tests are refused", "Device models", "App versions"]
)
def test_the_biggest_come_first(filled: Bucket, title: str) -> None:
    """Top-N queries that sort and cut each table by itself give no top N."""
    (frame,) = answer(filled, ("ookla", title))
    counts = frame.fields["refused" if "refused" in frame.fields else "tests"]
    assert list(counts) == sorted(counts, key=lambda count: -int(count or 0))


def test_a_provider_without_a_name_still_shows(bucket: Bucket) -> None:
    """The original's join dropped it. With few providers all are here, however small."""
    at = round((BEGIN + WINDOW).timestamp())
    bucket.write(
        "\n".join(
            [
                f"ookla_speedtest_asn_minutely,server=st-01,asn=64503 tests=3i {at}",
                f"ookla_speedtest_asn_minutely,server=st-01,asn=64504 tests=1i {at}",
                f"ookla_speedtest_hello_minutely,server=st-01,asn=64503,status=503 records=3i {at}",
                f'asn_map,asn=64504 asname="EXAMPLE-MOBILE" {at - 86400}',
            ]
        )
    )
    (frame,) = answer(bucket, ("ookla", "Biggest providers"))
    assert list(frame.fields["provider"]) == ["AS 64503", "EXAMPLE-MOBILE"]
    (frame,) = answer(bucket, ("ookla", "Providers whose tests are refused"))
    assert list(frame.fields["provider"]) == ["AS 64503"]
    assert set(lines(answer(bucket, ("ookla", "Tests per minute by provider")))) == {"AS 64503", "EXAMPLE-MOBILE"}


def test_a_day_that_ends_at_midnight_is_the_day_before(filled: Bucket) -> None:
    """InfluxDB refuses a range without a moment in it."""
    midnight = replace(LOOK, end=datetime(2026, 3, 4, tzinfo=UTC))
    (found,) = (one.values["tests"] for one in golden("ookla_speedtest_daily") if one.time.day == 3)
    assert lines(answer(filled, ("ookla", "Tests of the day"), midnight)) == {"st-01": {"2026-03-03T00:00:00Z": found}}


def read(bucket: Bucket, uid: str, look: Look = LOOK) -> dict[str, Rows]:
    """What the panels say that are read, by title."""
    found = {}
    for panel in panels(uid):
        if panel["type"] in READ:
            (letter,) = [target["refId"] for target in panel["targets"]]
            frames = {letter: answer(bucket, (uid, panel["title"]), look)}
            found[panel["title"]] = (panel, list(of_influxdb(frames)))
    return seen(program_or_skip("grafana-display"), found)


def test_a_reader_reads_words_units_and_whole_numbers(filled: Bucket) -> None:
    """By Grafana's own library. It takes a text of digits for a number: 64496 would be read as 64 K."""
    found = read(filled, "ookla")
    newest = age()["st-01"][text(END)]
    assert {title: rows for title, rows in found.items() if title in SINGLE} == {
        title: [{"title": "st-01", "text": told}]
        for title, told in {
            "Is data arriving?": "yes",
            "Age of the newest minute": f"{newest / 60:.0f} mins",
            "Tests of the day": str(of_day("tests")["st-01"]["2026-03-04T00:00:00Z"]),
            "Users of the day": str(of_day("users")["st-01"]["2026-03-04T00:00:00Z"]),
            "Server errors (5xx)": str(totals("ookla_speedtest_minutely", "errors5xx").total()),
            "Tests that were refused": f"{100 * refusals()[0] / refusals()[1]:.1f}%",
        }.items()
    }
    biggest = [(row["provider"], row["asn"], str(row["tests"])) for row in in_any_order(providers_table())]
    rows = found["Biggest providers"]
    assert sorted((row["Provider"], row["AS number"], row["Tests"]) for row in rows) == sorted(biggest)
    assert list(rows[0]) == ["Provider", "AS number", "Tests", "Share"]
    assert list(found["Providers whose tests are refused"][0]) == [
        "Provider",
        "AS number",
        "Refused",
        "HI records",
        "Share",
    ]
    assert found["Busy hours"] == [{"Hour": "0", "Wed": str(busy_hours()[0]["Wed"])}]
    models = top("ookla_speedtest_device_minutely", 15, "model", "model")
    assert found["Device models"] == [{"title": row["model"], "text": str(row["tests"])} for row in models]


SINGLE = {
    "Is data arriving?",
    "Age of the newest minute",
    "Tests of the day",
    "Users of the day",
    "Server errors (5xx)",
    "Tests that were refused",
}


def test_an_hour_counts_when_it_is_over(filled: Bucket) -> None:
    look = replace(LOOK, end=datetime(2026, 3, 4, 1, 2, tzinfo=UTC))
    rows = [present(row) for frame in answer(filled, ("ookla", "Busy hours"), look) for row in frame.rows]
    _, second = (one.values["tests"] for one in golden("ookla_speedtest_hourly"))
    assert rows[1:] == [{"hour": 1, "Wed": second}]


EVEN = [
    ("ookla", "Tests per minute by provider"),
    ("ookla", "Refused HI records per minute by status"),
    ("ookla-provider", "Tests per minute by server A"),
    ("ookla-provider", "Tests per minute by server B"),
    ("ookla-provider", "HI records per minute by status"),
]


@pytest.mark.parametrize("which", EVEN, ids=" - ".join)
@pytest.mark.parametrize(("before", "after"), [(0, 0), (130, 40), (1, 299), (299, 1)])
def test_equal_minutes_are_a_level_line_to_both_ends(
    even: Bucket, which: tuple[str, str], before: int, after: int
) -> None:
    """A part of a window divided by its whole width looks like the outage that the panel is for."""
    look = replace(LOOK, begin=BEGIN + timedelta(seconds=before), end=END + timedelta(seconds=after))
    if which[1].endswith("B"):
        look = replace(look, begin=look.begin + DAY, end=look.end + DAY)
    (line,) = lines(answer(even, which, look)).values()
    assert set(line.values()) == {3}
    assert min(line) <= text(look.begin)
    assert max(line) >= text(look.end - 2 * WINDOW)


@pytest.fixture(scope="module")
def even(influxdb: Server) -> Bucket:
    """Three tests of one provider in each minute, all refused."""
    bucket = influxdb.bucket("even")
    moments = [round((BEGIN + timedelta(minutes=number)).timestamp()) for number in range(-60, 90)]
    written = [
        line
        for at in moments
        for line in (
            f"ookla_speedtest_asn_minutely,server=st-01,asn={ASN} tests=3i {at}",
            f"ookla_speedtest_hello_minutely,server=st-01,asn={ASN},status=503 records=3i {at}",
        )
    ]
    assert bucket.write("\n".join(written)).status == 204
    return bucket


def test_a_range_within_one_window_is_no_error(even: Bucket) -> None:
    """Who zooms in as far as that sees nothing, and no message."""
    look = replace(LOOK, begin=BEGIN + timedelta(seconds=10), end=BEGIN + timedelta(seconds=40))
    for which in EVEN:
        answer(even, which, look)


def test_several_series_of_a_server_are_one(bucket: Bucket) -> None:
    """A label that all metrics of a runner have makes two series of a server: none of them is the server."""
    day, at = round(datetime(2026, 3, 4, tzinfo=UTC).timestamp()), round(END.timestamp())
    bucket.write(
        "\n".join(
            [
                f"ookla_speedtest_daily,server=st-01,site=x users=5i,tests=6i {day}",
                f"ookla_speedtest_daily,server=st-01,site=y users=2i,tests=3i {day}",
                f"ookla_speedtest_minutely,server=st-01,site=z tests=1i {at - 60}",
                f"ookla_speedtest_minutely,server=st-01,site=a tests=1i {at - 600}",
            ]
        )
    )
    assert lines(answer(bucket, ("ookla", "Users of the day"))) == {"st-01": {text(END.replace(minute=0)): 7}}
    assert lines(answer(bucket, ("ookla", "Is data arriving?"))) == {"st-01": {text(END): 60}}


@pytest.fixture(scope="module")
def empty(influxdb: Server) -> Bucket:
    return influxdb.bucket("nothing")


@pytest.mark.parametrize("which", EVERY, ids=" - ".join)
def test_an_empty_bucket_is_no_error(empty: Bucket, which: tuple[str, str]) -> None:
    """On the first day a dashboard says what to look at, not that a query failed."""
    frames = answer(empty, which)
    assert which == ("ookla-provider", "Provider") or frames == []


def test_a_server_that_was_not_chosen_is_not_counted(filled: Bucket) -> None:
    look = replace(LOOK, variables={**LOOK.variables, "server": "st-0"})
    assert {which for which in [*LINES, *ROWS] if which[1][0] != "$" and answer(filled, which, look)} == {
        ("ookla-provider", "Provider")
    }


def test_what_happened_to_a_runner_is_marked(bucket: Bucket) -> None:
    """As runners write it, if their sinks ask for it: two of them, so that each is compared with itself."""
    moments = [BEGIN + number * timedelta(minutes=1) for number in range(1, 6)]
    started = [1, 1, 120, 120, 240]
    cpu = [90.5, 90.7, 91.2, 91.3, 0.2]
    refused = [0, 1, 0, 0, 0]
    own = [
        f"pegel_runner,runner=a start_timestamp_seconds={start}i,cpu_seconds={used},config_refused={no}i {at}\n"
        f"pegel_runner,runner=b start_timestamp_seconds=500i,cpu_seconds=3.1,config_refused=0i {at}\n"
        for start, used, no, at in zip(started, cpu, refused, map(seconds, moments), strict=True)
    ]
    noticed = [
        f"pegel_noticed,source=ookla,what=rotations,runner=a value=1i {seconds(moments[2])}\n",
        f"pegel_noticed,source=ookla,what=truncations,runner=a value=1i {seconds(moments[1])}\n",
    ]
    assert bucket.write("".join([*own, *noticed])).status == 204
    assert {name: marks(bucket, name) for name in MARKED} == {
        "@Starts of a runner": [(moments[4], "A runner was started")],
        "@Changes of a configuration": [(moments[2], "A runner took another configuration")],
        "@Refused configurations": [(moments[1], "A runner refused a configuration, the former one goes on")],
        "@Log rotations": [(moments[2], "Log of ookla rotated")],
    }


def seconds(moment: datetime) -> int:
    return round(moment.timestamp())


def marks(bucket: Bucket, name: str) -> list[tuple[datetime, str]]:
    rows = [row for frame in answer(bucket, ("ookla", name)) for row in frame.rows]
    return [(datetime.fromisoformat(str(row["_time"])), str(row["text"])) for row in rows]
