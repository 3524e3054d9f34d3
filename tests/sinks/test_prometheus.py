"""The page for scrapers; prometheus-client reads it as a scraper does."""

from __future__ import annotations

import gzip
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import Metric
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from pegel.listening import Answer, Asked
from pegel.sinks import Histogram, Point
from pegel.sinks.prometheus import OPENMETRICS, SCRAPERS, TEXT, Prometheus
from sinks.hostile import many_points, point

BY_PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


def read_openmetrics(text: str) -> list[Metric]:
    return list(openmetrics.text_string_to_metric_families(text))  # type: ignore[no-untyped-call]


def scrape(
    sink: Prometheus, accept: str = "", encoding: str = "", method: str = "GET", client: str = "", agent: str = ""
) -> Answer:
    (endpoint,) = sink.endpoints()
    headers = {"accept": accept, "accept-encoding": encoding, "user-agent": agent}
    return endpoint.answer(Asked(method, headers, client))


def rising(one: Point) -> Point:
    """The point with numbers that counters have: OpenMetrics knows no negative ones."""
    values = {name: abs(value) if isinstance(value, int | float) else value for name, value in one.values.items()}
    return replace(one, values={name: value for name, value in values.items() if not isinstance(value, Histogram)})


def counter_of(sink: Prometheus, client: str = "", agent: str = "") -> float:
    text = scrape(sink, client=client, agent=agent).body.decode()
    return next(one.samples[0].value for one in read_text(text) if one.type == "counter")


def counted(total: int, server: str = "st-01") -> Point:
    return point(labels=(("server", server),), kinds={"tests": "counter"}, tests=total)


def test_before_the_first_commit_there_is_no_page() -> None:
    """An empty page would end every series; an error only leaves a gap."""
    assert scrape(Prometheus()).status == 503


def test_a_scraper_gets_the_format_that_it_prefers() -> None:
    sink = Prometheus()
    sink.show([point()])
    assert scrape(sink).headers["content-type"] == TEXT
    assert scrape(sink, BY_PROMETHEUS).headers["content-type"] == OPENMETRICS
    assert scrape(sink, "text/plain;q=0.9,application/openmetrics-text;q=0.1").headers["content-type"] == TEXT
    assert scrape(sink, "application/json;q=nan, ;;;,").headers["content-type"] == TEXT


def test_a_page_is_packed_for_those_who_unpack() -> None:
    sink = Prometheus()
    sink.show([point()])
    packed = scrape(sink, encoding="gzip")
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == scrape(sink).body


def test_a_counter_that_is_new_begins_at_zero() -> None:
    """`increase()` does not see a step from nothing."""
    sink = Prometheus()
    sink.show([counted(5)])
    assert counter_of(sink) == 5, "who scraped before this start has seen it"
    sink.show([counted(6), counted(3, "st-00")])
    assert counter_of(sink) == 0
    assert counter_of(sink) == 3
    sink.show([counted(7), counted(9, "st-00")])
    assert counter_of(sink) == 9


def test_a_look_at_the_headers_is_no_scrape() -> None:
    sink = Prometheus()
    sink.show([])
    sink.show([counted(3)])
    scrape(sink, method="HEAD")
    assert counter_of(sink) == 0


def test_everybody_who_scrapes_sees_where_a_counter_begins() -> None:
    """Two servers of a pair, and somebody with curl: none of them takes the first step from another."""
    sink = Prometheus()
    sink.show([point(metric="other")])
    pair = [("10.0.0.1", "Prometheus/3"), ("10.0.0.2", "Prometheus/3")]
    for client, agent in pair:
        scrape(sink, client=client, agent=agent)
    sink.show([counted(5)])
    assert counter_of(sink, "127.0.0.1", "curl/8") == 5
    assert [counter_of(sink, *one) for one in pair] == [0, 0]
    assert [counter_of(sink, *one) for one in pair] == [5, 5]


def test_who_comes_later_takes_totals_as_they_are() -> None:
    """For a new server the counting of years would else be one step, at the moment when it first looks."""
    sink = Prometheus()
    sink.show([point(metric="other")])
    scrape(sink, client="10.0.0.1", agent="Prometheus/3")
    sink.show([counted(5)])
    assert counter_of(sink, "10.0.0.9", "vmagent") == 5


def test_a_server_that_comes_back_from_another_address_is_the_same() -> None:
    """A container that is made anew has another one."""
    sink = Prometheus()
    sink.show([point(metric="other")])
    scrape(sink, client="172.18.0.5", agent="Prometheus/3")
    sink.show([counted(5)])
    assert counter_of(sink, "172.18.0.9", "Prometheus/3") == 0


def test_scrapers_are_remembered_up_to_a_number() -> None:
    """A name is free to choose: a stranger who makes up one each time must not fill the memory."""
    sink = Prometheus()
    sink.show([point(metric="other")])
    scrape(sink, client="10.0.0.1", agent="Prometheus/3")
    for number in range(SCRAPERS - 1):
        scrape(sink, client="10.9.9.9", agent=f"agent {number}")
    sink.show([counted(5)])
    assert counter_of(sink, "10.0.0.1", "Prometheus/3") == 0
    for number in range(SCRAPERS):
        scrape(sink, client="10.9.9.9", agent=f"another {number}")
    sink.show([counted(5), counted(7, server="st-02")])
    assert counter_of(sink, "10.0.0.1", "Prometheus/3") == 5


def test_a_name_that_is_only_an_end_spoils_no_page() -> None:
    """OpenMetrics names a counter without `_total`, and a server refuses a whole page for one without a name."""
    sink = Prometheus()
    sink.show(
        [point("_total", kinds={"value": "counter"}, value=2), point("_info", kinds={"value": "info"}, value="a")]
    )
    found = {one.name for one in read_openmetrics(scrape(sink, "application/openmetrics-text").body.decode())}
    assert found == {"_total", "_info"}


def test_an_info_is_an_info_and_names_do_not_clash() -> None:
    sink = Prometheus()
    info = point("asn_map", labels=(("asn", "64500"),), kinds={"asname": "info"}, asname='EX "A", DE')
    sink.show(
        [info, point("x", kinds={"value": "gauge"}, value=1), point("x_total", kinds={"value": "counter"}, value=2)]
    )
    found = {one.name: one for one in read_openmetrics(scrape(sink, "application/openmetrics-text").body.decode())}
    assert found["asn_map"].type == "info"
    assert found["asn_map"].samples[0].labels["asname"] == 'EX "A", DE'
    assert found["x"].type == "gauge"
    assert found["x_total"].type == "unknown"


@settings(deadline=None, max_examples=50)
@given(many_points, st.sampled_from(["text/plain", "application/openmetrics-text"]))
def test_every_page_is_readable_by_others(points: list[Point], accept: str) -> None:
    """Hostile labels and names make no page that a scraper refuses: it would lose all series, not one."""
    sink = Prometheus()
    sink.show([rising(one) for one in points])
    read = read_text if accept == "text/plain" else read_openmetrics
    numbers = list(read(scrape(sink, accept).body.decode()))
    assert sum(len(one.samples) for one in numbers) >= len({one.name for one in numbers})


def test_a_histogram_is_cumulative_over_its_bounds() -> None:
    sink = Prometheus()
    sink.show([point(kinds={"t": "histogram"}, t=Histogram((0.1, 1.0), (1, 3, 4), 2.5))])
    (family,) = read_text(scrape(sink).body.decode())
    assert [sample.value for sample in family.samples if sample.name.endswith("_bucket")] == [1, 3, 4]


def test_wrong_options_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"^listen: "):
        Prometheus(listen="9464")
    for path in ("metrics", "/", "/a b", "/{x}"):
        with pytest.raises(ValueError, match=r"^path: "):
            Prometheus(path=path)


def test_a_counter_that_was_away_comes_back_with_its_former_total_first() -> None:
    """A 0 would be a reset, and count the total twice; the new total alone would hide its step."""
    sink = Prometheus()
    sink.show([counted(500), point(metric="other")])
    assert counter_of(sink) == 500
    sink.show([point(metric="other")])
    scrape(sink)
    sink.show([counted(502)])
    assert [counter_of(sink), counter_of(sink)] == [500, 502]


def test_a_counter_that_comes_back_smaller_has_begun_anew() -> None:
    """Its total is kept for a week."""
    sink = Prometheus()
    sink.show([counted(500), point(metric="other")])
    sink.show([point(metric="other")])
    scrape(sink)
    sink.show([counted(2)])
    assert [counter_of(sink), counter_of(sink)] == [0, 2]
