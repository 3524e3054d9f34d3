"""Rules that every dashboard keeps: what breaks one is not seen in the file, but in front of an empty screen."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from grafana import influxql
from grafana.conftest import FILES, PROVISIONING, panels, questions, read

KINDS = {
    "alertlist",
    "barchart",
    "bargauge",
    "dashlist",
    "gauge",
    "geomap",
    "heatmap",
    "histogram",
    "logs",
    "piechart",
    "stat",
    "state-timeline",
    "status-history",
    "table",
    "text",
    "timeseries",
    "xychart",
}
"""What Grafana 12 and later have; those of Angular are gone."""

PROVISIONED = yaml.safe_load((PROVISIONING / "datasources" / "pegel.yaml").read_text(encoding="utf-8"))["datasources"]
SOURCES = {source["uid"]: source["type"] for source in PROVISIONED}
LANGUAGES = {
    source["uid"]: "PromQL" if source["type"] == "prometheus" else source["jsonData"].get("version", "InfluxQL")
    for source in PROVISIONED
}
MEANINGLESS_UNITS = {"", "none"}
STATES = {"stat", "gauge", "state-timeline", "status-history"}


def queries(dashboard: dict[str, Any], *languages: str) -> list[tuple[str, str]]:
    """(place, text) of all queries in some languages."""
    return [(place, text) for place, uid, text in asked(dashboard) if LANGUAGES[uid] in languages]


def asked(dashboard: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """(place, uid of the source, text) of all queries."""
    for panel in questions(dashboard):
        for target in panel["targets"]:
            yield panel["title"], target["datasource"]["uid"], target.get("expr", target.get("query", ""))
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            text = variable["query"] if isinstance(variable["query"], str) else variable["query"]["query"]
            yield variable["name"], variable["datasource"]["uid"], text
    for annotation in dashboard["annotations"]["list"]:
        text = annotation.get("expr", annotation.get("target", {}).get("query", ""))
        yield annotation["name"], annotation["datasource"]["uid"], text


# -- files and names ------------------------------------------------------------------------------------------------


def test_names_are_given_once() -> None:
    """Two dashboards with one title in a folder stop Grafana from loading any of them."""
    documents = [read(file) for file in FILES]
    for key in ("uid", "title"):
        assert not [name for name, count in Counter(one[key] for one in documents).items() if count > 1]


def test_the_file_is_called_like_the_dashboard(file: Path) -> None:
    assert read(file)["uid"] == file.stem


def test_nothing_of_the_machine_that_made_it_is_left(dashboard: dict[str, Any]) -> None:
    """A number is given by the Grafana that loads it; a version of another one is noise."""
    assert not {"id", "version", "iteration", "gnetId", "__inputs", "__requires"} & set(dashboard)
    assert (dashboard["schemaVersion"], dashboard["editable"]) == (42, False)


def test_it_says_what_it_answers(dashboard: dict[str, Any]) -> None:
    first = dashboard["panels"][0]
    assert first["type"] == "text"
    assert dashboard["description"].endswith("?")
    assert dashboard["description"] in first["options"]["content"]


def test_it_opens_with_a_time_and_asks_again(dashboard: dict[str, Any]) -> None:
    assert re.fullmatch(r"now-\d+[mhd]", dashboard["time"]["from"])
    assert dashboard["time"]["to"] == "now"
    assert re.fullmatch(r"\d+[sm]", dashboard["refresh"])
    assert "pegel" in dashboard["tags"]


# -- panels ---------------------------------------------------------------------------------------------------------


def test_kinds_exist(dashboard: dict[str, Any]) -> None:
    assert {panel["type"] for panel in panels(dashboard)} <= KINDS


def test_panels_have_numbers_of_their_own(dashboard: dict[str, Any]) -> None:
    numbers = [one["id"] for one in [*dashboard["panels"], *panels(dashboard)] if one["type"] == "row"]
    numbers += [one["id"] for one in panels(dashboard)]
    assert len(numbers) == len(set(numbers))


def test_every_panel_and_every_target_names_its_source(dashboard: dict[str, Any]) -> None:
    """Without one a panel is empty until somebody edits it and runs the queries by hand."""
    for panel in questions(dashboard):
        assert panel["targets"], panel["title"]
        for place in [panel, *panel["targets"]]:
            assert SOURCES[place["datasource"]["uid"]] == place["datasource"]["type"], panel["title"]
        letters = [target["refId"] for target in panel["targets"]]
        assert len(letters) == len(set(letters)), panel["title"]
        assert all(target.get("expr", target.get("query", "")).strip() for target in panel["targets"]), panel["title"]


def test_every_panel_explains_itself(dashboard: dict[str, Any]) -> None:
    """Title, meaning, unit, and what to look at when there is nothing."""
    for panel in questions(dashboard):
        defaults = panel["fieldConfig"]["defaults"]
        assert panel["title"].strip()
        assert len(panel["description"]) > 20, panel["title"]
        assert defaults["unit"] not in MEANINGLESS_UNITS, panel["title"]
        assert defaults["noValue"].strip(), panel["title"]


def test_titles_are_given_once(dashboard: dict[str, Any]) -> None:
    titles = Counter(panel["title"] for panel in questions(dashboard))
    assert not [title for title, count in titles.items() if count > 1]


def test_no_line_has_a_hole(dashboard: dict[str, Any]) -> None:
    """On a wall a hole looks like a panel that did not load."""
    widths: Counter[int] = Counter()
    for panel in dashboard["panels"]:
        widths[panel["gridPos"]["y"]] += panel["gridPos"]["w"]
    assert {y: width for y, width in widths.items() if width != 24} == {}


def test_nothing_overlaps_or_leaves_the_grid(dashboard: dict[str, Any]) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        assert place["x"] >= 0, panel["title"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


def test_what_is_read_from_afar_is_large_enough(dashboard: dict[str, Any]) -> None:
    """A phone shows one panel under the other, whatever its width; a wall screen shows them side by side."""
    for panel in questions(dashboard):
        place = panel["gridPos"]
        chart = panel["type"] not in ("stat", "gauge")
        assert place["w"] >= (6 if chart else 3), panel["title"]
        assert place["h"] >= (4 if panel["type"] not in ("timeseries", "table") else 5), panel["title"]


# -- colours --------------------------------------------------------------------------------------------------------


def test_bounds_ascend(dashboard: dict[str, Any]) -> None:
    for panel in questions(dashboard):
        first, *rest = [step["value"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]]
        assert first is None, panel["title"]
        assert all(low < high for low, high in pairwise(rest)), panel["title"]


def test_a_colour_is_also_a_word(dashboard: dict[str, Any]) -> None:
    """One man in twelve sees red and green as one; so each level is named, and each state is a word on the screen."""
    for panel in questions(dashboard):
        defaults = panel["fieldConfig"]["defaults"]
        steps = defaults["thresholds"]["steps"]
        if len(steps) > 1:
            named = re.search(r"Levels: (.+)\.$", panel["description"])
            assert named, panel["title"]
            assert named[1].count(" from ") == len(steps) - 1, panel["title"]


# -- queries --------------------------------------------------------------------------------------------------------


def test_rates_are_as_wide_as_scrapes_want(dashboard: dict[str, Any]) -> None:
    """A fixed range is empty where the scrape interval is longer, and too rough where it is shorter."""
    for place, text in queries(dashboard, "PromQL"):
        for function, width in re.findall(r"\b(i?rate|i?delta|deriv)\([^\[\]]*\[([^\]:]+)", text):
            assert width == "$__rate_interval", f"{place}: {function} over {width}"


def test_counters_are_seen_as_growth(dashboard: dict[str, Any]) -> None:
    """A running total by itself says how old it is."""
    for place, text in queries(dashboard, "PromQL"):
        for found in re.finditer(r"\b[a-z_0-9]+_total\b", text):
            before = text[: found.start()]
            inside = re.search(r"\b(rate|irate|increase|resets|changes|present_over_time|absent)\([^()]*$", before)
            grouped = re.search(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^()]*$", before)
            assert inside or grouped, f"{place}: {found[0]} without rate or increase"


def test_days_of_prometheus_are_days_of_utc(dashboard: dict[str, Any]) -> None:
    """Grafana begins a step of a day where the reader's day begins; ours begin in UTC."""
    daily = [panel["title"] for panel in questions(dashboard) if panel.get("interval") == "1d"]
    assert not daily or dashboard["timezone"] == "utc"


def test_the_minute_in_progress_is_left_out(dashboard: dict[str, Any]) -> None:
    """InfluxDB has it as far as it is counted, so each chart would end in a fall."""
    if queries(dashboard, "Flux", "InfluxQL"):
        assert dashboard["timepicker"]["nowDelay"] == "2m"


def test_bars_are_rates(dashboard: dict[str, Any]) -> None:
    """What is looked at is wider than a step: growth of each step would be counted several times in a sum of bars.

    What has grown by the end of the chosen time is one number for all steps; it chooses the biggest.
    """
    for panel in questions(dashboard):
        for target in panel["targets"]:
            of_steps = re.findall(r"increase\([^()]*\[(?!\$__range\] @ end\(\))", target.get("expr", ""))
            assert not of_steps or target["instant"], panel["title"]


def test_brackets_close(dashboard: dict[str, Any]) -> None:
    for place, text in queries(dashboard, *LANGUAGES.values()):
        bare = re.sub(r'"(?:[^"\\]|\\.)*"|/\^.*?\$/', "", text)
        for opening, closing in ("()", "[]", "{}"):
            assert bare.count(opening) == bare.count(closing), place


def test_flux_asks_the_bucket_of_the_source_within_a_time(dashboard: dict[str, Any]) -> None:
    """A bucket's name in a dashboard works for those who chose the same; without a range a query reads everything."""
    for place, text in queries(dashboard, "Flux"):
        buckets = re.findall(r"bucket: ([^,)]+)", text)
        assert set(buckets) <= {"v.defaultBucket"}, place
        assert text.count("from(bucket:") == text.count("|> range("), place


def test_flux_knows_only_what_this_server_knows(dashboard: dict[str, Any]) -> None:
    """What passes the type checker and fails when it is run."""
    for place, text in queries(dashboard, "Flux"):
        assert not re.search(r"(?<!\.)\bjoin\(", text), f"{place}: join() knows no left join; join.left() does"
        for package in set(
            re.findall(r"(?<![\w.])(array|date|dict|join|math|regexp|schema|strings|timezone|types)\.", text)
        ):
            assert re.search(rf'import "(?:[\w/]+/)?{package}"', text), f"{place}: {package} is not imported"
        assert len(re.findall(r"^import ", text, re.MULTILINE)) == len(
            set(re.findall(r"^import .*", text, re.MULTILINE))
        )


def test_the_biggest_are_chosen_among_all(dashboard: dict[str, Any]) -> None:
    """`limit()` and `top()` cut every table by itself: all must be one table before."""
    for place, text in queries(dashboard, "Flux"):
        for found in re.finditer(r"\|> (?:limit|top|bottom|highestMax)\(n:", text):
            steps = re.findall(r"(?:\|> )?(\w+)\(([^|]*)", text[: found.start()])
            groups = [arguments.strip() for name, arguments in steps if name == "group"]
            assert groups, place
            assert groups[-1].startswith(")"), f"{place}: cut within groups"


def test_influxql_asks_for_what_was_chosen(dashboard: dict[str, Any]) -> None:
    for place, text in queries(dashboard, "InfluxQL"):
        assert influxql.faults(text) == [], place


def test_variables_are_used_and_known(dashboard: dict[str, Any]) -> None:
    names = {variable["name"] for variable in dashboard["templating"]["list"]}
    texts = [text for _, text in queries(dashboard, *LANGUAGES.values())]
    own = re.compile(r"\$(?:\{)?(?!__)([a-z]\w*)")
    used = {name for text in texts for name in own.findall(re.sub(r"\$/", "", text))}
    used |= {panel.get("repeat", "") for panel in dashboard["panels"]} - {"", None}
    assert used == names


def test_variables_have_a_value_before_anybody_chooses(dashboard: dict[str, Any]) -> None:
    """And are asked again when the time changes: a new server appears by itself."""
    for variable in dashboard["templating"]["list"]:
        assert variable["label"], variable["name"]
        assert variable["description"], variable["name"]
        if variable["type"] == "query":
            assert variable["refresh"] == 2, variable["name"]
            assert not variable["regex"] or {"(?<value>", "(?<text>"} <= set(
                re.findall(r"\(\?<\w+>", variable["regex"])
            )
        else:
            assert variable["current"]["value"], variable["name"]


# -- ways on --------------------------------------------------------------------------------------------------------


def addresses(value: object) -> list[str]:
    """All `url` of a document."""
    if isinstance(value, dict):
        own = [value["url"]] if isinstance(value.get("url"), str) else []
        return [*own, *(url for one in value.values() for url in addresses(one))]
    return [url for one in value for url in addresses(one)] if isinstance(value, list) else []


def test_links_lead_to_dashboards_that_exist(dashboard: dict[str, Any]) -> None:
    known = {file.stem: read(file) for file in FILES}
    for url in addresses(dashboard):
        if url.startswith("/"):
            found = re.fullmatch(r"/d/([a-z0-9-]+)(?:\?(.*))?", url)
            assert found, url
            assert found[1] in known, url
            variables = {one["name"] for one in known[found[1]]["templating"]["list"]}
            given = set(re.findall(r"var-(\w+)=|\$\{(\w+):queryparam\}", found[2] or ""))
            assert {name for pair in given for name in pair if name} <= variables, url


def test_every_dashboard_is_reached_from_the_first_and_leads_back() -> None:
    documents = {file.stem: read(file) for file in FILES}
    ways = {
        uid: {found[1] for url in addresses(document) if (found := re.match(r"/d/([a-z0-9-]+)", url))}
        for uid, document in documents.items()
    }
    reached = {"overview"}
    for _ in ways:
        reached |= {uid for one in reached for uid in ways[one]}
    assert reached == set(documents)
    assert [uid for uid in documents if uid != "overview" and "overview" not in ways[uid]] == []


def test_links_take_the_time_along(dashboard: dict[str, Any]) -> None:
    """Who sees a peak and clicks on it wants to see that peak."""
    for panel in questions(dashboard):
        for url in addresses(panel):
            assert not url.startswith("/d/") or "${__url_time_range}" in url, panel["title"]
    assert all(link["keepTime"] for link in dashboard["links"] if link["url"].startswith("/"))
