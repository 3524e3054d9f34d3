"""Every query of `Pegel itself` and `Overview` on a real Prometheus, with figures that are easy to foretell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from engines.conftest import StartPrometheus, program_or_skip
from engines.grafana import panels
from engines.grafana_prometheus import Look, ask, called, choices, lines, openmetrics, queries, variables
from engines.prometheus import QUIET, Prometheus, Series, blocks
from engines.seeing import of_prometheus, read_from_prometheus, seen

BEGIN = 1_772_582_400
END = BEGIN + 2400
RESTART, CHANGE, REFUSAL, ROTATION = BEGIN + 600, BEGIN + 1200, BEGIN + 1500, BEGIN + 1800
HERE = {"job": "runner", "instance": "runner:9464"}
GONE = {"job": "runner", "instance": "gone:9464"}
SOURCE = {**HERE, "source": "ookla"}
SINK = {**HERE, "sink": "influx"}
METRIC = {**HERE, "metric": "m"}
TIMES = range(BEGIN - 300 + 7, END, 15)
LOOK = Look(BEGIN, END, 60, variables={"instance": ".*", "source": ".*", "sink": ".*"})
WIDTH = 75
"""`$__rate_interval`, in seconds."""

Sample = tuple[str, Mapping[str, str], float, float]

STANDING: list[tuple[str, Mapping[str, str], float]] = [
    ("up", HERE, 1),
    ("up", GONE, 0),
    *(("up", {"job": job, "instance": f"{job}:1"}, job != "grafana") for job in ("prometheus", "influxdb", "grafana")),
    ("pegel_runner_commit_timestamp_seconds", HERE, END - 20),
    ("pegel_runner_snapshot_timestamp_seconds", HERE, END - 1800),
    ("pegel_runner_commit_seconds_mean", HERE, 0.004),
    ("pegel_runner_memory_bytes", HERE, 90e6),
    ("pegel_runner_state_bytes", HERE, 5e6),
    ("pegel_runner_free_bytes", HERE, 20e9),
    ("pegel_source_failing", SOURCE, 1),
    ("pegel_source_watermark_age_seconds", SOURCE, 42),
    ("pegel_source_lag_bytes", SOURCE, 1000),
    ("pegel_metric_series", METRIC, 17),
    ("pegel_sink_failing", SINK, 1),
    ("pegel_sink_outbox_points", SINK, 12),
    ("pegel_sink_outbox_bytes", SINK, 250),
    ("pegel_sink_limit_bytes", SINK, 1000),
    ("pegel_sink_oldest_seconds", SINK, 33),
    ("pegel_sink_dead_letters", SINK, 3),
    ("ookla_speedtest_minutely_tests", {**HERE, "server": "st-01"}, 6),
    ("pegel_metric_series", {**HERE, "metric": "cdn77_delivery"}, 5),
    ("cdn77_time_to_first_byte_ms", {"pop": "londonGBEN"}, 20),
    ("ALERTS", {"alertname": "Watchdog", "alertstate": "firing", "severity": "none"}, 1),
    ("ALERTS", {"alertname": "TargetDown", "alertstate": "firing", "severity": "critical", **GONE}, 1),
    ("ALERTS", {"alertname": "PegelSinkBehind", "alertstate": "pending", "severity": "warning", **HERE}, 1),
]
"""What has one value all the time."""

GROWING: list[tuple[str, Mapping[str, str], float]] = [
    ("pegel_runner_commits", HERE, 0.5),
    ("pegel_records_total", SOURCE, 10),
    ("pegel_bytes_total", SOURCE, 2000),
    ("pegel_rejects_total", {**SOURCE, "reason": "malformed"}, 1),
    ("pegel_late_total", METRIC, 2),
    ("pegel_too_late_total", METRIC, 3),
    ("pegel_unusable_values_total", {**METRIC, "reason": "infinite"}, 4),
    ("pegel_dead_letters_total", {**SINK, "reason": "type"}, 5),
    ("pegel_outbox_dropped_total", SINK, 6),
    ("pegel_dead_letters_dropped_total", SINK, 7),
    ("cdn77_transfer_bytes_total", {"pop": "londonGBEN"}, 1000),
]
"""What grows, and by how much in a second."""


def samples() -> Iterator[Sample]:
    for time in TIMES:
        for name, labels, value in STANDING:
            yield name, labels, time, float(value)
        for name, labels, growth in GROWING:
            yield name, labels, time, growth * (time - TIMES[0])
        started = max(moment for moment in (BEGIN - 9000, RESTART, CHANGE) if moment <= time)
        process = max(moment for moment in (BEGIN - 9000, RESTART) if moment <= time)
        yield "pegel_runner_start_timestamp_seconds", HERE, time, started
        yield "pegel_runner_cpu_seconds", HERE, time, 0.02 * (time - process)
        yield "pegel_runner_config_refused", HERE, time, float(time >= REFUSAL)
        yield "pegel_noticed_total", {**SOURCE, "what": "rotations"}, time, float(time >= ROTATION)


RUNNER = "runner:9464"
OF_SOURCE = "ookla on runner:9464"
OF_SINK = "influx on runner:9464"
SERVICES = {"grafana": "down", "influxdb": "up", "prometheus": "up"}

AT_THE_END: dict[tuple[str, str], dict[str, Any]] = {
    ("pegel-itself", "Do they answer?"): {RUNNER: 1, "gone:9464": 0},
    ("pegel-itself", "Do they commit?"): {RUNNER: 20},
    ("pegel-itself", "Is the configuration in effect?"): {RUNNER: 1},
    ("pegel-itself", "Running for"): {RUNNER: END - CHANGE},
    ("pegel-itself", "Is there a fresh snapshot?"): {RUNNER: 1800},
    ("pegel-itself", "Sources that fail"): {RUNNER: 1},
    ("pegel-itself", "Sinks that fail"): {RUNNER: 1},
    ("pegel-itself", "Sources A"): {"ookla": 42},
    ("pegel-itself", "Sources B"): {"ookla": 1000},
    ("pegel-itself", "Sources C"): {"ookla": 10},
    ("pegel-itself", "Sources D"): {"ookla": 1},
    ("pegel-itself", "Records per second"): {OF_SOURCE: 10},
    ("pegel-itself", "Age of the newest record"): {OF_SOURCE: 42},
    ("pegel-itself", "Bytes per second"): {OF_SOURCE: 2000},
    ("pegel-itself", "Bytes not read yet"): {OF_SOURCE: 1000},
    ("pegel-itself", "Rejected lines per minute by reason"): {"ookla: malformed": 60},
    ("pegel-itself", "Could it be read?"): {OF_SOURCE: 1},
    ("pegel-itself", "Records after their window, per minute A"): {"m: late": 2 * 60},
    ("pegel-itself", "Records after their window, per minute B"): {"m: too late": 3 * 60},
    ("pegel-itself", "Values that cannot be stored, per minute"): {"m: infinite": 4 * 60},
    ("pegel-itself", "Series by metric"): {"m": 17, "cdn77_delivery": 5},
    ("pegel-itself", "Commits per second"): {RUNNER: 0.5},
    ("pegel-itself", "Time of a commit"): {RUNNER: 0.004},
    ("pegel-itself", "Sinks A"): {"influx": 12},
    ("pegel-itself", "Sinks B"): {"influx": 0.25},
    ("pegel-itself", "Sinks C"): {"influx": 33},
    ("pegel-itself", "Sinks D"): {"influx": 3},
    ("pegel-itself", "Points waiting"): {OF_SINK: 12},
    ("pegel-itself", "Age of the oldest point waiting"): {OF_SINK: 33},
    ("pegel-itself", "Dead letters per minute by reason"): {"influx: type": 5 * 60},
    ("pegel-itself", "Points dropped per minute A"): {"influx: before they were sent": 6 * 60},
    ("pegel-itself", "Points dropped per minute B"): {"influx: dead letters": 7 * 60},
    ("pegel-itself", "Could it be sent to?"): {OF_SINK: 1},
    ("pegel-itself", "Memory"): {RUNNER: 90e6},
    ("pegel-itself", "CPU"): {RUNNER: 0.02},
    ("pegel-itself", "Size of the state"): {RUNNER: 5e6},
    ("pegel-itself", "Room on the disk of the state"): {RUNNER: 20e9},
    ("overview", "Speed tests: alive?"): {"st-01": 8},
    ("overview", "Runners with speed tests: fresh?"): {OF_SOURCE: 42},
    ("overview", "Speed tests per minute"): {"st-01": 6},
    ("overview", "CDN: alive?"): {"": 8},
    ("overview", "Runners with the CDN: fresh?"): {OF_SOURCE: 42},
    ("overview", "CDN: bandwidth"): {"bandwidth": 8000},
    ("overview", "Runners"): {RUNNER: 1, "gone:9464": 0},
    ("overview", "What does not work?"): {"": 2},
    ("overview", "Points waiting"): {"": 12},
    ("overview", "Dead letters"): {"": 3},
    ("overview", "Services"): {"prometheus": 1, "influxdb": 1, "grafana": 0},
    ("overview", "Alerts firing"): {"": 1},
    ("overview", "Which alerts fire?"): {"TargetDown": 1},
}
"""What each panel shows at the end, by what its series are called; rows of tables by what they are about."""

MOMENTS = {
    "@Starts of a runner": (RESTART, "runner:9464 was started"),
    "@Changes of a configuration": (CHANGE, "runner:9464 took another configuration"),
    "@Refused configurations": (REFUSAL, "runner:9464 refused a configuration, the former one goes on"),
    "@Log rotations": (ROTATION, "The log of ookla rotated"),
}
"""What happens once, and how it is told; on both dashboards."""
HAPPENS = {
    **{(uid, name): told for uid in ("pegel-itself", "overview") for name, told in MOMENTS.items()},
    ("pegel-itself", "Noticed about files, per minute"): (ROTATION, "ookla: rotations"),
}

EVERY = {(uid, name): query for uid in ("pegel-itself", "overview") for name, query in queries(uid).items()}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    directory = tmp_path_factory.mktemp("runner")
    blocks(program_or_skip("promtool"), openmetrics(samples()), directory)
    server = Prometheus(program_or_skip("prometheus"), directory, QUIET)
    yield server
    server.stop()


def test_every_query_is_asked_here() -> None:
    """A new panel without an expected value is a panel that nobody has ever seen to be right."""
    assert sorted(EVERY) == sorted([*AT_THE_END, *HAPPENS])


@pytest.mark.parametrize("which", AT_THE_END, ids=" - ".join)
def test_a_panel_shows_how_it_is(filled: Prometheus, which: tuple[str, str]) -> None:
    found: dict[str, float] = {}
    for one in ask(filled, EVERY[which], LOOK):
        about = [one.labels[name] for name in ("source", "sink", "alertname") if name in one.labels]
        name = called(one, EVERY[which])
        found[about[0] if name == "__auto" and about else name.replace("__auto", "")] = one.value
    assert found == {name: pytest.approx(value) for name, value in AT_THE_END[which].items()}


READ = {
    "pegel-itself": {
        "Do they answer?": [{"title": "gone:9464", "text": "no"}, {"title": RUNNER, "text": "yes"}],
        "Do they commit?": [{"title": RUNNER, "text": "yes"}],
        "Is the configuration in effect?": [{"title": RUNNER, "text": "refused"}],
        "Running for": [{"title": RUNNER, "text": "20 mins"}],
        "Is there a fresh snapshot?": [{"title": RUNNER, "text": "yes"}],
        "Sources that fail": [{"title": RUNNER, "text": "1"}],
        "Sinks that fail": [{"title": RUNNER, "text": "1"}],
        "Sources": [
            {
                "Source": "ookla",
                "Runner": RUNNER,
                "Age": "42 s",
                "Not read yet": "1000 B",
                "Records/s": "10",
                "Rejects/s": "1",
            }
        ],
        "Sinks": [
            {
                "Sink": "influx",
                "Runner": RUNNER,
                "Points waiting": "12",
                "Outbox": "25.0%",
                "Oldest": "33 s",
                "Dead letters": "3",
            }
        ],
    },
    "overview": {
        "Speed tests: alive?": [{"title": "st-01", "text": "yes"}],
        "Runners with speed tests: fresh?": [{"title": OF_SOURCE, "text": "yes"}],
        "CDN: alive?": [{"title": "Value", "text": "yes"}],
        "Runners with the CDN: fresh?": [{"title": OF_SOURCE, "text": "yes"}],
        "Runners": [{"title": "gone:9464", "text": "down"}, {"title": RUNNER, "text": "up"}],
        "What does not work?": [{"title": "Value", "text": "2"}],
        "Points waiting": [{"title": "Value", "text": "12"}],
        "Dead letters": [{"title": "Value", "text": "3"}],
        "Services": [{"title": job, "text": text} for job, text in SERVICES.items()],
        "Alerts firing": [{"title": "Value", "text": "1"}],
        "Which alerts fire?": [{"Severity": "critical", "Alert": "TargetDown", "Where": "gone:9464", "Job": "runner"}],
    },
}
"""What a reader reads: words, units and columns in their order. A title `Value` is shown by none of these panels."""


@pytest.mark.parametrize("uid", READ)
def test_a_reader_reads_words_and_units(filled: Prometheus, uid: str) -> None:
    """By Grafana's own library: a word that fits no value, or a column that is called otherwise, is seen here."""
    found = read_from_prometheus(program_or_skip("grafana-display"), filled, uid, lambda _: LOOK)
    assert found == READ[uid]
    assert {title: [list(row) for row in rows] for title, rows in found.items()} == {
        title: [list(row) for row in rows] for title, rows in READ[uid].items()
    }


def test_a_table_is_there_though_one_of_its_queries_has_no_answer() -> None:
    """Nothing was ever rejected: the other columns keep their names and their places."""
    (panel,) = [one for one in panels("pegel-itself") if one["title"] == "Sources" and one["type"] == "table"]
    source = Series({"instance": RUNNER, "source": "ookla"}, [(0.0, 42.0)])
    answers = {letter: (EVERY["pegel-itself", f"Sources {letter}"], [source]) for letter in "ABC"}
    answers["D"] = (EVERY["pegel-itself", "Sources D"], [])
    frames = list(of_prometheus(answers, table=True))
    (rows,) = seen(program_or_skip("grafana-display"), {"x": (panel, frames)}).values()
    assert [list(row.items())[:5] for row in rows] == [
        [("Source", "ookla"), ("Runner", RUNNER), ("Age", "42 s"), ("Not read yet", "42 B"), ("Records/s", "42")]
    ]


@pytest.mark.parametrize("which", HAPPENS, ids=" - ".join)
def test_what_happens_once_is_marked_then_and_at_no_other_time(filled: Prometheus, which: tuple[str, str]) -> None:
    """A restart is no change of the configuration, and the other way round."""
    moment, text = HAPPENS[which]
    found = lines(filled, EVERY[which], LOOK)
    assert list(found) == [text]
    assert all(moment <= time <= moment + WIDTH + 60 for time in found[text])


def test_one_source_and_one_sink_can_be_looked_at(filled: Prometheus) -> None:
    asked = variables("pegel-itself")
    offered = {name: choices(filled, query, LOOK.variables) for name, query in asked.items()}
    assert offered == {"instance": [RUNNER], "source": ["ookla"], "sink": ["influx"]}
    other = replace(LOOK, variables={**LOOK.variables, "source": "ook"})
    assert ask(filled, EVERY["pegel-itself", "Records per second"], other) == []


def test_an_alert_says_what_it_is_about(prometheus: StartPrometheus) -> None:
    """Two sinks that fail are two rows, and an alert about a server names it."""
    alert = {"alertstate": "firing", "severity": "warning"}
    failing = {**alert, "alertname": "PegelSinkFailing", **HERE}
    fell = {**alert, "alertname": "OoklaTestsFell", "server": "st-01", "asn": "64496"}
    fired = [{**failing, "sink": "influx"}, {**failing, "sink": "file"}, fell]
    server = prometheus(samples=openmetrics(("ALERTS", labels, END - 5.0, 1.0) for labels in fired))
    found = ask(server, EVERY["overview", "Which alerts fire?"], LOOK)
    told = [(one.labels["alertname"], one.labels["about"].split(), one.labels.get("instance")) for one in found]
    assert sorted(told) == [
        ("OoklaTestsFell", ["st-01", "64496"], None),
        ("PegelSinkFailing", ["file"], RUNNER),
        ("PegelSinkFailing", ["influx"], RUNNER),
    ]


def test_a_runner_that_only_watches_itself_has_nothing_that_fails(prometheus: StartPrometheus) -> None:
    """The default configuration of the stack: no source, and the home page must not be empty."""
    text = openmetrics(iter([("pegel_runner_commits", HERE, END - 5.0, 1.0)]))
    server = prometheus(samples=text)
    (found,) = ask(server, EVERY["overview", "What does not work?"], LOOK)
    assert found.value == 0


def test_an_empty_prometheus_is_no_error(prometheus: StartPrometheus) -> None:
    server = prometheus()
    some = [which for which, query in EVERY.items() if ask(server, query, LOOK)]
    assert some == [("overview", "Alerts firing")]
