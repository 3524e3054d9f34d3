"""What Grafana asks in InfluxQL, on a real InfluxDB 1 and on the older interface of the InfluxDB 2 of the stack."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml

from dashboards.model import Dashboard, Row, Variable
from dashboards.panels import influxql, timeseries
from dashboards.rendering import text
from engines.conftest import program_or_skip
from engines.grafana import FOLDER, Look
from engines.grafana_influxql import Lines, choices, lines, queries, substituted, variables
from engines.influxdb1 import Database, Influxdb1
from stack.bootstrapping import Stack, as_user, fresh

BEGIN = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
"""The bucket keeps thirty days."""
LOOK = Look(BEGIN, BEGIN + timedelta(minutes=4), timedelta(minutes=2), {"server": ".*"})

SERVERS = Variable(
    name="server",
    label="Server",
    description="Bridges to look at.",
    target=influxql('SHOW TAG VALUES FROM "bridge" WITH KEY = "server"'),
    several=True,
)
CONDITION = '$timeFilter AND "server" =~ /^$server$/ GROUP BY time($__interval), "server"'
CONFERENCES = timeseries(
    title="Conferences",
    description="At the end of each interval, by server.",
    targets=[
        influxql(f'SELECT last("conferences") FROM "bridge" WHERE {CONDITION} fill(null)', "$tag_server"),
        influxql(f'SELECT mean("people") AS "people" FROM "bridge" WHERE {CONDITION} fill(0)', "$tag_server: $col"),
    ],
    unit="short",
    no_value="No data: does Telegraf run?",
)
BOARD: dict[str, Any] = json.loads(
    text(
        Dashboard(
            uid="bridges",
            title="Bridges",
            question="How many meet?",
            tags=["pegel"],
            rows=[Row("All", [CONFERENCES])],
            variables=[SERVERS],
        )
    )
)
"""As a job with Telegraf has it."""
ASKED = queries(BOARD)


def at(minutes: float) -> int:
    return round((BEGIN + timedelta(minutes=minutes)).timestamp())


WRITTEN = "\n".join(
    [
        f"bridge,server=a conferences=1i,people=4i {at(0)}",
        f"bridge,server=a conferences=3i,people=8i {at(1)}",
        f"bridge,server=b.c conferences=7i,people=20i {at(2)}",
        f"bridge,server=bxc conferences=9i,people=1i {at(4)}",
    ]
)


def text_of(minutes: float) -> str:
    return f"{BEGIN + timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}"


def line(*values: float | None) -> dict[str, float | None]:
    """At the beginning of each interval; the end of the range begins one, too."""
    return {text_of(2 * place): value for place, value in enumerate(values)}


@pytest.fixture(scope="module")
def bootstrapped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with fresh(tmp_path_factory.mktemp("stack")) as stack:
        done = stack.start()
        assert done.returncode == 0, done.stderr
        yield stack


def of_stack(stack: Stack, writer: Mapping[str, str], reader: Mapping[str, str], name: str) -> Database:
    def asks(method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
        reply = stack.server.request(method, path, body, headers)
        return reply.status, reply.body

    return Database(asks, name, writer, reader)


def grafana(stack: Stack) -> dict[str, str]:
    """The header that the data source sends, out of its own file."""
    document = yaml.safe_load((FOLDER.parent / "datasources" / "pegel.yaml").read_text(encoding="utf-8"))
    (source,) = [one for one in document["datasources"] if one["uid"] == "pegel-influx-influxql"]
    value = source["secureJsonData"]["httpHeaderValue1"]
    token = "$__file{/run/stack-tokens/grafana-read}"
    assert token in value
    return {source["jsonData"]["httpHeaderName1"]: value.replace(token, stack.token("grafana-read"))}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influxdb1]:
    server = Influxdb1(program_or_skip("influxdb1"), tmp_path_factory.mktemp("influxdb1"))
    yield server
    server.stop()


@pytest.fixture(scope="module", params=["InfluxDB 1", "InfluxDB 2"])
def filled(request: pytest.FixtureRequest) -> Database:
    """Written as Telegraf writes, read as Grafana reads."""
    if request.param == "InfluxDB 1":
        server: Influxdb1 = request.getfixturevalue("first")
        database = server.database("jitsi")
    else:
        stack: Stack = request.getfixturevalue("bootstrapped")
        database = of_stack(stack, as_user(stack.token("jitsi-v1-password")), grafana(stack), "jitsi")
    assert database.write(WRITTEN) == 204
    return database


def test_a_chart_has_a_line_for_each_server_and_gaps_stay_gaps(filled: Database) -> None:
    assert lines(filled, ASKED["Conferences A"], LOOK) == {
        "a": line(3, None, None),
        "b.c": line(None, 7, None),
        "bxc": line(None, None, 9),
    }


def test_nothing_is_nothing_where_that_is_known(filled: Database) -> None:
    found: Lines = lines(filled, ASKED["Conferences B"], LOOK)
    assert found["a: people"] == line(6, 0, 0)


def test_what_is_chosen_is_taken_by_its_letters(filled: Database) -> None:
    """A dot in a name is a dot: `b.c` is not `bxc`."""
    look = replace(LOOK, variables={"server": "b.c"})
    assert set(lines(filled, ASKED["Conferences A"], look)) == {"b.c"}


def test_a_variable_offers_what_there_is(filled: Database) -> None:
    assert choices(filled, variables(BOARD)["server"], LOOK) == ["a", "b.c", "bxc"]


def test_a_time_without_points_is_an_empty_panel(filled: Database) -> None:
    look = replace(LOOK, begin=BEGIN - timedelta(hours=1), end=BEGIN - timedelta(minutes=10))
    assert lines(filled, ASKED["Conferences A"], look) == {}


@pytest.mark.parametrize("wrong", ['SELECT nosuch("conferences") FROM "bridge"', "SELECT last(conferences FROM"])
def test_what_is_wrong_is_refused(filled: Database, wrong: str) -> None:
    """A check that finds nothing may have looked at nothing."""
    with pytest.raises(RuntimeError, match="was answered with"):
        filled.query(wrong)


def test_the_source_reads_what_the_runner_wrote(bootstrapped: Stack) -> None:
    """A bucket is a database of its own name, without anybody having said so."""
    points = f"ookla_speedtest_minutely,server=st-01 tests=6i,users=5i {at(0)}"
    path = "/api/v2/write?org=pegel&bucket=telemetry&precision=s"
    assert bootstrapped.status(bootstrapped.token("runner-write"), "POST", path, points.encode()) == 204
    database = of_stack(bootstrapped, {}, grafana(bootstrapped), "telemetry")
    statement = substituted('SELECT "tests", "users" FROM "ookla_speedtest_minutely" WHERE $timeFilter', LOOK)
    (series,) = database.query(statement)
    assert (series["columns"], series["values"]) == (["time", "tests", "users"], [[at(0) * 1000, 6, 5]])


def test_the_source_cannot_write(bootstrapped: Stack) -> None:
    database = of_stack(bootstrapped, grafana(bootstrapped), {}, "jitsi")
    assert database.write(WRITTEN) in (401, 403)


def test_a_panel_says_what_grafana_needs_to_run_it() -> None:
    """Without `rawQuery` the data source builds a statement out of the fields of its editor, and there are none."""
    (target, _) = next(panel for panel in BOARD["panels"] if panel.get("targets"))["targets"]
    assert (target["rawQuery"], target["resultFormat"], target["alias"]) == (True, "time_series", "$tag_server")
