"""Scenarios S34 to S43 of reading a log, where they are about framing, and the invariance under any division."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formats.streams import Read, read
from pegel.formats import End, Format
from pegel.formats.lines import Complete, Lines
from pegel.units import Size

CAP = 64
OPEN = "^[0-9]{2} - "
RECORD = '{id} - [{time}] "{request}" {status:int} "{agent}"'
HI = Complete(column="request", starts="HI ", ends=" WS/1.0")
FORMATS: dict[str, Format] = {
    "simple": Lines(template="{a} {b}", max_record=Size(CAP)),
    "typed": Lines(template="{a} {n:int}", max_record=Size(CAP)),
    "pattern": Lines(pattern="^(?P<a>[a-z0-9]+) (?P<b>.*)$", max_record=Size(CAP)),
    "next": Lines(template="{a} - {b}", record_start=OPEN, max_record=Size(CAP)),
    "next, glued": Lines(
        pattern="(?s)^(?P<a>..) - (?P<b>.*)", record_start="^[0-9]+ -", join=["+"], max_record=Size(CAP)
    ),
    "complete": Lines(
        template=RECORD, record_start=OPEN, until="complete", complete=[HI], join=["", " "], max_record=Size(CAP)
    ),
}  # fmt: skip
WORDS = Lines(template="{word}", max_record=Size(CAP))


def words(result: Read) -> list[str]:
    return [row[0] for row in result.rows]


def test_s34_half_a_line_is_not_counted_and_the_cursor_stays_at_its_start() -> None:
    result = read(WORDS, b"one\ntwo\nthr", last=End.MORE)
    assert words(result) == ["one", "two"]
    assert result.offset == 8


def test_s34_half_a_line_waits_even_when_the_stream_falls_silent() -> None:
    """A slow writer may be in the middle of it: silence says nothing about half a line."""
    result = read(WORDS, b"one\nthr", last=End.FLUSH)
    assert words(result) == ["one"]
    assert result.offset == 4


def test_s35_half_a_line_is_read_again_after_a_restart() -> None:
    frames = WORDS.split(b"one\ntw", End.MORE)
    result = read(WORDS, b"one\ntwo\n"[frames.consumed :])
    assert words(result) == ["two"]


def test_s36_the_last_line_of_a_finished_archive_needs_no_newline() -> None:
    result = read(WORDS, b"one\ntwo", last=End.FINAL)
    assert words(result) == ["one", "two"]
    assert result.offset == 7


def test_s37_a_line_split_over_a_rotation_is_joined() -> None:
    data = b'12 - [t] "GET /long" 200 "agent"\n'
    for seam in range(1, len(data)):
        for cuts in [(), (seam,), range(len(data))]:
            result = read(FORMATS["complete"], data, cuts, seams=[seam])
            assert [row[2] for row in result.rows] == ["GET /long"], (seam, cuts)
            assert not result.rejects


def test_s37_a_whole_line_without_newline_before_a_rotation_stands_by_itself() -> None:
    """The writer died before the newline; its next file begins with a record of its own."""
    first, second = b'12 - [t] "GET /a" 200 "x"', b'13 - [t] "GET /b" 200 "y"\n'
    for cuts in [(), range(80)]:
        result = read(FORMATS["complete"], first + second, cuts, seams=[len(first)])
        assert [row[2] for row in result.rows] == ["GET /a", "GET /b"]
        assert not result.rejects


def test_s37_a_torn_line_before_a_file_that_begins_anew_costs_only_itself() -> None:
    first, second = b'12 - [t] "GET', b'13 - [t] "GET /b" 200 "y"\n'
    for cuts in [(), range(80)]:
        result = read(FORMATS["complete"], first + second, cuts, seams=[len(first)])
        assert [row[2] for row in result.rows] == ["GET /b"]
        assert result.rejects == {"malformed": 1}


def test_s38_a_record_of_several_lines_is_joined_over_a_rotation() -> None:
    first, second = b'12 - [t] "HI gu\n', b'id token WS/1.0" 200 "x"\n'
    for cuts in [(), range(80)]:
        result = read(FORMATS["complete"], first + second, cuts, seams=[len(first)])
        assert [row[2] for row in result.rows] == ["HI guid token WS/1.0"]
        assert not result.rejects


def test_s38_the_cursor_is_the_start_of_the_unfinished_record() -> None:
    result = read(FORMATS["complete"], b'11 - [t] "G" 200 ""\n12 - [t] "HI gu\n', last=End.MORE)
    assert result.offset == 20


def test_s39_what_comes_after_a_flush_is_an_orphan_and_never_a_record() -> None:
    """The decision is part of the mark, so a restart in between changes nothing."""
    data = b'12 - [t] "HI gu\nid WS/1.0" 200 "x"\nmore\n13 - [t] "G" 200 ""\nstray\n'
    result = read(FORMATS["complete"], data, flush=[16])
    assert [row[2] for row in result.rows] == ["G"]
    assert result.rejects == {"malformed": 1, "orphan_fragment": 2, "foreign": 1}


def test_s39_a_record_that_may_be_longer_is_a_record_after_a_flush() -> None:
    data = b"12 - one\n  two\n  three\n13 - x\n"
    result = read(FORMATS["next"], data, flush=[15])
    assert result.rows == [("12", "one\n  two"), ("13", "x")]
    assert result.rejects == {"orphan_fragment": 1}


@pytest.mark.parametrize("size", [CAP, CAP + 1, 10 * CAP])
def test_s40_a_line_over_the_cap_is_skipped_and_counted_once(size: int) -> None:
    data = b"one\n" + b"x" * size + b"\ntwo\n"
    for cuts in [(), range(len(data)), (40, 41, 200)]:
        result = read(WORDS, data, cuts)
        assert words(result) == (["one", "two"] if size > CAP else ["one", "x" * size, "two"])
        assert result.rejects == ({"too_long": 1} if size > CAP else {})


def test_s40_memory_is_bounded_while_a_line_has_no_end() -> None:
    """What is held between pieces is one byte, however long the line grows."""
    held, mark, rejects = b"", "", 0
    for _ in range(100):
        piece = held + b"x" * 1000
        frames = WORDS.split(piece, End.MORE, mark)
        held, mark = piece[frames.consumed :], frames.mark
        rejects += sum(reject.count for reject in frames.rejects)
        assert len(held) == 1
    assert rejects == 1


def test_s41_a_hole_is_skipped_and_counted_once_however_long_it_is() -> None:
    data = b"one\n" + bytes(1000) + b"two\n"
    for cuts in [(), range(len(data)), (500,), (4, 1004)]:
        result = read(WORDS, data, cuts)
        assert words(result) == ["one", "two"]
        assert result.rejects == {"nul_hole": 1}


def test_s41_a_hole_is_used_up_as_it_is_read() -> None:
    frames = WORDS.split(bytes(5000), End.MORE)
    assert (frames.consumed, frames.records) == (5000, 0)


def test_s41_nothing_continues_across_a_hole() -> None:
    data = b'12 - [t] "HI gu\n' + bytes(9) + b'id WS/1.0" 200 "x"\n'
    for cuts in [(), range(len(data))]:
        result = read(FORMATS["complete"], data, cuts)
        assert not result.rows
        assert result.rejects == {"malformed": 1, "nul_hole": 1, "orphan_fragment": 1}


def test_s41_a_file_that_begins_with_a_hole_does_not_continue_a_line() -> None:
    first, second = b'12 - [t] "GE', b'\0\0\0T" 200 ""\n13 - [t] "G" 200 ""\n'
    for cuts in [(), range(60)]:
        result = read(FORMATS["complete"], first + second, cuts, seams=[len(first)])
        assert [row[2] for row in result.rows] == ["G"]
        assert result.rejects == {"malformed": 1, "nul_hole": 1, "orphan_fragment": 1}


def test_s41_half_a_line_behind_a_hole_belongs_to_no_record() -> None:
    result = read(FORMATS["next"], b"12 - a\n\0\0bc\n", seams=[10])
    assert result.rejects == {"nul_hole": 1, "orphan_fragment": 1}


def test_s41_a_record_does_not_wait_behind_a_hole() -> None:
    """A hole may be gigabytes: what it ends is settled, so that it can be used up."""
    piece = b'12 - [t] "HI gu\n' + bytes(100)
    assert FORMATS["complete"].split(piece, End.MORE).consumed == len(piece)


def test_s42_nul_bytes_within_a_line_are_left_out() -> None:
    result = read(WORDS, b"a\0\0b\0c\n\n")
    assert words(result) == ["abc"]
    assert result.rejects == {"nul_hole": 2}


def test_s42_dirt_is_replaced_or_dropped_and_no_record_is_lost() -> None:
    """Splitting by anything but the newline (`splitlines` has nine more) would make two records of one."""
    data = (
        b"\xef\xbb\xbfbom\ncr\r\nlone\rcr\n\xff\xfebad\n" + "sep\u2028\u0085\x0b\x0cend\n".encode() + b"cut\xe2\x82\n"
    )
    assert words(read(WORDS, data)) == [
        "bom",
        "cr",
        "lone\rcr",
        "\ufffd\ufffdbad",
        "sep\u2028\u0085\x0b\x0cend",
        "cut\ufffd",
    ]


@pytest.mark.parametrize("data", [b"", b"\n\n\n", b"\r\n", b"\n\r\n\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"])
@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
def test_s43_an_empty_file_has_no_record_and_no_error(form: Format, data: bytes) -> None:
    result = read(form, data)
    assert not result.rows
    assert not result.rejects


DIRT = st.sampled_from(
    [
        b"12 - ", b"13 - [t] ", b'"HI g', b' WS/1.0"', b' 200 "x"', b'"GET" 404 ""', b"a 1", b"\n", b"\n", b"\r\n",
        b"\0", b"\0\0\0", b"\xef\xbb\xbf", b"\xff", "é".encode(), b"\xc3", b"x" * 40, b"x" * 70, b'"', b" ", b"\n\n",
        b'12 - [t] "G" 200 "y"\n', b'14 - [t] "HI\ng WS/1.0" 1 ""\n', b"word 12\n", b"\r", b"\n12 - two\n  more\n",
    ]
)  # fmt: skip
STREAM = st.lists(DIRT, max_size=14).map(b"".join)


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
@settings(max_examples=40, deadline=None)
@given(data=STREAM, source=st.data())
def test_any_division_into_pieces_gives_the_same_records_and_rejects(
    form: Format, data: bytes, source: st.DataObject
) -> None:
    """Where a read ends is chance; if it mattered, a crash would change the numbers."""
    places = st.integers(0, len(data))
    seams = source.draw(st.lists(places, max_size=3, unique=True).map(sorted))
    flush = source.draw(st.lists(places, max_size=1))
    cuts = source.draw(st.one_of(st.lists(places, max_size=6), st.just(list(range(len(data))))))
    once = read(form, data, seams=seams, flush=flush)
    again = read(form, data, cuts, seams=seams, flush=flush)
    assert again.rows == once.rows
    assert again.rejects == once.rejects
    assert again.offset == once.offset == len(data)


@pytest.mark.parametrize(
    ("data", "seams", "flush", "cuts"),
    [
        (b"\0\0\0\xc3x", [1], [], [2]),
        (b" \r\n\0\0\0\0\0\0", [4, 8], [8], range(9)),
        (b"\0\0\0\xef\xbb\xbf", [2, 4], [], [5]),
        (b"\xff12 - a 1", [1, 6, 8], [], range(9)),
        (b'13 - [t]  WS/1.0"\xef\xbb\xbf', [18], [], range(20)),
        (b"\x0013 - [t] \x00\n12 - two\n  more\n", [3, 13], [20], [8, 18, 21]),
        (b"12 -\r\n\0\0\0" + b"x" * 62 + b" y" + b"z" * 20, [73], [], range(95)),
    ],
)
def test_divisions_that_once_mattered(data: bytes, seams: list[int], flush: list[int], cuts: Sequence[int]) -> None:
    """Found by random search: holes that cross files, characters cut by a seam, seams close to each other."""
    for form in FORMATS.values():
        once, again = read(form, data, seams=seams, flush=flush), read(form, data, cuts, seams=seams, flush=flush)
        assert (again.rows, again.rejects) == (once.rows, once.rejects)


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
@settings(max_examples=40, deadline=None)
@given(data=st.binary(max_size=300), mark=st.text(max_size=8), end=st.sampled_from(End))
def test_no_bytes_and_no_mark_raise(form: Format, data: bytes, mark: str, end: End) -> None:
    frames = form.split(data, end, mark)
    assert 0 <= frames.consumed <= len(data)
    if end is End.FINAL:
        assert frames.consumed == len(data)
