"""Every query of `CDN77 delivery` on a real Prometheus that the runner has written to from the preset's sample.

What they must answer is computed in plain Python from the golden points; what runners say about themselves has figures
that are easy to foretell.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from engines.conftest import StartPrometheus, program_or_skip
from engines.grafana_prometheus import Look, ask, choices, lines, numbers, openmetrics, panel, queries, variables
from engines.job import RUNNER
from engines.prometheus import Prometheus, Series, blocks
from engines.seeing import of_prometheus, read_from_prometheus, seen
from engines.written import MINUTE, Called, Lines, Written, in_order, increase
from presets import cdn77_oracle as oracle

UID = "cdn77"
BEGIN = 1_772_542_800
"""2026-03-03 13:00 UTC: the viewer window of the sample has just been covered."""
END = BEGIN + 3600
DAY = 86400
STEP = 120
WIDTH = 240
"""`$__rate_interval`, in seconds."""
LOOK = Look(BEGIN, END, STEP, scrape=MINUTE, variables={"stream": ".*", "cdn_id": ".*"})
STEPS = range(BEGIN, END + 1, STEP)
EVERY = queries(UID)
WRITTEN = Written()

PROMETHEUS = "global: {scrape_interval: 1h}\nstorage: {tsdb: {out_of_order_time_window: 87600h}}\n"
CONFIG = """
[runner]
state = "{directory}/state"

[[sources]]
name = "cdn77"
preset = "cdn77"
type = "file"
path = "{objects}"
enrichers.geoip.file = "{places}"

[[sinks]]
name = "prometheus"
type = "remote_write"
url = "{url}/api/v1/write"
out_of_order_window = "87600h"
outbox = {{ max_age = "87600h" }}
"""


def write(directory: Path, server: Prometheus) -> None:
    """Let a runner read the sample and write it to a server."""
    config = directory / "config.toml"
    objects = in_order(directory)
    text = CONFIG.format(directory=directory, objects=objects, places=oracle.PLACES, url=server.url)
    config.write_text(text, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(RUNNER), "S3_ACCESS_KEY": "key", "S3_SECRET_KEY": "secret"}
    command = [sys.executable, "-m", "pegel", "run", "--once", "--close", str(config)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")


# -- what runners say about themselves ------------------------------------------------------------------------------

FETCHED = {"job": "runner", "instance": "runner:9464"}
WRITES = {"runner": "5eed"}
OTHER = {"job": "runner", "instance": "other:9464"}
"""A runner of another job."""


def own_samples() -> Iterator[tuple[str, Mapping[str, str], float, float]]:
    for who in (FETCHED, WRITES, OTHER):
        metric = "ookla_speedtest_minutely" if who is OTHER else "cdn77_delivery"
        for time in range(BEGIN - 600, END + 1, 60):
            seconds = time - BEGIN + 600
            yield "pegel_metric_series", {**who, "metric": metric}, time, 17
            yield "pegel_source_watermark_age_seconds", {**who, "source": "log"}, time, 42
            yield "pegel_records_total", {**who, "source": "log"}, time, 10 * seconds
            for also in (metric, f"{metric}_more"):
                yield "pegel_late_total", {**who, "metric": also}, time, 0.5 * seconds
                yield "pegel_too_late_total", {**who, "metric": also}, time, 0.25 * seconds
            yield "pegel_rejects_total", {**who, "source": "log", "reason": "not_json"}, time, 2 * seconds
            for what in ("quarantined_objects", "rotations" if who is OTHER else "lost_streams"):
                yield "pegel_noticed_total", {**who, "source": "log", "what": what}, time, 3 * seconds
            yield "pegel_missed_total", {**who, "sink": "prometheus"}, time, 4 * seconds
            yield "pegel_runner_cpu_seconds", who, time, seconds / 100


RUNNERS = ("runner:9464", "5eed")
OWN = {
    "Rows that came late": dict.fromkeys(RUNNERS, 0.05),
    "Age of the newest row": {f"log on {who}": 42 for who in RUNNERS},
    "Rows that came late, per minute A": {f"{who}: late": 30 for who in RUNNERS},
    "Rows that came late, per minute B": {f"{who}: too late": 15 for who in RUNNERS},
    "Lines that are no rows, per minute": {f"{who}: not_json": 120 for who in RUNNERS},
    "Noticed about objects, per minute": {f"{who}: quarantined_objects": 180 for who in RUNNERS},
    "Values that Prometheus cannot take, per minute": {f"{who}: prometheus": 240 for who in RUNNERS},
}
"""At the end."""
MOMENTS = sorted(name for name in EVERY if name.startswith("@"))
"""Nothing of this happens here; tests/engines/test_runner_dashboards.py has them happen."""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    directory = tmp_path_factory.mktemp("cdn77")
    blocks(program_or_skip("promtool"), openmetrics(own_samples()), directory)
    server = Prometheus(program_or_skip("prometheus"), directory, PROMETHEUS)
    try:
        write(directory, server)
        yield server
    finally:
        server.stop()


# -- what the dashboard must say ------------------------------------------------------------------------------------


def every(_: Mapping[str, str]) -> str:
    return ""


def by(*names: str) -> Called:
    return lambda labels: ", ".join(labels[name] for name in names)


def only(inner: Called, **wanted: str) -> Called:
    """Series whose labels begin so."""
    return lambda labels: (
        inner(labels) if all(labels[name].startswith(value) for name, value in wanted.items()) else None
    )


def over_time(at: Callable[[float], Mapping[str, float]]) -> Lines:
    found: Lines = {}
    for step in STEPS:
        for name, value in at(step).items():
            found.setdefault(name, {})[float(step)] = value
    return found


def rates(counter: str, called: Called, factor: float = 1.0) -> Lines:
    def at(step: float) -> dict[str, float]:
        grown = WRITTEN.growth(counter, called, step - WIDTH, step)
        return {name: factor * value / WIDTH for name, value in grown.items()}

    return over_time(at)


def total(counter: str, called: Called = every) -> dict[str, float]:
    """Of the chosen time."""
    return WRITTEN.growth(counter, called, BEGIN, END)


def of_all(counter: str) -> str:
    """What a share of a counter is one of: errors are a share of the requests."""
    return counter.replace("responses", "requests")


def share(counter: str, condition: Mapping[str, str], called: Called, begin: float, end: float) -> dict[str, float]:
    part = WRITTEN.growth(counter, only(called, **condition), begin, end)
    whole = WRITTEN.growth(of_all(counter), called, begin, end)
    return {name: part.get(name, 0.0) / value for name, value in whole.items() if value > 0}


def shares(counter: str, condition: Mapping[str, str], name: str) -> Lines:
    return over_time(lambda step: share(counter, condition, lambda _: name, step - WIDTH, step))


HIT = {"cache_status": "HIT"}
CLIENT_ERROR = {"response_status": "4"}
SERVER_ERROR = {"response_status": "5"}


def status_class(labels: Mapping[str, str]) -> str | None:
    status = labels["response_status"]
    return f"{status[0]}xx" if len(status) == 3 and status.isdigit() else None


def no_status(labels: Mapping[str, str]) -> str | None:
    return None if status_class(labels) else "without a status"


def viewers(split: str, called: Called) -> Lines:
    return over_time(lambda step: WRITTEN.shown(f"active_viewers{split}", called, step))


def biggest(found: Mapping[str, float], count: int) -> dict[str, float]:
    return dict(sorted(found.items(), key=lambda pair: -pair[1])[:count])


def first_byte(begin: float, end: float) -> dict[str, float]:
    """By location: means of each series, weighed by its requests."""
    requests = WRITTEN.counter("requests")
    weights: dict[str, float] = {}
    times: dict[str, float] = {}
    for labels, samples in WRITTEN.gauge("time_to_first_byte_ms").items():
        means = [value for at, value in samples if begin <= at <= end]
        weight = increase(requests[labels], begin, end)
        if means and weight is not None:
            pop = dict(labels)["pop"]
            weights[pop] = weights.get(pop, 0.0) + weight
            times[pop] = times.get(pop, 0.0) + weight * sum(means) / len(means)
    return {pop: times[pop] / weight for pop, weight in weights.items() if weight > 0}


def leading(counter: str, called: Called) -> set[str]:
    return set(biggest(total(counter, called), 10))


def some(found: Lines, names: set[str]) -> Lines:
    return {name: line for name, line in found.items() if name in names}


def others(found: Lines, names: set[str]) -> Lines:
    rest: dict[float, float] = {}
    for name, line in found.items():
        for at, value in line.items():
            if name not in names:
                rest[at] = rest.get(at, 0.0) + value
    return {"all others": rest} if rest else {}


def bandwidth_by_stream() -> Lines:
    return rates("transfer_bytes", by("stream_name"), 8)


LINES: dict[str, Callable[[], Lines]] = {
    "Bandwidth now": lambda: rates("transfer_bytes", lambda _: "__auto", 8),
    "Requests now": lambda: rates("requests", lambda _: "__auto"),
    "Bandwidth by cache status": lambda: rates("transfer_bytes", by("cache_status"), 8),
    "Requests per second by status class A": lambda: rates("responses", status_class),
    "Requests per second by status class B": lambda: rates("responses", no_status),
    "Hit ratio A": lambda: shares("requests", HIT, "of requests"),
    "Hit ratio B": lambda: shares("transfer_bytes", HIT, "of bytes"),
    "Errors A": lambda: shares("responses", CLIENT_ERROR, "4xx"),
    "Errors B": lambda: shares("responses", SERVER_ERROR, "5xx"),
    "Active viewers A": lambda: viewers("", lambda _: "viewers"),
    "Viewers who come, per minute": lambda: rates("viewers", lambda _: "viewers", 60),
    "Active viewers by device": lambda: viewers("_by_device", by("device_type")),
    "Bandwidth by stream A": lambda: some(bandwidth_by_stream(), leading("transfer_bytes", by("stream_name"))),
    "Bandwidth by stream B": lambda: others(bandwidth_by_stream(), leading("transfer_bytes", by("stream_name"))),
    "Time to the first byte by location": lambda: some(
        over_time(lambda step: first_byte(step - WIDTH, step)), leading("requests", by("pop"))
    ),
}


def table(counter: str, condition: Mapping[str, str], label: str) -> Callable[[], dict[str, float]]:
    return lambda: share(counter, condition, by(label), BEGIN, END)


def newest_share(counter: str, condition: Mapping[str, str]) -> dict[str, float]:
    return share(counter, condition, every, END - WIDTH, END)


def age() -> float:
    return END - max(
        at for samples in WRITTEN.gauge("time_to_first_byte_ms").values() for at, _ in samples if at <= END
    )


def peak() -> float:
    return max(WRITTEN.shown("active_viewers", every, at)[""] for at in range(BEGIN, END + 1, MINUTE))


def now(split: str, called: Called) -> dict[str, float]:
    return WRITTEN.shown(f"active_viewers{split}", called, END)


DAY_BEFORE = "Active viewers B"
NUMBERS: dict[str, Callable[[], dict[str, float]]] = {
    "Is data arriving?": lambda: {"": age()},
    "Hit ratio now": lambda: newest_share("requests", HIT),
    "Server errors (5xx) now": lambda: newest_share("responses", SERVER_ERROR),
    "Active viewers now": lambda: now("", every),
    "Peak of viewers": lambda: {"": peak()},
    "Active viewers by region": lambda: now("_by_region", by("region", "country")),
    "Where they are": lambda: now("_by_country", lambda one: one["country"] if one["country"] != "XX" else None),
    "Active viewers by country": lambda: now("_by_country", by("country")),
    "Streams A": lambda: total("transfer_bytes", by("stream_name")),
    "Streams B": lambda: total("requests", by("stream_name")),
    "Streams C": lambda: now("", by("stream_name")),
    "Streams D": table("requests", HIT, "stream_name"),
    "Streams E": table("responses", SERVER_ERROR, "stream_name"),
    "Locations A": lambda: total("requests", by("pop")),
    "Locations B": lambda: total("transfer_bytes", by("pop")),
    "Locations C": table("requests", HIT, "pop"),
    "Locations D": table("responses", SERVER_ERROR, "pop"),
    "Locations E": lambda: first_byte(BEGIN, END),
}


def test_every_query_is_asked_here() -> None:
    """A new panel without an expected value is a panel that nobody has ever seen to be right."""
    assert sorted(EVERY) == sorted([*LINES, *NUMBERS, *OWN, *MOMENTS, DAY_BEFORE])


@pytest.mark.parametrize("name", ["requests", "transfer_bytes", "responses", "viewers", "viewers_by_region"])
def test_prometheus_has_the_samples_that_the_golden_points_make(filled: Prometheus, name: str) -> None:
    """Every one of every series, at its time; the rest of this file rests on it."""
    found = filled.query(f"cdn77_{name}_total[{END}s]", WRITTEN.last)
    stored = {
        tuple(sorted((key, text) for key, text in one.labels.items() if key not in ("__name__", "runner"))): one.samples
        for one in found
    }
    assert stored == WRITTEN.counter(name)


@pytest.mark.parametrize("which", LINES)
def test_a_chart_shows_what_the_log_has(filled: Prometheus, which: str) -> None:
    expected = LINES[which]()
    found = lines(filled, EVERY[which], LOOK)
    assert found.keys() == expected.keys()
    for name, line in expected.items():
        assert found[name] == pytest.approx(line, rel=1e-6), name


def said(found: Sequence[Series]) -> dict[str, float]:
    """Values by what they are about."""
    names = ("region", "country", "pop", "stream_name")
    return {", ".join(one.labels[name] for name in names if name in one.labels): one.value for one in found}


@pytest.mark.parametrize("which", NUMBERS)
def test_a_number_and_a_row_of_a_table_are_those_of_the_log(filled: Prometheus, which: str) -> None:
    found = said(ask(filled, EVERY[which], LOOK))
    expected = NUMBERS[which]()
    assert found == pytest.approx({name: expected[name] for name in found}, rel=1e-6)
    most = EVERY[which].expression.startswith("topk(20, ")
    assert sorted(found.values()) == pytest.approx(sorted(expected.values())[-20 if most else 0 :], rel=1e-6)


@pytest.mark.parametrize("ago", [0, 100, 200, 299, 301, 540, 1000, 3600, 20_000])
def test_how_long_ago_a_log_ended_is_said_to_the_second(filled: Prometheus, ago: int) -> None:
    """Its counters go on for a quarter of an hour, as if nothing were wrong."""
    last = max(at for samples in WRITTEN.gauge("time_to_first_byte_ms").values() for at, _ in samples)
    look = replace(LOOK, begin=last + ago - 3600, end=last + ago)
    assert said(ask(filled, EVERY["Is data arriving?"], look)) == {"": ago}


@pytest.mark.parametrize("which", OWN)
def test_what_runners_of_the_cdn_say_is_shown_whichever_way_it_comes(filled: Prometheus, which: str) -> None:
    """One is fetched, the other writes by itself; a runner of another job has nothing to do with it."""
    assert numbers(filled, EVERY[which], LOOK) == pytest.approx(OWN[which])


@pytest.mark.parametrize("which", MOMENTS)
def test_what_happens_to_a_runner_of_another_job_is_not_marked(filled: Prometheus, which: str) -> None:
    assert lines(filled, EVERY[which], LOOK) == {}


def test_the_day_before_is_drawn_under_today(filled: Prometheus) -> None:
    found = lines(filled, EVERY[DAY_BEFORE], replace(LOOK, begin=BEGIN + DAY, end=END + DAY))
    expected = viewers("", lambda _: "the day before")
    assert found == {name: {at + DAY: value for at, value in line.items()} for name, line in expected.items()}


def test_one_stream_is_the_whole_dashboard(filled: Prometheus) -> None:
    """A click on a stream in the table leads here; everything but what runners say is of it alone."""
    (stream, _), *_ = sorted(total("transfer_bytes", by("stream_name")).items(), key=lambda pair: -pair[1])
    look = replace(LOOK, variables={**LOOK.variables, "stream": stream})
    found = numbers(filled, EVERY["Requests now"], look)
    grown = WRITTEN.growth("requests", only(every, stream_name=stream), END - WIDTH, END)
    assert list(found.values()) == pytest.approx([grown[""] / WIDTH])
    assert said(ask(filled, EVERY["Active viewers now"], look)) == now("", only(every, stream_name=stream))
    nothing = replace(LOOK, variables={**LOOK.variables, "stream": "nobody"})
    asked = [name for name in EVERY if name not in OWN]
    assert [name for name in asked if ask(filled, EVERY[name], nothing)] == []


def test_every_resource_and_its_streams_can_be_chosen(filled: Prometheus) -> None:
    offered = variables(UID)
    assert list(offered) == ["cdn_id", "stream"]
    resources = choices(filled, offered["cdn_id"], {})
    assert resources == sorted({dict(labels)["cdn_id"] for labels in WRITTEN.gauge("time_to_first_byte_ms")})
    chosen = choices(filled, offered["stream"], {"cdn_id": resources[0]})
    of_it = only(by("stream_name"), cdn_id=resources[0])
    assert chosen == sorted({of_it(dict(one)) or "" for one in WRITTEN.gauge("time_to_first_byte_ms")} - {""})


def test_an_empty_prometheus_is_no_error(prometheus: StartPrometheus) -> None:
    server = prometheus()
    assert [which for which, query in EVERY.items() if ask(server, query, LOOK)] == []


def test_a_reader_reads_words_units_and_columns(filled: Prometheus) -> None:
    """By Grafana's own library."""
    found = read_from_prometheus(program_or_skip("grafana-display"), filled, UID, lambda _: LOOK)
    words = {title: {row["text"] for row in rows} for title, rows in found.items() if "text" in rows[0]}
    tops = ("Active viewers by region", "Active viewers by country")
    assert {title: text for title, text in words.items() if title not in tops} == {
        "Is data arriving?": {"yes"},
        "Rows that came late": {"5.0%"},
        "Bandwidth now": {"286.2 kb/s"},
        "Requests now": {"0.2 req/s"},
        "Hit ratio now": {"83.1%"},
        "Server errors (5xx) now": {"0.00%"},
        "Active viewers now": {"242"},
        "Peak of viewers": {"244"},
    }
    assert found["Active viewers by region"][0] == {"title": "Hesse, US", "text": "21"}
    (first, *_) = found["Streams"]
    assert list(first) == ["Stream", "Bytes", "Requests", "Viewers", "Hit ratio", "5xx"]
    assert list(first.values())[1:] == ["47.9 MB", "293", "108", "86.7%", "0.35%"]
    (first, *_) = found["Locations"]
    assert list(first) == ["Location", "Requests", "Bytes", "Hit ratio", "5xx", "First byte"]
    assert list(first.values()) == ["frankfurtDEHE", "103", "17.7 MB", "90.0%", "0.00%", "26 ms"]


def test_a_log_of_which_nothing_was_ever_late_says_so(prometheus: StartPrometheus) -> None:
    """The counter is there with the first late row; until then it is 0, and not unknown."""
    counting = ("pegel_metric_series", {**FETCHED, "metric": "cdn77_delivery"}, END - 5.0, 17.0)
    records = [("pegel_records_total", {**FETCHED, "source": "log"}, END - back, 1000.0 - back) for back in (65, 5)]
    server = prometheus(samples=openmetrics(iter([counting, *records])))
    assert numbers(server, EVERY["Rows that came late"], LOOK) == {"runner:9464": 0}


def test_a_table_has_the_twenty_biggest() -> None:
    streams = [Series({"stream_name": f"{number:032x}"}, [(0.0, float(number))]) for number in range(25)]
    answers = {letter: (EVERY[f"Streams {letter}"], streams) for letter in "ABCDE"}
    frames = list(of_prometheus(answers, table=True))
    (rows,) = seen(program_or_skip("grafana-display"), {"streams": (panel(UID, "Streams"), frames)}).values()
    assert [int(row["Stream"], 16) for row in rows] == list(range(24, 4, -1))


def test_runners_and_back_fills_add_up(prometheus: StartPrometheus) -> None:
    """One log read by two runners, and the hours before it by a back-fill that has series of its own."""
    series = {"stream_name": "a" * 32, "cdn_id": "1", "cache_status": "HIT", "pop": "londonGBEN"}
    whose = [{"runner": "1"}, {"runner": "2"}, {"runner": "3", "backfill": "2026-03-03"}]

    def samples() -> Iterator[tuple[str, Mapping[str, str], float, float]]:
        for number, labels in enumerate(whose, 1):
            for time in range(BEGIN - 600, END + 1, MINUTE):
                yield "cdn77_requests_total", {**series, **labels}, time, number * (time - BEGIN + 600)
                yield "cdn77_time_to_first_byte_ms", {**series, **labels}, time, 10.0 * number
                viewers = {"stream_name": series["stream_name"], "window": "2h", **labels}
                yield "cdn77_active_viewers", viewers, time, number

    server = prometheus(samples=openmetrics(samples()))
    found = {name: ask(server, EVERY[name], LOOK) for name in EVERY}
    assert [one.value for one in found["Requests now"]] == [1 + 2 + 3]
    assert [one.value for one in found["Active viewers now"]] == [1 + 2 + 3]
    assert [one.value for one in found["Hit ratio now"]] == [1]
    assert [one.value for one in found["Time to the first byte by location"]] == [
        pytest.approx((1 * 10 + 2 * 20 + 3 * 30) / (1 + 2 + 3))
    ]
