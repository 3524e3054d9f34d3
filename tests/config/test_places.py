from __future__ import annotations

import math
from typing import Any

import pytest
import tomli
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from config.documents import documents, walk
from pegel.config.places import MAX_DEPTH, Places, TooDeep, scan


def parsed(text: str) -> dict[str, Any]:
    try:
        return tomli.loads(text)
    except tomli.TOMLDecodeError:
        assume(False)
        raise


def same(left: Any, right: Any) -> bool:
    if isinstance(left, float) and isinstance(right, float) and math.isnan(left):
        return math.isnan(right)
    return bool(left == right)


@settings(max_examples=150, deadline=None)
@given(documents())
def test_every_value_that_tomli_finds_has_a_place_and_nothing_else_has(text: str) -> None:
    """A value without a place would be a crash while a problem is reported."""
    values = parsed(text)
    assert set(scan(text).spots) == {path for path, _ in walk(values)}


@settings(max_examples=150, deadline=None)
@given(documents())
def test_the_text_at_a_place_is_the_value(text: str) -> None:
    """The caret must stand under what is meant, so the text found there has to be that value."""
    values = parsed(text)
    places = scan(text)
    for path, value in walk(values):
        spot = places.spots[path]
        if spot.end > spot.start:
            (again,) = tomli.loads(f"x = {places.text[spot.start : spot.end]}").values()
            assert same(again, value) or repr(again) == repr(value)


@settings(max_examples=150, deadline=None)
@given(documents())
def test_each_character_of_a_string_is_found_in_the_text(text: str) -> None:
    """Expressions are checked as values; their errors are shown in the text, behind escapes and joins."""
    values = parsed(text)
    places = scan(text)
    for path, value in walk(values):
        if isinstance(value, str):
            spot = places.spots[path]
            offsets = [places.inside(spot, position) for position in range(len(value))]
            assert offsets == sorted(set(offsets))
            for char, offset in zip(value, offsets, strict=True):
                assert places.text[offset] in (char, "\\")


@given(st.text(max_size=60), st.data())
def test_line_and_column_are_those_of_an_editor(text: str, data: Any) -> None:
    places = Places(text, {})
    offset = data.draw(st.integers(0, len(text)))
    line, column = places.line_column(offset)
    before = text[:offset].split("\n")
    assert (line, column) == (len(before), len(before[-1]) + 1)
    assert places.line(line) == text.split("\n")[line - 1]


def test_a_key_and_its_value_have_different_places() -> None:
    """An unknown option is shown at its key, a wrong value at the value."""
    places = scan('[[a]]\nb.c = "x"\nd = { e = 1 }\n')
    spots = {path: (spot.key, spot.start) for path, spot in places.spots.items()}
    assert spots["a", 0] == (0, 0)
    assert spots["a", 0, "b", "c"] == (6, 12)
    assert spots["a", 0, "d", "e"] == (22, 26)


def test_tables_of_the_second_element_belong_to_the_second_element() -> None:
    places = scan("[[a]]\n[a.b]\nx = 1\n[[a]]\n[a.b]\nx = 2\n[[a.c]]\ny = 1\n")
    assert places.line_column(places.spots["a", 1, "b", "x"].start) == (6, 5)
    assert ("a", 1, "c", 0, "y") in places.spots


@pytest.mark.parametrize("text", ["a = " + "[" * 60 + "]" * 60, ".".join(["a"] * 60) + " = 1"])
def test_nesting_beyond_reason_is_refused(text: str) -> None:
    """What follows walks the tree by recursion, so its depth must have a bound."""
    with pytest.raises(TooDeep, match=str(MAX_DEPTH)):
        scan(text)
