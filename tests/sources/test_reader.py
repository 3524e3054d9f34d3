"""Reading one file forward."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pegel.sources.content import Kept, Plain
from pegel.sources.identity import Stream
from pegel.sources.reader import Reader, ReplacedError
from simulation.world import SimClock, SimFiles
from sources.driving import LOG


def opened(content: bytes = b"") -> tuple[SimFiles, Reader]:
    files = SimFiles(SimClock())
    files.create(LOG, content)
    stream = Stream("p#1", 1)
    return files, Reader(stream, Plain(files.open(LOG)), LOG, archive=False, head=b"", tail=b"")


def test_growth_is_read_and_the_end_is_noticed() -> None:
    files, reader = opened(b"a\n")
    assert reader.read(100, 0.0) == (0, b"a\n")
    assert reader.read(100, 0.0) is None
    assert reader.at_end
    files.append(LOG, b"b\n")
    assert reader.read(100, 0.0) == (2, b"b\n")
    assert not reader.at_end


@pytest.mark.parametrize("content", [b"", b"x", b"xx\nyy\n", b"xx\nyy\nzz\n"])
def test_a_file_that_was_cut_and_written_again_is_noticed(content: bytes) -> None:
    """Shorter, equal or longer: the bytes before our place are no longer there."""
    files, reader = opened(b"aa\nbb\n")
    reader.read(100, 0.0)
    reader.read(100, 0.0)
    files.truncate(LOG)
    files._clock.advance(1.0)
    files.append(LOG, content)
    with pytest.raises(ReplacedError):
        reader.read(100, 0.0)
    assert not reader.is_intact()


def test_a_change_far_before_our_place_is_noticed_by_the_first_bytes() -> None:
    files, reader = opened(b"first\n" + b"same\n" * 1000)
    reader.read(10_000, 0.0)
    files.truncate(LOG)
    files.append(LOG, b"other\n" + b"same\n" * 1001)
    with pytest.raises(ReplacedError):
        reader.read(100, 0.0)


def test_a_hole_in_the_middle_is_left_out_and_its_place_counts() -> None:
    files, reader = opened(b"a\n")
    writer = files.writer(LOG, append=False)
    writer._position = 2**30
    writer.write(b"b\n")
    assert reader.read(100, 0.0) == (0, b"a\n" + bytes(98))
    assert reader.read(2**20, 0.0) == (2**30, b"b\n")
    assert reader.end == 2**30 + 2


def test_zeros_at_the_end_wait_for_what_is_written_over_them() -> None:
    """Some writers make their file long before they fill it."""
    files, reader = opened(bytes(100_000))
    assert reader.read(2**20, 0.0) is None
    files._clock.advance(1.0)
    writer = files.writer(LOG, append=False)
    writer.write(b"a\n")
    found = reader.read(2**20, 0.0)
    assert found is not None
    assert found[0] == 0
    assert found[1].rstrip(b"\0") == b"a\n"


@given(st.integers(1, 9000), st.integers(0, 9000), st.integers(1, 9000))
def test_packed_content_has_its_holes_left_out_too(first: int, hole: int, size: int) -> None:
    content = bytes(hole) + b"x" * first + bytes(5000) + b"y" * 10
    files = SimFiles(SimClock())
    files.create(LOG, b"packed")
    reader = Reader(Stream("p#1", 1), Kept(files.open(LOG), [content]), LOG, archive=True, head=b"", tail=b"")
    place, text = 0, b""
    while (found := reader.read(size, 0.0)) is not None:
        start, data = found
        assert content[start : start + len(data)] == data
        assert not content[place:start].strip(b"\0")
        place, text = start + len(data), text + data
    assert text.replace(b"\0", b"") == b"x" * first + b"y" * 10
    assert reader.end == len(content)


def test_an_archive_is_quiet_by_its_time_a_rotated_file_only_by_ours() -> None:
    files, reader = opened(b"a\n")
    reader.read(100, 50.0)
    wall = files._clock.wall()
    assert not reader.is_quiet(51.0, wall + 100, 5.0)
    assert reader.is_quiet(55.0, wall, 5.0)
    reader.archive = True
    assert reader.is_quiet(51.0, wall + 100, 5.0)
