"""Checksums, checkpoints and what is stored of a stream."""

from __future__ import annotations

import itertools
import json
import zlib

from hypothesis import given
from hypothesis import strategies as st

from pegel.seams import FileStat
from pegel.sources import Position
from pegel.sources.identity import EDGE, Checkpoint, FileKey, Stream, crc_of, crc_of_zeros


def consumed(*parts: bytes) -> Stream:
    stream = Stream("log#1", 1)
    for part in parts:
        stream.take(stream.offset, memoryview(part))
    return stream


@given(st.binary(max_size=50), st.integers(0, 100_000))
def test_the_checksum_of_a_hole_is_that_of_its_zeros(before: bytes, zeros: int) -> None:
    """Gigabytes of hole must cost nothing and still equal what gzip wrote into its trailer."""
    assert crc_of_zeros(zeros, crc_of(before)) == zlib.crc32(before + bytes(zeros))


def test_the_checksum_of_a_huge_hole_is_quick() -> None:
    one = crc_of_zeros(2**40)
    assert crc_of_zeros(2**40, one) == crc_of_zeros(2**41)


@given(st.lists(st.binary(min_size=1, max_size=3000), min_size=1, max_size=8))
def test_identity_does_not_depend_on_the_pieces(parts: list[bytes]) -> None:
    whole = b"".join(parts)
    stream, once = consumed(*parts), consumed(whole)
    assert (stream.offset, stream.crc, stream.tail) == (len(whole), zlib.crc32(whole), whole[-EDGE:])
    assert stream.head == once.head == Checkpoint(min(EDGE, len(whole)), zlib.crc32(whole[:EDGE]))


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=60))
def test_checkpoints_are_true_few_and_never_close(sizes: list[int]) -> None:
    """Two checksums of neighbouring places would give away the bytes between them."""
    parts = [bytes([number % 251]) * size for number, size in enumerate(sizes)]
    whole, stream = b"".join(parts), consumed(*parts)
    offsets = [point.offset for point in stream.checkpoints]
    assert all(point.crc == zlib.crc32(whole[: point.offset]) for point in stream.checkpoints)
    assert len(offsets) <= 12
    assert offsets[-1] == stream.offset
    assert all(b - a >= 64 for a, b in itertools.pairwise(offsets))


def test_a_checkpoint_lies_shortly_before_the_end_of_any_piece() -> None:
    """A copy that was made a line too early is recognised by the last checkpoint that it covers."""
    stream = consumed(b"x" * 100_000)
    assert stream.best_checkpoint(99_800).offset > 99_000
    assert stream.best_checkpoint(10) == Checkpoint(0, 0)


def test_a_gap_counts_as_zeros() -> None:
    stream = Stream("log#1", 1)
    stream.take(5000, memoryview(b"abc\n"))
    assert (stream.offset, stream.crc) == (5004, zlib.crc32(bytes(5000) + b"abc\n"))
    assert stream.head == Checkpoint(EDGE, zlib.crc32(bytes(EDGE)))


def test_what_is_stored_restores_the_stream_and_holds_no_text() -> None:
    text = b"198.51.100.7 secret\n" * 30
    stream = consumed(text)
    stream.found_in("/var/log/app.log", FileKey(1, 2, 3, 4, 5))
    stream.copied_as(Checkpoint(20, 9))
    position = stream.position("/var/log/app.log", "mark")
    stored = json.dumps(position.cursor)
    assert "secret" not in stored
    assert len(stored) < 1500
    again = Stream.restored(Position(position.stream, position.order, position.offset, json.loads(stored)))
    assert again.position("/var/log/app.log", "mark") == position
    assert again.tail_fits(lambda size, offset: text[offset : offset + size])
    assert not again.tail_fits(lambda size, offset: (b"x" + text)[offset : offset + size])


def test_a_finished_stream_is_its_length_and_checksum() -> None:
    stream = consumed(b"a\n")
    stream.end = Checkpoint(4, zlib.crc32(b"a\n\0\0"))
    stream.close()
    assert (stream.offset, stream.crc) == stream.end
    again = Stream.restored(stream.position("p", ""))
    assert again.contents == stream.contents == [stream.end]


def test_a_file_has_one_name_and_few_are_kept() -> None:
    stream = Stream("log#1", 1)
    assert stream.found_in("a", FileKey(1, 7, 10, 0, 0))
    assert not stream.found_in("a", FileKey(1, 7, 10, 0, 0))
    assert stream.found_in("a.1", FileKey(1, 7, 10, 0, 0))
    assert list(stream.files) == ["a.1"]
    for number in range(9):
        stream.found_in(f"x{number}", FileKey(1, number + 100, 0, 0, 0))
    assert len(stream.files) == 4


def test_birth_times_tell_a_reused_inode_where_they_are_known() -> None:
    key = FileKey(1, 2, 3, 4, 100)
    assert key.same_file(FileStat(1, 2, 9, 9, 100))
    assert key.same_file(FileStat(1, 2, 9, 9, 0))
    assert not key.same_file(FileStat(1, 2, 9, 9, 101))
    assert not key.same_file(FileStat(2, 2, 9, 9, 100))
