from __future__ import annotations

import json
import re

from hypothesis import example, given

from pegel.sinks.safe_text import MAX_LABEL, clean, distinct_names, to_json
from sinks.hostile import texts


@given(texts)
@example("\x1b]0;title\x07")
@example("e\u0301" * 3000)
def test_clean_text_is_one_line_that_can_be_shown_and_is_not_too_long(text: str) -> None:
    """A label is chosen by whoever sends a request: it must not steer a terminal or fake a dashboard."""
    cleaned = clean(text)
    assert cleaned.splitlines() in ([], [cleaned])
    assert len(cleaned) <= MAX_LABEL
    assert cleaned.encode("utf-8").decode("utf-8") == cleaned
    assert not set(cleaned) & set("\x00\x1b\x7f\x9b\u202a\u202e\u2066\u2069\u200b\ufeff")


@given(texts)
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    assert clean(clean(text)) == clean(text)


def test_newlines_and_nul_become_underscores() -> None:
    assert clean("a\nb\r\x00c") == "a_b__c"


def test_half_a_character_is_replaced_and_emoji_stay_whole() -> None:
    assert clean("x\ud800") == "x\ufffd"
    assert clean("👩\u200d👩\u200d👧") == "👩\u200d👩\u200d👧"


def test_two_spellings_of_a_letter_are_one_label() -> None:
    """Otherwise `café` typed on a phone and on a desk would be two series."""
    assert clean("cafe\u0301") == clean("café")


def test_long_texts_that_differ_at_the_end_still_differ() -> None:
    """Cut alone they would be one series whose values overwrite each other."""
    assert clean("x" * 9999 + "a") != clean("x" * 9999 + "b")


def test_names_that_became_equal_are_told_apart() -> None:
    assert distinct_names(["a", "b", "a", "a_2", "a"]) == ("a", "b", "a_2", "a_2_2", "a_3")


@given(texts)
def test_json_holds_the_text_exactly_and_shows_nothing_that_a_terminal_obeys(text: str) -> None:
    line = to_json({"label": text})
    assert json.loads(line)["label"] == re.sub("[\ud800-\udfff]", "\ufffd", text)
    assert not set(line) & set("\n\r\x1b\x7f\x85\x9b\u2028\u202e\u2066")
