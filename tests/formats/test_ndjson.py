from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formats.streams import read
from pegel.formats import End
from pegel.formats.ndjson import Ndjson
from pegel.units import Size

FORM = Ndjson(
    types={"text": "varchar", "n": "bigint", "x": "double", "yes": "boolean", "deep": "bigint"},
    paths={"deep": "response.inner.status"},
    max_record=Size(200),
)


@pytest.mark.parametrize(
    ("line", "row"),
    [
        (
            '{"text": "a", "n": 1, "x": 1.5, "yes": true, "response": {"inner": {"status": 200}}}',
            ("a", 1, 1.5, True, 200),
        ),
        ("{}", (None, None, None, None, None)),
        (' \t{"n": 1} ', (None, 1, None, None, None)),
        ('{"n": null, "text": null, "response": null}', (None, None, None, None, None)),
        ('{"n": "12", "text": 5, "x": "1e3"}', ("5", 12, 1000.0, None, None)),
        ('{"n": "x", "x": {}, "yes": [], "response": 5}', (None, None, None, None, None)),
        ('{"text": {"a": [1]}}', ('{"a":[1]}', None, None, None, None)),
        ('{"n": 1, "n": 2}', (None, 1, None, None, None)),
        ('{"n": 123456789012345678901234567890}', (None, None, None, None, None)),
        ('{"x": 1e999}', (None, None, None, None, None)),
        ('{"x": NaN}', (None, None, None, None, None)),
        ('{"x": -Infinity, "n": 3}', (None, 3, None, None, None)),
        ('{"text": "\\ud83d\\ude00 \u00e9"}', ("\U0001f600 \u00e9", None, None, None, None)),
    ],
)
def test_a_value_is_of_its_type_or_null(line: str, row: tuple[object, ...]) -> None:
    result = read(FORM, line.encode())
    assert result.rows == [row]
    assert not result.rejects


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "not_json"),
        ('{"n": 1', "not_json"),
        ("text", "not_json"),
        ('{"n": 1} {"n": 2}', "not_json"),
        ('{"text": "\\ud800"}', "not_json"),
        ("[1]", "not_object"),
        ('[{"n": 1}]', "not_object"),
        ("null", "not_object"),
        ("5", "not_object"),
        ('"text"', "not_object"),
    ],
)
def test_a_line_that_is_no_object_is_a_reject_and_not_a_row_of_nulls(line: str, reason: str) -> None:
    """An all-NULL row would be counted as a request."""
    result = read(FORM, f'{{"n": 1}}\n{line}\n{{"n": 2}}\n'.encode())
    assert [row[1] for row in result.rows] == [1, 2]
    assert result.rejects == {reason: 1}


@pytest.mark.parametrize("blank", ["", " ", "\t \t", "\r", "  \r"])
def test_a_blank_line_is_nothing(blank: str) -> None:
    result = read(FORM, f'{{"n": 1}}\n{blank}\n {{"n": 2}}\n{blank}\n'.encode())
    assert [row[1] for row in result.rows] == [1, 2]
    assert not result.rejects


def test_deep_nesting_is_harmless() -> None:
    form = Ndjson(types={"a": "varchar", "n": "bigint"}, max_record=Size(2**20))
    deep = b'{"n": 1, "b": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n" + b'{"a":' * 100_000 + b"\n"
    result = read(form, deep)
    assert result.rows == [(None, 1)]
    assert result.rejects == {"not_json": 1}


def test_only_needed_values_are_read() -> None:
    result = read(Ndjson(types={"n": "bigint"}), b'{"n": 1, "n2": [}\n{"n": 2}\n')
    assert (result.rows, result.rejects) == ([(2,)], {"not_json": 1})


def test_s40_a_line_over_the_cap_is_skipped() -> None:
    result = read(FORM, b'{"n": 1}\n{"text": "' + b"x" * 300 + b'"}\n{"n": 2}\n', range(340))
    assert [row[1] for row in result.rows] == [1, 2]
    assert result.rejects == {"too_long": 1}


def test_s37_an_object_split_over_a_rotation_is_joined_and_a_whole_one_stands() -> None:
    first, second = b'{"n": 1}', b'{"n": 2}\n'
    for seam in range(1, len(second) - 1):
        assert [row[1] for row in read(FORM, second, seams=[seam]).rows] == [2]
    for cuts in ((), range(20)):
        assert [row[1] for row in read(FORM, first + second, cuts, seams=[len(first)]).rows] == [1, 2]
        torn = read(FORM, first[:5] + second, cuts, seams=[5])
        assert ([row[1] for row in torn.rows], torn.rejects) == ([2], {"not_json": 1})


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(
            st.sampled_from(["text", "n", "x", "yes", "response", "inner", "status", "N"]), inner, max_size=4
        ),
    ),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.one_of(JSON.map(json.dumps).map(str.encode), st.binary(max_size=20)), max_size=6), st.sampled_from(End)
)
def test_every_line_is_a_row_or_a_reject_and_nothing_raises(lines: list[bytes], end: End) -> None:
    data = b"".join(line.replace(b"\n", b"").replace(b"\0", b"") + b"\n" for line in lines)
    wanted = sum(1 for line in data.split(b"\n") if line.removeprefix(b"\xef\xbb\xbf").strip(b" \t\r"))
    result = read(FORM, data, last=end)
    assert len(result.rows) + sum(result.rejects.values()) == wanted


@pytest.mark.parametrize(
    ("types", "paths", "message"),
    [
        ({}, {}, "empty"),
        ({"a": "text"}, {}, "not a type"),
        ({"_a": "varchar"}, {}, "begin"),
        ({"a": "varchar", "A": "varchar"}, {}, "twice"),
        ({"a": "varchar"}, {"b": "c"}, "not one of"),
        ({"a": "varchar", "b": "varchar"}, {"b": "a.c"}, "below"),
        ({"a": "varchar", "b": "varchar"}, {"b": "a"}, "two columns"),
        ({"b": "varchar", "a": "varchar"}, {"b": "a.c"}, "two columns"),
    ],
)
def test_options_that_contradict_are_refused(types: dict[str, str], paths: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Ndjson(types=types, paths=paths)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b'{"a": 1,}', "it is not JSON at character 8: "),
        (b"[1]", "it is JSON, but no object"),
        (b"\xff", "it is not JSON at character 0: "),
    ],
)
def test_a_text_that_is_no_record_says_why(text: bytes, why: str) -> None:
    form = Ndjson(types={"a": "bigint"})
    assert form.why(text).startswith(why)
    assert form.text(form.split(text + b"\n", End.FINAL).block, 0) == text.decode("utf-8", "replace").encode()
