from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from config.documents import documents
from pegel.config.document import MAX_BYTES, read


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.binary(max_size=80), st.text(max_size=80).map(lambda text: text.encode("utf-8", "surrogatepass"))))
def test_any_bytes_give_a_tree_or_a_problem(data: Any) -> None:
    """A file from outside may hold anything; an exception would leave the operator without a place."""
    reading = read(data, "config.toml", {})
    assert (reading.root is None) is (reading.problem is not None)


@settings(max_examples=100, deadline=None)
@given(documents(), st.integers(0, 200), st.sampled_from(["", "[", "]", '"', "=", "\n", "{", "'''", "\\", "\r", "\0"]))
def test_a_damaged_document_gives_a_tree_or_a_problem(text: str, at: int, damage: str) -> None:
    """The edit that most people make is one character too many."""
    reading = read((text[:at] + damage + text[at:]).encode(), "config.toml", {})
    assert (reading.root is None) is (reading.problem is not None)


def test_syntax_is_refused_with_its_place() -> None:
    problem = read(b'[runner]\nstate = "x\n', "config.toml", {}).problem
    assert str(problem) == "config.toml:2:11  this is not TOML: illegal character '\\n'"


def test_text_that_is_not_utf_8_is_refused_with_its_place() -> None:
    problem = read(b'a = 1\nb = "M\xfcller"\n', "config.toml", {}).problem
    assert str(problem) == "config.toml:2:7  byte 0xfc is not UTF-8 text"


def test_a_byte_order_mark_is_no_mistake() -> None:
    """Editors on Windows write one."""
    root = read(b"\xef\xbb\xbfa = 1\n", "config.toml", {}).root
    assert root is not None
    assert root.plain() == {"a": 1}


def test_a_huge_file_is_refused_before_it_is_parsed() -> None:
    assert read(b"#" * (MAX_BYTES + 1), "config.toml", {}).problem is not None


def test_numbers_nested_keys_and_arrays_beyond_all_limits_are_refused() -> None:
    """Each of these makes the parser itself give up in another way."""
    for text in ("a = " + "1" * 5000, "a = " + "[" * 1000, ".".join("a" * 1200) + " = 1", "a = " + "{a=" * 500):
        assert read(text.encode(), "config.toml", {}).problem is not None


def test_a_place_inside_a_string_looks_through_references_and_escapes() -> None:
    """The caret of a wrong expression belongs under the wrong word, whatever stands before it."""
    root = read(b'a = "\\u00e9 ${NAME} bad"\n', "config.toml", {"NAME": "much longer"}).root
    assert root is not None
    node = root.table["a"]
    assert node.value == "é much longer bad"
    assert node.problem_inside(node.value.index("bad"), "x").column == 21
    assert node.problem_inside(node.value.index("longer"), "x").column == 13


def test_a_place_inside_a_multi_line_string_is_on_its_line() -> None:
    root = read(b"a = '''\ncase when x\n  then bad end'''\n", "config.toml", {}).root
    assert root is not None
    node = root.table["a"]
    problem = node.problem_inside(node.value.index("bad"), "unknown")
    assert (problem.line, problem.column) == (3, 8)
    assert problem.excerpt == "  then bad end'''\n       ^"


def test_tables_lie_over_each_other_key_by_key() -> None:
    """A user of a preset changes one option of a table without writing the others again."""
    base = read(b'a = { x = 1, y = 2 }\nb = [1]\nc = "keep"\n', "preset.toml", {}).root
    over = read(b"a.y = 3\nb = [2]\n", "config.toml", {}).root
    assert base is not None
    assert over is not None
    merged = base.under(over)
    assert merged.plain() == {"a": {"x": 1, "y": 3}, "b": [2], "c": "keep"}
    assert [merged.table[key].place.file for key in "abc"] == ["config.toml", "config.toml", "preset.toml"]
