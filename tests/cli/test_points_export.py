from __future__ import annotations

import csv
import io
import json

from hypothesis import given

from pegel.cli.points_export import metrics_text, points_text
from pegel.sinks import Histogram, Point
from pegel.sinks.local_points import StoredMetric
from sinks.hostile import many_points, point


def test_csv_has_time_labels_values_and_revision() -> None:
    assert points_text([point(), point(minute=1, revision=2, tests=3, share=0.1)], "csv") == (
        "time,server,tests,users,share,revision\n"
        "2026-03-03T12:00:00Z,st-01,12,9,,1\n"
        "2026-03-03T12:01:00Z,st-01,3,,0.1,2\n"
    )


def test_csv_quotes_what_has_to_be_quoted() -> None:
    assert '"a,""b"""' in points_text([point(labels=(("page", 'a,"b"'),))], "csv")


def test_a_histogram_has_a_column_per_bucket() -> None:
    text = points_text([point(latency=Histogram((0.5,), (1, 3), 2.5))], "csv")
    assert text.splitlines()[0] == "time,server,latency_le_0.5,latency_sum,latency_count,revision"


def test_a_label_and_a_value_of_one_name_are_two_columns() -> None:
    assert points_text([point(labels=(("users", "x"),), users=1)], "csv").startswith("time,users,users_2,revision\n")


def test_json_is_an_array_with_a_line_per_point() -> None:
    text = points_text([point(), point(minute=1)], "json")
    assert len(text.splitlines()) == 4
    assert [each["time"] for each in json.loads(text)] == ["2026-03-03T12:00:00Z", "2026-03-03T12:01:00Z"]
    assert points_text([], "json") == "[]\n"


def test_ndjson_is_what_the_file_sink_writes() -> None:
    from pegel.sinks.ndjson import encode

    assert points_text([point()], "ndjson") == encode([point()]).decode()


def test_metrics_have_their_own_facts() -> None:
    metric = StoredMetric("shop", "Requests.", {"n": "counter"}, 2, point().start_us, point().start_us, 60_000_000)
    assert metrics_text([metric], "csv") == (
        "metric,series,every,oldest,newest,help\nshop,2,1m,2026-03-03T12:00:00Z,2026-03-03T12:00:00Z,Requests.\n"
    )
    assert json.loads(metrics_text([metric], "ndjson"))["kinds"] == {"n": "counter"}


@given(many_points)
def test_csv_of_any_points_has_as_many_rows_and_equal_columns(points: list[Point]) -> None:
    table = list(csv.reader(io.StringIO(points_text(points, "csv"), newline="")))
    assert len(table) == len(points) + 1
    assert len({len(row) for row in table}) == 1
    assert len(set(table[0])) == len(table[0])
