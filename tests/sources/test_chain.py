"""Unconsumed bytes over several files."""

from __future__ import annotations

import zlib

from hypothesis import given
from hypothesis import strategies as st

from pegel.formats import End
from pegel.sources.chain import Chain
from pegel.sources.identity import Checkpoint, Stream


def test_a_line_over_three_files_is_one_piece_with_seams() -> None:
    chain, streams = Chain("p"), [Stream(f"p#{number}", number) for number in (1, 2, 3)]
    for stream, data in zip(streams, (b"a\nhalf", b" of it", b" all\n"), strict=True):
        chain.add(stream, 0, data)
    piece = chain.piece(streams[2], End.MORE)
    assert (piece.stream, piece.offset, piece.data) == ("p#1", 0, b"a\nhalf of it all\n")
    assert piece.seams == (6, 12)
    assert chain.consume(2, "") == [streams[0]]
    assert [stream.offset for stream in streams] == [2, 0, 0]
    assert chain.consume(15, "") == streams
    assert [stream.offset for stream in streams] == [6, 6, 5]
    assert len(chain) == 0


def test_a_stream_is_done_when_its_last_byte_is_consumed() -> None:
    chain, stream = Chain("p"), Stream("p#1", 1)
    chain.add(stream, 0, b"a\nb")
    stream.end = Checkpoint(3, zlib.crc32(b"a\nb"))
    chain.consume(2, "")
    assert not stream.done
    chain.consume(1, "")
    assert stream.done


def test_a_file_that_begins_is_a_seam_only_if_something_was_before_it() -> None:
    """A format with a header has to know that the next file begins, and that the first one does not."""
    first, second, chain = Stream("p#1", 1), Stream("p#2", 2), Chain("p")
    chain.add(first, 0, b"a\n")
    assert chain.piece(first, End.MORE).seams == ()
    chain.consume(2, "")
    chain.add(second, 0, b"b\n")
    assert chain.piece(second, End.MORE).seams == (0,)


def test_a_mark_that_changes_without_bytes_is_stored() -> None:
    chain, stream = Chain("p"), Stream("p#1", 1)
    chain.add(stream, 0, b"a\n")
    assert chain.consume(0, "flushed") == [stream]
    assert chain.piece(stream, End.MORE).mark == "flushed"
    assert chain.consume(0, "flushed") == []


@given(st.lists(st.tuples(st.integers(0, 2000), st.binary(min_size=1, max_size=300)), max_size=6), st.data())
def test_what_was_read_of_a_stream_is_known_to_the_byte(parts: list[tuple[int, bytes]], data: st.DataObject) -> None:
    """Holes count as zeros, consumed or not: the checksum must be the one that gzip would write."""
    chain, stream, content = Chain("p"), Stream("p#1", 1), b""
    for gap, text in parts:
        chain.add(stream, len(content) + gap, text)
        content += bytes(gap) + text
        chain.consume(data.draw(st.integers(0, len(chain))), "")
    assert chain.read_to(stream) == Checkpoint(len(content), zlib.crc32(content))
    length = data.draw(st.integers(0, len(content)))
    known = chain.read_before(stream, length)
    assert known.offset <= length
    assert known.crc == zlib.crc32(content[: known.offset])
    if length >= stream.offset:
        assert content[known.offset : length].strip(b"\0") == b""
