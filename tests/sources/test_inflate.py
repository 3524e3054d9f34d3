"""Bounded gunzip."""

from __future__ import annotations

import contextlib
import gzip
import os
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pegel.sources.inflate import DamagedError, Inflater, Limits, Trailer, UnreadyError, trailer

LIMITS = Limits()


def reader(data: bytes) -> Callable[[int, int], bytes]:
    return lambda size, offset: data[offset : offset + size]


def inflate(data: bytes, limits: Limits = LIMITS, size: int = 1000) -> bytes:
    inflater = Inflater(reader(data), limits)
    parts = []
    while part := inflater.read(size):
        assert len(part) <= size
        parts.append(part)
    return b"".join(parts)


@given(st.lists(st.binary(max_size=3000), min_size=1, max_size=4), st.integers(1, 5000))
def test_all_members_are_read_whatever_the_size_of_the_pieces(parts: list[bytes], size: int) -> None:
    """A reader that stops at the first member loses what pigz, rsyslog or `cat` put behind it."""
    assert inflate(b"".join(gzip.compress(part) for part in parts), size=size) == b"".join(parts)


@given(st.binary(min_size=1, max_size=2000), st.data())
def test_a_file_cut_anywhere_is_unready_and_never_whole(content: bytes, data: st.DataObject) -> None:
    packed = gzip.compress(content)
    cut = data.draw(st.integers(0, len(packed) - 1))
    with pytest.raises(UnreadyError):
        inflate(packed[:cut])


@given(st.binary(min_size=1, max_size=2000), st.data())
def test_a_changed_byte_behind_the_header_never_gives_other_content(content: bytes, data: st.DataObject) -> None:
    packed = bytearray(gzip.compress(content))
    place = data.draw(st.integers(10, len(packed) - 1))
    packed[place] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(DamagedError, UnreadyError):
        assert inflate(bytes(packed)) == content


@given(st.binary(max_size=500))
def test_bytes_that_are_not_gzip_never_raise_anything_else(data: bytes) -> None:
    with contextlib.suppress(DamagedError, UnreadyError):
        inflate(data)


def test_half_a_second_header_is_unready() -> None:
    with pytest.raises(UnreadyError):
        inflate(gzip.compress(b"a\n") + b"\x1f")


def test_padding_and_foreign_bytes_behind_the_last_member_are_ignored() -> None:
    assert inflate(gzip.compress(b"a\n") + b"\0" * 600_000) == b"a\n"
    assert inflate(gzip.compress(b"a\n") + b"garbage") == b"a\n"


def test_a_bomb_is_stopped_by_its_ratio() -> None:
    with pytest.raises(DamagedError, match="200 times"):
        inflate(gzip.compress(b"a" * 50_000_000), size=2**20)


def test_leading_zeros_of_a_sparse_file_are_not_a_bomb() -> None:
    """A copytruncated log of a writer without O_APPEND begins with a hole as long as the old file."""
    content = b"\0" * 20_000_000 + b"line\n"
    assert inflate(gzip.compress(content), size=2**20) == content


def test_output_and_members_have_limits() -> None:
    with pytest.raises(DamagedError, match="100 bytes"):
        inflate(gzip.compress(os.urandom(101)), Limits(max_bytes=100))
    with pytest.raises(DamagedError, match="3 gzip members"):
        inflate(gzip.compress(b"a") * 4, Limits(max_members=3))


def test_the_trailer_is_read_without_unpacking() -> None:
    packed = gzip.compress(b"hello\n")
    assert trailer(len(packed), reader(packed)) == Trailer(zlib.crc32(b"hello\n"), 6)
    assert trailer(5, reader(packed[:5])) is None
    assert trailer(100, reader(b"x" * 100)) is None
