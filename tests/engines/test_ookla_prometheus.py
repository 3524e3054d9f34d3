"""Every query of the speed-test dashboard on Prometheus, on a real one that has scraped the runner's page.

What they must answer is computed from the page in plain Python, and, where it loses nothing, from the golden points.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from engines.conftest import StartPrometheus, program_or_skip
from engines.grafana import FOLDER, panels
from engines.grafana_prometheus import Look, ask, choices, lines, numbers, openmetrics, queries, variables
from engines.pages import GOLDEN, TARGET, Pages, Shown
from engines.prometheus import QUIET, Prometheus, Series, blocks
from engines.seeing import of_prometheus, read_from_prometheus, seen

UID = "ookla-prometheus"
BEGIN = 1_772_581_500
"""2026-03-03 23:45 UTC."""
END = BEGIN + 35 * 60
MIDNIGHT = BEGIN + 15 * 60
DAY = 86400
STEP = 300
WIDTH = STEP + 15
"""`$__rate_interval`, in seconds."""

LOOK = Look(BEGIN, END, STEP, variables={"server": ".*", "zone": "1"})
DAY_AFTER = replace(LOOK, begin=BEGIN + DAY, end=END + DAY)
DAYS = Look(MIDNIGHT - DAY, MIDNIGHT + 2 * DAY, DAY, variables=LOOK.variables)
HOURS_LATER = replace(LOOK, begin=MIDNIGHT - DAY, end=MIDNIGHT + 4 * 3600)

PAGES = Pages(BEGIN, END, MIDNIGHT + 2 * DAY)
EVERY = queries(UID)
Lines = dict[str, dict[float, Any]]
ASN = "ookla_speedtest_asn_minutely_tests"
HELLO = "ookla_speedtest_hello_minutely_records"


def fetched(times: Iterable[float]) -> Iterator[tuple[str, Mapping[str, str], float, float]]:
    """What is on every page of a runner."""
    return (("pegel_runner_commits", TARGET, time, 7.0) for time in times)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A server that has scraped the page. A series that left it is gone at once, as if it had been told."""
    directory = tmp_path_factory.mktemp("pages")
    age = ("pegel_source_watermark_age_seconds", {"source": "ookla", **TARGET}, END - 5.0, 30.0)
    blocks(program_or_skip("promtool"), openmetrics(iter([*PAGES.samples(), *fetched(PAGES.times), age])), directory)
    server = Prometheus(program_or_skip("prometheus"), directory, QUIET, "--query.lookback-delta=16s")
    yield server
    server.stop()


# -- what the dashboard must say ------------------------------------------------------------------------------------


def label(name: str) -> Callable[[Shown], str]:
    return lambda one: one.labels[name]


def name_of(asn: str) -> str:
    names = {one.labels[0][1]: str(one.values["asname"]) for one in GOLDEN if one.metric == "asn_map"}
    return names.get(asn, f"AS {asn}" if asn.isdigit() else asn)


def biggest(found: Counter[str], count: int) -> dict[str, int]:
    """The greatest; of equals any."""
    return dict(sorted(found.items(), key=lambda pair: -pair[1])[:count])


def over_time(name: str, called: Callable[[Shown], str | None], back: int = 0) -> Lines:
    """The mean of the page before each step."""
    found: Lines = {}
    for at in range(BEGIN, END + 1, STEP):
        for line, value in PAGES.mean(name, called, at, WIDTH).items():
            found.setdefault(line, {})[float(at + back)] = pytest.approx(value)
    return found


def minutes(value: str, suffix: str = "", back: int = 0) -> Lines:
    return over_time(f"ookla_speedtest_minutely_{value}", lambda one: one.labels["server"] + suffix, back)


def golden_sum(value: str) -> float:
    return sum(float(str(one.values[value])) for one in GOLDEN if one.metric == "ookla_speedtest_minutely")


def refused(one: Shown) -> str | None:
    return one.labels["asn"] if one.labels["status"] != "200" else None


def total(name: str, called: Callable[[Shown], str | None]) -> Counter[str]:
    return PAGES.total(name, called, BEGIN, END)


def of_day(value: str, day: int) -> float:
    (found,) = (
        one.values[value]
        for one in GOLDEN
        if one.metric == "ookla_speedtest_daily" and one.start_us == (MIDNIGHT + (day - 1) * DAY) * 10**6
    )
    return float(str(found))


def by_provider() -> Lines:
    """The ten biggest, 0 where they are not while others are, and the rest together."""
    ten = biggest(total(ASN, label("asn")), 10)
    found = over_time(ASN, lambda one: name_of(one.labels["asn"]) if one.labels["asn"] in ten else None)
    for at in range(BEGIN, END + 1, STEP):
        if any(one.name == "ookla_speedtest_minutely_tests" for one in PAGES.at(at)):
            for asn in ten:
                found.setdefault(name_of(asn), {}).setdefault(float(at), 0.0)
    return found


def others() -> Lines:
    ten = biggest(total(ASN, label("asn")), 10)
    return over_time(ASN, lambda one: "all others" if one.labels["asn"] not in ten else None)


def app_users() -> Lines:
    """Of two days, as the page has them two hours later."""
    days: Lines = {}
    for day in (MIDNIGHT - DAY, MIDNIGHT):
        for one in PAGES.at(day + DAY + 2 * 3600):
            if one.name == "ookla_speedtest_app_daily_users":
                days.setdefault(f"{one.labels['app']} {one.labels['version']}", {})[float(day)] = one.value
    return days


LINES: dict[str, tuple[Look, Callable[[], Lines]]] = {
    "Tests per minute A": (LOOK, lambda: minutes("tests")),
    "Tests per minute B": (DAY_AFTER, lambda: minutes("tests", ", the day before", DAY)),
    "Users per minute": (LOOK, lambda: minutes("users")),
    "Server errors (5xx) per minute": (LOOK, lambda: minutes("errors5xx")),
    "Transfers of the older kind per minute A": (LOOK, lambda: minutes("uploads", ": uploads")),
    "Transfers of the older kind per minute B": (LOOK, lambda: minutes("downloads", ": downloads")),
    "Users per day": (
        DAYS,
        lambda: {"st-01": {MIDNIGHT + (day - 1.0) * DAY: of_day("users", day) for day in (0, 1)}},
    ),
    "Tests per minute by provider A": (LOOK, by_provider),
    "Tests per minute by provider B": (LOOK, others),
    "Share of all tests by provider A": (LOOK, by_provider),
    "Share of all tests by provider B": (LOOK, others),
    "Refused HI records per minute by status": (
        LOOK,
        lambda: over_time(HELLO, lambda one: f"status {one.labels['status']}" if refused(one) else None),
    ),
}
"""Charts, and what they must show."""


def refused_share() -> dict[str, Any]:
    all_of = total(HELLO, lambda _: "st-01")["st-01"]
    return {"st-01": pytest.approx(sum(total(HELLO, refused).values()) / all_of)}


NUMBERS: dict[str, tuple[Look, Callable[[], dict[str, Any]]]] = {
    # the last minute left the page after 0:18, and the query looks once a minute
    "Is data arriving?": (LOOK, lambda: {"st-01": 128.0}),
    "Age of the newest record": (LOOK, lambda: {"ookla on runner:9464": 30.0}),
    "Tests of the last day": (LOOK, lambda: {"st-01": of_day("tests", 0)}),
    "Users of the last day": (LOOK, lambda: {"st-01": of_day("users", 0)}),
    "Tests that were refused": (LOOK, refused_share),
}
"""Single numbers, and what they must be."""


def shares() -> dict[str, Any]:
    tests = total(ASN, label("asn"))
    return {asn: pytest.approx(count / tests.total()) for asn, count in biggest(tests, 10).items()}


ROWS: dict[str, Callable[[], dict[str, Any]]] = {
    "Biggest providers A": lambda: {**biggest(total(ASN, label("asn")), 10)},
    "Biggest providers B": shares,
    "Providers whose tests are refused A": lambda: {**total(HELLO, refused)},
    "Providers whose tests are refused B": lambda: {
        asn: total(HELLO, label("asn"))[asn] for asn in total(HELLO, refused)
    },
    "Providers whose tests are refused C": lambda: {
        asn: pytest.approx(count / total(HELLO, label("asn"))[asn]) for asn, count in total(HELLO, refused).items()
    },
}
"""Values of tables by AS number, and what they must be."""

TOPS: dict[str, tuple[int, Callable[[], Counter[str]]]] = {
    "Device models": (15, lambda: total("ookla_speedtest_device_minutely_tests", label("model"))),
    "App versions": (
        20,
        lambda: total("ookla_speedtest_app_minutely_tests", lambda one: f"{one.labels['app']} {one.labels['version']}"),
    ),
}
"""Bars: how many, and what each must be; of equals any may be there."""

MOMENTS = {
    "@Starts of a runner": "runner:9464 was started",
    "@Changes of a configuration": "runner:9464 took another configuration",
    "@Refused configurations": "runner:9464 refused a configuration, the former one goes on",
    "@Log rotations": "The log of ookla rotated",
}
ELSEWHERE = {"Server errors (5xx)", "Busy hours", "Roll-out of app versions A", "Roll-out of app versions B", *MOMENTS}


# -- tests ------------------------------------------------------------------------------------------------------------


def test_every_query_is_asked_here() -> None:
    """A new panel without an expected value is a panel that nobody has ever seen to be right."""
    assert sorted(EVERY) == sorted([*LINES, *NUMBERS, *ROWS, *TOPS, *ELSEWHERE])


@pytest.mark.parametrize("which", LINES)
def test_a_chart_shows_what_was_on_the_page(filled: Prometheus, which: str) -> None:
    look, expected = LINES[which]
    assert lines(filled, EVERY[which], look) == expected()


@pytest.mark.parametrize("which", NUMBERS)
def test_a_number_is_what_was_on_the_page(filled: Prometheus, which: str) -> None:
    look, expected = NUMBERS[which]
    assert numbers(filled, EVERY[which], look) == expected()


@pytest.mark.parametrize("which", ROWS)
def test_a_table_shows_what_was_on_the_page(filled: Prometheus, which: str) -> None:
    """And each provider by its name."""
    found = ask(filled, EVERY[which], LOOK)
    assert {one.labels["asn"]: one.value for one in found} == ROWS[which]()
    assert all(one.labels["asname"] == name_of(one.labels["asn"]) for one in found)


@pytest.mark.parametrize("which", TOPS)
def test_bars_are_the_greatest_in_order(filled: Prometheus, which: str) -> None:
    count, expected = TOPS[which]
    all_of = expected()
    found = numbers(filled, EVERY[which], LOOK)
    assert list(found.values()) == sorted(all_of.values(), reverse=True)[:count]
    assert found == {name: all_of[name] for name in found}


def test_errors_are_the_sum_of_the_golden_points(filled: Prometheus) -> None:
    """A server is there every minute, so each counts once; only the last one stays on the page, five times in all."""
    newest = next(one.value for one in reversed(PAGES.shown) if one.name == "ookla_speedtest_minutely_errors5xx")
    assert numbers(filled, EVERY["Server errors (5xx)"], LOOK) == {"st-01": golden_sum("errors5xx") + 4 * newest}


@pytest.mark.parametrize("every", [10, 15, 30, 60])
def test_a_sum_is_the_same_however_often_the_page_is_fetched(prometheus: StartPrometheus, every: int) -> None:
    """Also where it was fetched for a part of the time alone."""
    begin = BEGIN + 600
    times = [float(time) for time in range(begin + 7, begin + 1200, every)]
    seen_ = ("ookla_speedtest_minutely_errors5xx", {"server": "st-01", **TARGET})
    server = prometheus(samples=openmetrics(iter([*((*seen_, time, 3.0) for time in times), *fetched(times)])))
    look = replace(LOOK, end=begin + 1200)
    assert numbers(server, EVERY["Server errors (5xx)"], look) == {"st-01": pytest.approx(60)}


def test_busy_hours_are_those_of_the_reader(filled: Prometheus) -> None:
    """23:00 UTC of a Tuesday is 0:00 of Wednesday an hour further east; an hour without a minute is no hour."""
    hours = [float(str(one.values["tests"])) for one in GOLDEN if one.metric == "ookla_speedtest_hourly"]
    found = ask(filled, EVERY["Busy hours"], HOURS_LATER)
    assert {(one.labels["hour"], one.labels["day"]): one.value for one in found} == {
        ("0", "3"): hours[0],
        ("1", "3"): hours[1],
    }


def test_days_are_drawn_in_utc_since_they_are_counted_so(filled: Prometheus) -> None:
    """Where the reader's days begin two hours earlier, the page still shows the day before: each bar were wrong."""
    board = json.loads((FOLDER / f"{UID}.json").read_text(encoding="utf-8"))
    assert board["timezone"] == "utc"
    (right,) = lines(filled, EVERY["Users per day"], DAYS).values()
    (moved,) = lines(filled, EVERY["Users per day"], replace(DAYS, offset=7200)).values()
    assert right[MIDNIGHT] == of_day("users", 1)
    assert moved[MIDNIGHT - 7200] == of_day("users", 0)


def of_a_runner(instance: str, server: str) -> Iterator[tuple[str, Mapping[str, str], float, float]]:
    """It was started, took another configuration, refused one, and its log rotated: ten minutes between them."""
    own = {"job": "runner", "instance": instance}
    for at in range(BEGIN - 300, BEGIN + 3600, 15):
        after = (at - BEGIN) // 600
        yield "ookla_speedtest_minutely_tests", {**own, "server": server}, at, 3
        yield "pegel_runner_cpu_seconds", own, at, (at - BEGIN) / 100 + (0 if after > 0 else 60)
        yield "pegel_runner_start_timestamp_seconds", own, at, BEGIN + 600 * min(max(after, 0), 2)
        yield "pegel_runner_config_refused", own, at, float(after == 3)
        yield "pegel_noticed_total", {**own, "source": "ookla", "what": "rotations"}, at, float(after >= 4)


def test_what_happened_to_the_runner_of_a_server_is_marked(prometheus: StartPrometheus) -> None:
    """And nothing of a runner that has to do with other servers."""
    samples = [*of_a_runner("runner:9464", "st-01"), *of_a_runner("other:9464", "st-02")]
    server = prometheus(samples=openmetrics(iter(samples)))
    look = replace(LOOK, end=BEGIN + 3600, step=60, variables={"server": "st-01"})
    for place, (name, told) in enumerate(MOMENTS.items(), 1):
        (found,) = lines(server, EVERY[name], look).items()
        assert found[0] == told
        assert all(BEGIN + 600 * place <= at <= BEGIN + 600 * place + 135 for at in found[1]), name


def test_a_reader_reads_words_units_and_whole_numbers(filled: Prometheus) -> None:
    """By Grafana's own library. It takes a text of digits for a number: 64496 would be read as 64 K."""
    program = program_or_skip("grafana-display")
    found = read_from_prometheus(program, filled, UID, lambda name: HOURS_LATER if name == "Busy hours" else LOOK)
    single = {title: rows[0]["text"] for title, rows in found.items() if list(rows[0]) == ["title", "text"]}
    assert {title: text for title, text in single.items() if title not in TOPS} == {
        "Is data arriving?": "late",
        "Age of the newest record": "30 s",
        "Tests of the last day": f"{of_day('tests', 0):g}",
        "Users of the last day": f"{of_day('users', 0):g}",
        "Server errors (5xx)": f"{numbers(filled, EVERY['Server errors (5xx)'], LOOK)['st-01']:g}",
        "Tests that were refused": "3.5%",
    }
    tests = biggest(total(ASN, label("asn")), 10)
    table = found["Biggest providers"]
    assert list(table[0]) == ["Provider", "AS number", "Tests", "Share"]
    assert {row["AS number"]: (row["Provider"], row["Tests"]) for row in table} == {
        asn: (name_of(asn), f"{count:.0f}") for asn, count in tests.items()
    }
    assert list(found["Providers whose tests are refused"][0]) == [
        "Provider",
        "AS number",
        "Refused",
        "HI records",
        "Share",
    ]
    hours = [str(one.values["tests"]) for one in GOLDEN if one.metric == "ookla_speedtest_hourly"]
    assert found["Busy hours"] == [{"Hour": str(place), "Wed": tests_} for place, tests_ in enumerate(hours)]


def test_a_week_with_gaps_is_read_by_hour_and_day() -> None:
    """Hours as numbers, days from Monday on, and a dash where nothing was: the rest of the table is its own legend."""
    (panel,) = [one for one in panels(UID) if one["title"] == "Busy hours"]
    seen_at = [("3", "10", 5.4), ("3", "2", 7.0), ("0", "2", 1.0), ("1", "23", 12.0)]
    series = [Series({"day": day, "hour": hour}, [(0.0, value)]) for day, hour, value in seen_at]
    frames = list(of_prometheus({"A": (EVERY["Busy hours"], series)}, table=True))
    (rows,) = seen(program_or_skip("grafana-display"), {"week": (panel, frames)}).values()
    assert rows == [
        {"Hour": "2", "Mon": "-", "Wed": "7", "Sun": "1"},
        {"Hour": "10", "Mon": "-", "Wed": "5", "Sun": "-"},
        {"Hour": "23", "Mon": "12", "Wed": "-", "Sun": "-"},
    ]
    assert list(rows[0]) == ["Hour", "Mon", "Wed", "Sun"]


def test_a_roll_out_is_all_users_of_a_day(filled: Prometheus) -> None:
    """Eleven versions by themselves, and what is left together: nobody is missing in a share."""
    leading = lines(filled, EVERY["Roll-out of app versions A"], DAYS)
    rest = lines(filled, EVERY["Roll-out of app versions B"], DAYS)["all others"]
    expected = app_users()
    assert len(leading) == 11
    assert leading == {name: expected[name] for name in leading}
    for day in (MIDNIGHT - DAY, MIDNIGHT):
        everybody = sum(days.get(float(day), 0) for days in expected.values())
        assert sum(days.get(float(day), 0) for days in leading.values()) + rest[day] == everybody


def test_a_provider_without_a_name_and_one_with_two_still_show(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """The original's join dropped the first; the second would be an error."""
    directory = tmp_path_factory.mktemp("names")
    labels = {"server": "st-01", **TARGET}
    text = openmetrics(
        iter(
            [
                (ASN, {**labels, "asn": "64503"}, END - 60.0, 3.0),
                (ASN, {**labels, "asn": "64504"}, END - 60.0, 1.0),
                ("asn_map_info", {**TARGET, "asn": "64504", "asname": "OLD"}, END - 7200.0, 1.0),
                ("asn_map_info", {**TARGET, "asn": "64504", "asname": "NEW"}, END - 60.0, 1.0),
                *fetched([END - 60.0]),
            ]
        )
    )
    blocks(program_or_skip("promtool"), text, directory)
    server = Prometheus(program_or_skip("prometheus"), directory)
    try:
        found = ask(server, EVERY["Biggest providers A"], LOOK)
        assert {one.labels["asname"] for one in found} in ({"AS 64503", "OLD"}, {"AS 64503", "NEW"})
    finally:
        server.stop()


def test_a_server_that_was_not_chosen_is_not_counted(filled: Prometheus) -> None:
    look = replace(LOOK, variables={**LOOK.variables, "server": "st-0"})
    assert [which for which, query in EVERY.items() if ask(filled, query, look)] == []


def test_every_server_can_be_chosen(filled: Prometheus) -> None:
    asked = variables(UID)
    assert list(asked) == ["server"]
    assert choices(filled, asked["server"], {}) == ["st-01"]


def test_an_empty_prometheus_is_no_error(prometheus: StartPrometheus) -> None:
    """On the first day a dashboard says what to look at, not that a query failed."""
    server = prometheus()
    assert [which for which, query in EVERY.items() if ask(server, query, LOOK)] == []
