"""The simulated world must behave like the real one, or what is proved in it says nothing."""

from __future__ import annotations

import errno
import gzip
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pegel.seams import Files, OpenFile, SystemFiles
from simulation.world import BLOCK, SimClock, SimFiles, pack

LOG = "/var/log/a.log"


@pytest.fixture
def files() -> SimFiles:
    return SimFiles(SimClock())


def content(files: Files, path: str) -> bytes:
    handle: OpenFile = files.open(path)
    try:
        return handle.pread(1 << 20, 0)
    finally:
        handle.close()


def test_an_unlinked_file_stays_readable_and_keeps_its_number(files: SimFiles) -> None:
    files.create(LOG, b"old\n")
    handle = files.open(LOG)
    files.unlink(LOG)
    files.create(LOG, b"new\n")
    assert handle.pread(10, 0) == b"old\n"
    assert handle.stat().ino != files.stat(LOG).ino


def test_the_lowest_free_inode_number_is_used_again(files: SimFiles) -> None:
    """Measured on ext4: six of six times; a reader that trusts numbers alone reads the wrong file."""
    files.create(LOG, b"old\n")
    number = files.stat(LOG).ino
    files.create("/var/log/b.log")
    files.unlink(LOG)
    files.create(LOG, b"new\n")
    assert files.stat(LOG).ino == number


def test_a_writer_follows_its_file_through_a_rename(files: SimFiles) -> None:
    writer = files.writer(LOG)
    writer.write(b"1\n")
    files.rename(LOG, LOG + ".1")
    files.create(LOG)
    writer.write(b"2\n")
    assert files.read(LOG + ".1") == b"1\n2\n"
    assert files.read(LOG) == b""


def test_a_writer_without_append_leaves_a_hole_after_truncation(files: SimFiles) -> None:
    writer = files.writer(LOG, append=False)
    writer.write(b"x" * (3 * BLOCK))
    files.truncate(LOG)
    writer.write(b"after\n")
    handle = files.open(LOG)
    assert handle.stat().size == 3 * BLOCK + 6
    assert handle.pread(4, 0) == b"\0\0\0\0"
    assert handle.next_data(0) == 3 * BLOCK
    assert handle.next_data(3 * BLOCK + 6) == 3 * BLOCK + 6


def test_a_hole_of_gigabytes_costs_nothing(files: SimFiles) -> None:
    files.create(LOG)
    files.truncate(LOG, 8 << 30)
    files.append(LOG, b"end\n")
    handle = files.open(LOG)
    assert handle.pread(100, (8 << 30) - 2) == b"\0\0end\n"
    assert handle.next_data(5) == 8 << 30


def test_gzip_is_visible_half_written_and_complete_at_the_end(files: SimFiles) -> None:
    text = bytes(range(256)) * 40
    files.create(LOG + ".1", text)
    steps = files.gzip(LOG + ".1", LOG + ".1.gz", slice_size=100)
    for _ in range(5):
        next(steps)
    with pytest.raises(EOFError):
        gzip.decompress(files.read(LOG + ".1.gz"))
    assert files.exists(LOG + ".1")
    assert list(steps)
    assert gzip.decompress(files.read(LOG + ".1.gz")) == text
    assert not files.exists(LOG + ".1")


def test_a_hidden_gzip_shows_its_final_name_only_when_complete(files: SimFiles) -> None:
    files.create(LOG + ".1", b"text\n")
    for _ in files.gzip(LOG + ".1", LOG + ".1.gz", hidden=True, slice_size=3):
        assert not files.exists(LOG + ".1.gz")
    assert gzip.decompress(files.read(LOG + ".1.gz")) == b"text\n"


def test_gzip_misses_what_is_written_after_it_read_the_source(files: SimFiles) -> None:
    writer = files.writer(LOG + ".1")
    writer.write(b"1\n")
    steps = files.gzip(LOG + ".1", LOG + ".1.gz")
    next(steps)
    handle = files.open(LOG + ".1")
    writer.write(b"2\n")
    list(steps)
    assert gzip.decompress(files.read(LOG + ".1.gz")) == b"1\n"
    assert handle.pread(10, 0) == b"1\n2\n"


def test_members_are_concatenated(files: SimFiles) -> None:
    files.create("/a.gz", pack(b"one\n", b"two\n"))
    assert gzip.decompress(files.read("/a.gz")) == b"one\ntwo\n"
    assert zlib.decompressobj(31).decompress(files.read("/a.gz")) == b"one\n"


def test_faults_come_and_go(files: SimFiles) -> None:
    files.create(LOG, b"x")
    handle = files.open(LOG)
    files.deny(LOG)
    with pytest.raises(PermissionError):
        files.open(LOG)
    assert handle.pread(1, 0) == b"x"
    files.heal()
    files.break_reads(LOG)
    with pytest.raises(OSError, match="Input/output") as caught:
        handle.pread(1, 0)
    assert caught.value.errno == errno.EIO
    files.heal()
    assert content(files, LOG) == b"x"


def test_links_lead_to_one_file(files: SimFiles) -> None:
    files.create("/data/a.log", b"x")
    files.symlink("/data", "/var/log")
    files.symlink("a.log", "/data/current")
    assert files.resolve("/var/log/current") == "/data/a.log"
    files.link("/data/a.log", "/data/b.log")
    assert files.stat("/var/log/current") == files.stat("/data/b.log")
    files.symlink("loop", "/loop")
    with pytest.raises(OSError, match="symbolic links"):
        files.resolve("/loop")


def test_a_killed_reader_has_nothing_open_and_numbers_are_free_again(files: SimFiles) -> None:
    files.create(LOG)
    number = files.stat(LOG).ino
    handle = files.open(LOG)
    files.unlink(LOG)
    files.kill_reader()
    files.create(LOG)
    assert (files.open_handles, files.stat(LOG).ino) == (0, number)
    with pytest.raises(OSError, match="Bad file"):
        handle.pread(1, 0)


def test_names_match_like_a_shell_does(files: SimFiles, tmp_path: Path) -> None:
    """Rotated names are found by patterns: the simulation and the real glob must agree."""
    names = ["a.log", "a.log.1", "a.log.2.gz", ".a.log.3", "b.log", "a.log~"]
    for name in names:
        files.create(f"{tmp_path}/{name}")
        (tmp_path / name).touch()
    for pattern in ("a.log*", "*.log", ".a*", "a.log.[0-9]", "?.log", "*"):
        assert files.glob(f"{tmp_path}/{pattern}") == SystemFiles().glob(f"{tmp_path}/{pattern}")


def test_the_birth_time_is_hidden_unless_asked_for() -> None:
    clock = SimClock()
    plain, told = SimFiles(clock), SimFiles(clock, births=True)
    for files in (plain, told):
        files.create(LOG)
    assert (plain.stat(LOG).birth_ns, told.stat(LOG).birth_ns) == (0, int(clock.wall() * 1e9))


def test_a_clock_that_is_set_back_does_not_move_timers() -> None:
    clock = SimClock(wall=100.0, monotonic=5.0)
    clock.step(-50)
    clock.advance(1)
    assert (clock.wall(), clock.monotonic()) == (51.0, 6.0)


@given(st.lists(st.tuples(st.integers(0, 3 * BLOCK), st.binary(max_size=40), st.booleans()), max_size=12))
def test_writing_anywhere_gives_the_bytes_of_a_plain_file(steps: list[tuple[int, bytes, bool]]) -> None:
    files, plain = SimFiles(SimClock()), bytearray()
    files.create(LOG)
    inode_writer = files.open(LOG)
    for offset, data, cut in steps:
        if cut:
            files.truncate(LOG, offset)
            plain[offset:] = b""
            plain.extend(bytes(offset - len(plain)))
        elif data:
            files._names[LOG].write(data, offset)
            plain.extend(bytes(max(0, offset - len(plain))))
            plain[offset : offset + len(data)] = data
    assert inode_writer.pread(len(plain) + 10, 0) == bytes(plain)
    assert inode_writer.pread(7, 5) == bytes(plain[5:12])
