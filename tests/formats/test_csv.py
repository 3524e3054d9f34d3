from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formats.streams import read
from pegel.formats import End
from pegel.formats.csv import Csv, _Reader, _Separated
from pegel.units import Size

FORM = Csv(types={"a": "varchar", "n": "bigint"}, max_record=Size(64))
FLAT = Csv(types={"a": "varchar", "n": "bigint"}, header=False, max_record=Size(64))
SEMI = Csv(types={"a": "varchar", "name": "varchar"}, delimiter=";", quote="", null="-", max_record=Size(64))


def test_the_header_says_where_the_columns_are() -> None:
    result = read(FORM, b"n,other,a\n1,x,one\n2,y,two\n")
    assert result.rows == [("one", 1), ("two", 2)]
    assert not result.rejects


def test_the_header_is_remembered_between_pieces() -> None:
    """A cursor in the middle of a file is far from the line that explains it."""
    data = b"n,a\n1,one\n2,two\n"
    for cut in range(len(data)):
        assert read(FORM, data, [cut]).rows == [("one", 1), ("two", 2)]


def test_the_next_file_may_have_its_columns_in_another_order() -> None:
    first, second = b"n,a\n1,one", b"a,n\ntwo,2\n"
    for cuts in ((), range(30)):
        result = read(FORM, first + second, cuts, seams=[len(first)])
        assert result.rows == [("one", 1), ("two", 2)]
        assert not result.rejects


def test_lines_before_a_header_cannot_be_read() -> None:
    result = read(FORM, b"1,one\na,n\ntwo,2\n")
    assert result.rows == [("two", 2)]
    assert result.rejects == {"no_header": 1}


def test_without_a_header_the_columns_are_in_order() -> None:
    assert read(FLAT, b"one,1\na,n\n").rows == [("one", 1), ("a", None)]


@pytest.mark.parametrize(
    ("line", "row", "reason"),
    [
        ('"x,y",1', ("x,y", 1), None),
        ('"say ""hi""",1', ('say "hi"', 1), None),
        ('5" disk,1', ('5" disk', 1), None),
        ('"",""', ("", None), None),
        (",", ("", None), None),
        ("x,1.5e", ("x", None), None),
        (" x , 1", (" x ", 1), None),
        ("x", None, "ragged"),
        ("x,1,2", None, "ragged"),
        ('"x",1,', None, "ragged"),
        ('"x"y,1', None, "bad_quote"),
        ('"x,1', None, "bad_quote"),
        ('x,"1', None, "bad_quote"),
    ],
)
def test_each_rule_of_quoting(line: str, row: tuple[object, ...] | None, reason: str | None) -> None:
    result = read(FLAT, f"before,0\n{line}\nafter,9\n".encode())
    assert result.rows == [("before", 0), *([row] if row else []), ("after", 9)]
    assert result.rejects == ({reason: 1} if reason else {})


def test_separators_in_quotes_leave_a_line_plain() -> None:
    """Otherwise every line of an export that quotes everything would be read one by one."""
    frames = FLAT.split(b'"a,b",1\nc,"2"\n"say ""x""",3\n', End.MORE)
    separated = _Separated(frames.block.lines, frames.block.marks, _Reader(b",", b'"'))
    assert separated.plain(np.arange(3), 2).tolist() == [True, True, False]


def test_s40_a_line_over_the_cap_is_skipped() -> None:
    result = read(FLAT, b"x,1\n" + b"y" * 100 + b",2\nz,3\n", range(120))
    assert (result.rows, result.rejects) == ([("x", 1), ("z", 3)], {"too_long": 1})


def test_s43_a_file_with_only_a_header_has_no_record() -> None:
    result = read(FORM, b"a,n\r\n")
    assert not result.rows
    assert not result.rejects


PARTS = st.sampled_from(
    [
        "a",
        "n",
        "name",
        ",",
        ",",
        ";",
        '"',
        '"',
        '""',
        "1",
        "\n",
        "\n",
        "\r\n",
        " ",
        "é",
        "\0",
        "a,n\n",
        "n,x,a\n",
        "x,1\n",
        '"q,q",2\n',
        "a;name\n",
        "x;-\n",
        "y" * 60,
    ]
)
STREAM = st.lists(PARTS, max_size=16).map("".join).map(str.encode)


@pytest.mark.parametrize("form", [FORM, FLAT, SEMI], ids=["header", "no header", "semicolons"])
@settings(max_examples=60, deadline=None)
@given(data=STREAM, source=st.data())
def test_any_division_into_pieces_gives_the_same_records_and_rejects(
    form: Csv, data: bytes, source: st.DataObject
) -> None:
    places = st.integers(0, len(data))
    seams = source.draw(st.lists(places, max_size=2, unique=True).map(sorted))
    cuts = source.draw(st.one_of(st.lists(places, max_size=4), st.just(list(range(len(data))))))
    once, again = read(form, data, seams=seams), read(form, data, cuts, seams=seams)
    assert (again.rows, again.rejects, again.offset) == (once.rows, once.rejects, len(data))


FIELD = st.text(st.sampled_from('ab," é;'), max_size=6)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(FIELD, st.integers(-9, 9)), max_size=8), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
def test_what_a_writer_writes_is_read_back(rows: list[tuple[str, int]], quoting: int) -> None:
    """The oracle is the standard library's writer; quoted, plain and mixed lines in one block."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=quoting, lineterminator="\n")  # type: ignore[arg-type]
    writer.writerows(rows)
    assert read(FLAT, out.getvalue().encode()).rows == rows


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200), st.text(max_size=8), st.sampled_from(End))
def test_no_bytes_and_no_mark_raise(data: bytes, mark: str, end: End) -> None:
    for form in (FORM, FLAT, SEMI):
        frames = form.split(data, end, mark)
        assert 0 <= frames.consumed <= len(data)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"types": {}}, "empty"),
        ({"types": {"a": "varchar"}, "delimiter": ",,"}, "delimiter"),
        ({"types": {"a": "varchar"}, "delimiter": "é"}, "delimiter"),
        ({"types": {"a": "varchar"}, "quote": "\n"}, "quote"),
        ({"types": {"a": "varchar"}, "quote": ","}, "same"),
    ],
)
def test_options_that_contradict_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Csv(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"1,2,3", "it has 3 fields, not the number of 2"),
        (b'1,"2', "a quote is not closed before a separator"),
    ],
)
def test_a_text_that_is_no_record_says_why(text: bytes, why: str) -> None:
    form = Csv(types={"a": "bigint", "b": "bigint"}, header=False)
    assert form.why(text) == why
    assert form.text(form.split(text + b"\n", End.FINAL).block, 0) == text
