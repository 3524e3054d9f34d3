from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enrichers.rows import enriched, table
from pegel.enrichers.device import Device
from pegel.sql import ExpressionError

DEVICES = {
    "apple_tv": ["appletv", "apple tv"],
    "roku": "roku",
    "fire_tv": ["AFT", "amazon & fire"],
    "web": ["chrome", "safari"],
}


def device_of(*agents: str | None, **options: Any) -> list[str]:
    enricher = Device(**{"column": "agent", "devices": DEVICES, **options})
    return list(enriched(enricher, {"agent": list(agents)})[enricher.into])


def test_a_word_is_found_anywhere_in_the_agent() -> None:
    assert device_of("Roku/DVP-11.0 (11.0.0.4193)", "Player on roku", "curl/8") == ["roku", "roku", "other"]


def test_a_small_word_is_found_in_any_case() -> None:
    assert device_of("ROKU", "rOkU") == ["roku", "roku"]


def test_a_word_with_a_capital_is_found_as_it_is_written() -> None:
    """A Fire TV calls itself AFTKA; an aircraft is none."""
    assert device_of("(Linux; Android 9; AFTKA)", "Aircraft/2.1", "aft") == ["fire_tv", "other", "other"]


def test_of_several_words_all_must_be_found() -> None:
    assert device_of("Amazon Silk Fire/3", "Amazon Shopping", "Firefox") == ["fire_tv", "other", "other"]


def test_the_first_kind_that_fits_counts() -> None:
    """The order of the file decides, so that the operator can put his own app before the browsers in it."""
    agent = "Mozilla/5.0 (AppleTV; Roku) Safari/605"
    assert device_of(agent) == ["apple_tv"]
    assert device_of(agent, devices=dict(reversed(DEVICES.items()))) == ["web"]


def test_a_source_can_put_its_own_kinds_before_those_of_a_preset_and_switch_some_off() -> None:
    """The preset's table is merged kind by kind, so that a new kind would be tried last: behind the browsers."""
    agent = "MyApp/1 (like Safari)"
    assert device_of(agent) == ["web"]
    assert device_of(agent, first={"my_app": "MyApp"}) == ["my_app"]
    assert device_of(agent, devices={**DEVICES, "web": []}) == ["other"]


def test_agents_are_percent_decoded_first() -> None:
    assert device_of("Apple%20TV/1", "Apple%2520TV", "%ff%zz 100%") == ["apple_tv", "other", "other"]


def test_an_empty_and_a_missing_agent_are_other() -> None:
    assert device_of("", None, None, "Roku") == ["other", "other", "other", "roku"]
    assert device_of(None, other="unknown") == ["unknown"]


def test_the_column_of_the_agent_may_be_replaced() -> None:
    assert device_of("Roku", "x", into="agent") == ["roku", "other"]


def test_letters_of_any_script_are_words() -> None:
    assert device_of("Плеер/1", devices={"player": "плеер"}) == ["player"]
    assert device_of("ПЛЕЕР", devices={"player": "Плеер"}) == ["other"]


def test_each_distinct_agent_is_looked_at_once() -> None:
    """There are a hundred agents in a hundred thousand records."""
    enricher = Device(column="agent", devices=DEVICES)
    seen: list[str] = []
    find = enricher._find

    def counted(agent: str) -> str:
        seen.append(agent)
        return find(agent)

    enricher._device = counted  # type: ignore[assignment]
    enriched(enricher, {"agent": ["Roku", "x"] * 1000})
    assert sorted(seen) == ["Roku", "x"]


@given(st.lists(st.text(max_size=12) | st.none(), min_size=1, max_size=20))
def test_no_agent_is_an_error_and_every_row_has_a_kind(agents: list[str | None]) -> None:
    usable = [agent for agent in agents if agent is None or "\0" not in agent]
    kinds = device_of(*usable) if usable else []
    assert len(kinds) == len(usable)
    assert set(kinds) <= {*DEVICES, "other"}


def test_two_of_them_in_a_row_do_not_disturb_each_other() -> None:
    first = Device(column="a", devices={"one": "1"}, into="x")
    second = Device(column="b", devices={"two": "2"}, into="y")
    with table({"a": ["1", "2", None], "b": ["2", "1", "2"]}) as given_rows:
        found = second.enrich(first.enrich(given_rows))
        assert sorted(found.rows("_row", "x", "y")) == [(0, "one", "two"), (1, "other", "other"), (2, "other", "two")]


def test_the_rows_stay_in_order() -> None:
    """Ties between equal times are decided by the order of arrival."""
    with table({"agent": [("Roku", "x", None)[number % 3] for number in range(5000)]}) as given_rows:
        kept = given_rows.batch.keep(Device(column="agent", devices=DEVICES).enrich(given_rows))
        assert kept.rows("_row") == [(number,) for number in range(5000)]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"devices": {}}, "devices: write at least one kind"),
        ({"first": {"roku": [""]}}, "first.roku: write words"),
        ({"devices": {"roku": ["roku", ""]}}, "devices.roku: write words"),
        ({"devices": {"roku": "roku & "}}, "devices.roku: write words"),
        ({"into": "device type"}, "into: .* is no name for a column"),
    ],
)
def test_options_are_checked(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Device(**{"column": "agent", "devices": DEVICES, **options})


def test_a_column_that_is_missing_or_no_text_is_refused() -> None:
    enricher = Device(column="agent", devices=DEVICES)
    with pytest.raises(ExpressionError, match='unknown column "agent"'):
        enricher.adds({"client": "VARCHAR"})
    with pytest.raises(ExpressionError, match="a user agent is text"):
        enricher.adds({"agent": "BIGINT"})
