"""From a board to Grafana's words: places, levels, links, letters."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.model import Annotation, Dashboard, Level, Link, Override, Panel, Row, Variable
from dashboards.panels import flux, promql, stat, timeseries
from dashboards.rendering import COLUMNS, render


def panel(title: str = "Tests", **changed: Any) -> Panel:
    options: dict[str, Any] = {
        "title": title,
        "description": "What it means.",
        "targets": [promql("up")],
        "unit": "short",
        "no_value": "nothing",
    }
    return timeseries(**(options | changed))


def drawn(*rows: Row, **changed: Any) -> dict[str, Any]:
    """A dashboard with these rows."""
    made: dict[str, Any] = dict(
        render(Dashboard(uid="x", title="X", question="Why?", tags=["pegel"], rows=rows, **changed))
    )
    return made


def only(one: Panel) -> dict[str, Any]:
    found: dict[str, Any] = drawn(Row("Row", [one]))["panels"][2]
    return found


@given(
    st.lists(st.lists(st.tuples(st.integers(1, COLUMNS), st.integers(1, 20)), max_size=6), max_size=4),
    st.lists(st.booleans(), min_size=4, max_size=4),
)
def test_panels_never_overlap(rows: list[list[tuple[int, int]]], closed: list[bool]) -> None:
    """Grafana moves what overlaps, and not to where anybody wanted it."""
    document = drawn(
        *(
            Row(str(number), [panel(width=width, height=height) for width, height in row], collapsed=closed[number])
            for number, row in enumerate(rows)
        )
    )
    taken: set[tuple[int, int]] = set()
    for one in document["panels"]:
        place = one["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken
        assert all(0 <= x < COLUMNS for x, _ in cells)
        taken |= cells
    numbers = [one["id"] for part in document["panels"] for one in [part, *part.get("panels", [])]]
    assert len(numbers) == len(set(numbers)) == 1 + len(rows) + sum(map(len, rows))


def test_panels_of_a_line_are_as_high_as_the_highest() -> None:
    """Else there are holes on a wall screen."""
    document = drawn(Row("Row", [panel(width=12, height=5), panel(width=12, height=9), panel(width=24, height=3)]))
    assert [one["gridPos"]["h"] for one in document["panels"][2:]] == [9, 9, 3]
    assert [one["gridPos"]["y"] for one in document["panels"][2:]] == [3, 3, 12]


def test_a_closed_row_holds_its_panels() -> None:
    closed, after = drawn(Row("Closed", [panel()], collapsed=True), Row("Open", [panel()]))["panels"][1:3]
    assert [one["title"] for one in closed["panels"]] == ["Tests"]
    assert after["gridPos"]["y"] == closed["gridPos"]["y"] + 1


def test_levels_are_colours_and_words() -> None:
    found = only(
        stat(
            title="State",
            description="What it means.",
            targets=[promql("up")],
            unit="s",
            no_value="nothing",
            words=True,
            levels=[Level(None, "fresh", "green"), Level(300, "late", "yellow"), Level(900, "old", "red")],
        )
    )
    defaults = found["fieldConfig"]["defaults"]
    assert found["description"] == "What it means.\n\nLevels: fresh, late from 300, old from 900."
    assert [step["value"] for step in defaults["thresholds"]["steps"]] == [None, 300, 900]
    assert [
        (one["options"]["from"], one["options"]["to"], one["options"]["result"]["text"]) for one in defaults["mappings"]
    ] == [
        (900, None, "old"),
        (300, 900, "late"),
        (None, 300, "fresh"),
    ]


def test_the_first_word_that_fits_a_bound_is_that_of_the_level_above() -> None:
    """Grafana takes both ends of a range as inside, and the first that fits; the colour is that of the level above."""
    words = [Level(None, "no", "green"), Level(1, "yes", "red")]
    first = only(panel(levels=words, words=True))["fieldConfig"]["defaults"]["mappings"][0]["options"]
    assert (first["from"], first["result"]["text"], first["result"]["index"]) == (1, "yes", 0)


def test_a_link_takes_time_and_variables_along() -> None:
    link = Link("More", "/d/y", variables=["server"], values={"asn": "${__data.fields.asn}"})
    (found,) = only(panel(links=[link]))["fieldConfig"]["defaults"]["links"]
    assert found["url"] == "/d/y?${__url_time_range}&${server:queryparam}&var-asn=${__data.fields.asn}"
    assert found["targetBlank"] is False


def test_a_link_in_the_bar_takes_along_what_it_names() -> None:
    """A zone is a name on one dashboard and a number on another: what is not meant must not come along."""
    (found,) = drawn(Row("Row", []), links=[Link("More", "/d/y", variables=["server"])])["links"]
    assert (found["url"], found["keepTime"], found["includeVars"]) == ("/d/y?${server:queryparam}", True, False)


def test_an_annotation_of_prometheus_has_its_query_where_each_version_looks() -> None:
    annotation = Annotation(name="Starts", target=promql("changes(x[$__rate_interval]) > 0"), text="{{job}} began")
    (found,) = drawn(Row("Row", []), annotations=[annotation])["annotations"]["list"]
    assert found["expr"] == found["target"]["expr"] == "changes(x[$__rate_interval]) > 0"
    assert (found["target"]["refId"], found["textFormat"]) == ("Anno", "{{job}} began")


def test_a_link_outside_opens_beside() -> None:
    (found,) = only(panel(links=[Link("Manual", "https://example.org/x")]))["fieldConfig"]["defaults"]["links"]
    assert (found["url"], found["targetBlank"]) == ("https://example.org/x", True)


@pytest.mark.parametrize(("name", "matcher"), [("tests", "byName"), ("/before$/", "byRegexp")])
def test_overrides_are_by_name_or_by_pattern(name: str, matcher: str) -> None:
    (found,) = only(panel(overrides=[Override(name, {"unit": "s"})]))["fieldConfig"]["overrides"]
    assert found == {"matcher": {"id": matcher, "options": name}, "properties": [{"id": "unit", "value": "s"}]}


def test_targets_have_letters_and_their_own_source() -> None:
    found = only(panel(targets=[promql("up"), flux("from(bucket: v.defaultBucket)")]))
    assert [(one["refId"], one["datasource"]["uid"]) for one in found["targets"]] == [
        ("A", "pegel-prometheus"),
        ("B", "pegel-influx-flux"),
    ]
    assert found["datasource"]["uid"] == "pegel-prometheus"


def test_a_choice_of_several_begins_with_all() -> None:
    variable = Variable(name="server", label="Server", description="Which.", target=flux("buckets()"), several=True)
    (found,) = drawn(Row("Row", []), variables=[variable])["templating"]["list"]
    assert found["current"] == {"text": ["All"], "value": ["$__all"]}
    assert (found["allValue"], found["includeAll"], found["multi"]) == (".*", True, True)


def test_a_choice_of_given_words_begins_with_the_first() -> None:
    variable = Variable(name="kind", label="Kind", description="Which.", kind="custom", values=["tests", "users"])
    (found,) = drawn(Row("Row", []), variables=[variable])["templating"]["list"]
    assert (found["query"], found["current"]["value"]) == ("tests,users", "tests")


def test_a_panel_of_days_looks_further_back_than_the_reader() -> None:
    """Six hours have no day in them."""
    assert only(panel(looks_back="30d", interval="1d"))["timeFrom"] == "30d"
    assert "timeFrom" not in only(panel())
