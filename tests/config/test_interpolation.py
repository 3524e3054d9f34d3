from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pegel.config.interpolation import UnsetVariable, expand


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("plain", "plain"),
        ("${A}", "1"),
        ("<${A}${A}>", "<11>"),
        ("${EMPTY}", ""),
        ("${EMPTY:-d}", "d"),
        ("${NONE:-d}", "d"),
        ("${NONE:-}", ""),
        ("${A:-d}", "1"),
        ("${A:-${NONE}}", "1"),
        ("${NONE:-${OTHER:-${A}}-x}", "1-x"),
        ("$${A}", "${A}"),
        ("$$$${A}", "$${A}"),
        ("^a$", "^a$"),
        ("$1 $A {A}", "$1 $A {A}"),
        ("${NONE:-a:-b}", "a:-b"),
        ("${NONE:-$$}", "$"),
    ],
)
def test_references_are_replaced_by_one_rule(template: str, text: str) -> None:
    assert expand(template, {"A": "1", "EMPTY": ""}).text == text


def test_a_value_is_not_expanded_again() -> None:
    """What comes from the environment is data; a second round would let it read other variables."""
    assert expand("${A}", {"A": "${B}", "B": "secret"}).text == "${B}"


@pytest.mark.parametrize(
    ("template", "position"),
    [("ab${NONE}", 2), ("${NONE:-${OTHER}}", 8), ("${", 0), ("x${1}", 1), ("${A", 0), ("${A:-x", 5), ("${A?x}", 0)],
)
def test_what_has_no_value_is_refused_at_its_place(template: str, position: int) -> None:
    """An unset name must never silently become an empty string: that was how tokens got lost."""
    with pytest.raises(UnsetVariable) as caught:
        expand(template, {"A": "1"})
    assert caught.value.position == position


@given(st.text())
def test_any_text_expands_or_is_refused(template: str) -> None:
    try:
        outcome = len(template) if expand(template, {"A": "1"}).text is not None else -1
    except UnsetVariable as error:
        outcome = error.position
    assert 0 <= outcome <= len(template)


@given(st.lists(st.sampled_from(["a", "$$", "${A}", "${B:-xy}", "é"]), max_size=8))
def test_a_character_is_traced_back_to_the_template(parts: list[str]) -> None:
    """An error in an expanded expression is shown where it stands in the file."""
    template = "".join(parts)
    expanded = expand(template, {"A": "longer"})
    for position, char in enumerate(expanded.text):
        origin = expanded.template_position(position)
        assert template[origin] in (char, "$")


def test_values_are_taken_out_of_messages() -> None:
    """A message may quote the value that is wrong, and that value may be a secret."""
    expanded = expand("${TOKEN}", {"TOKEN": "hunter2"})
    assert expanded.redact('"hunter2" is not a duration') == '"${TOKEN}" is not a duration'
