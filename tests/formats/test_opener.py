from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pegel.formats.opener import Prefix, Search, opener
from pegel.formats.records import Records
from pegel.formats.regex import Expression

SIMPLE = ["^[0-9a-f]{40} - ", r"^\d{4}-\d{2}", r"^\[", "^[a-cx-]{2}", "^ERROR ", "^[ -~]{3}", "^a{0}b"]
OTHER = [
    "[0-9]",
    "^[0-9]+ -",
    "^a|b",
    "^(a)",
    "^[^a]",
    "^.",
    r"^\w",
    "^[[:alpha:]]",
    "(?i)^error",
    "^a{2,3}",
    "^é",
    "^ab?",
    "^a$",
    "^",
]


def records(lines: list[bytes], apart: bool) -> Records:
    """Lines in the piece; with `apart` every other one lies in the second buffer."""
    ends = np.cumsum([len(line) for line in lines], dtype=np.int64)
    starts = ends - np.array([len(line) for line in lines], np.int64)
    own = {row: line for row, line in enumerate(lines) if apart and row % 2}
    return Records.build(b"".join(lines), starts, ends, own)


@pytest.mark.parametrize("pattern", SIMPLE)
def test_places_with_sets_are_compared_for_all_lines_at_once(pattern: str) -> None:
    assert isinstance(opener(pattern), Prefix)


@pytest.mark.parametrize("pattern", OTHER)
def test_every_other_expression_is_left_to_the_linear_engine(pattern: str) -> None:
    """What the recogniser does not know for certain it must not guess."""
    assert isinstance(opener(pattern), Search)


LINE = st.one_of(
    st.text(st.sampled_from("0123456789abcdefgxERO -[]é~"), max_size=45),
    st.sampled_from(["0" * 40 + " - ", "2026-03", "ERROR x", "[x", "xa", "---", ""]),
).map(str.encode)


@pytest.mark.parametrize("pattern", SIMPLE)
@settings(max_examples=25, deadline=None)
@given(lines=st.lists(LINE, min_size=1, max_size=8), apart=st.booleans())
def test_the_comparison_finds_what_the_expression_finds(pattern: str, lines: list[bytes], apart: bool) -> None:
    texts = records(lines, apart)
    expected = Expression(pattern).found_in(texts).tolist()
    assert opener(pattern).mask(texts).tolist() == expected
    assert [opener(pattern).test(line) for line in lines] == expected


@pytest.mark.parametrize("pattern", ["(", r"(a)\1", "^[z-a]", "a{2000}", "(?=a)"])
def test_an_expression_that_cannot_run_in_linear_time_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="linear"):
        opener(pattern)
