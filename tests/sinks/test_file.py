from __future__ import annotations

import os
import resource
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pegel.errors import Retryable
from pegel.sinks.file import File
from sinks.hostile import point


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "points.ndjson"


@pytest.fixture
def sink(path: Path) -> Iterator[File]:
    sink = File(path=path)
    sink.open()
    yield sink
    sink.close()


def test_points_are_appended(sink: File, path: Path) -> None:
    first, second = sink.encode([point()]), sink.encode([point(minute=1)])
    sink.send(first)
    sink.send(second)
    assert path.read_bytes() == first + second


def test_a_second_run_continues_the_file(sink: File, path: Path) -> None:
    sink.send(b"one\n")
    sink.close()
    again = File(path=path)
    again.open()
    again.send(b"two\n")
    again.close()
    assert path.read_bytes() == b"one\ntwo\n"


def test_a_line_that_a_crash_cut_off_is_removed(sink: File, path: Path) -> None:
    """The payload it belongs to was not acknowledged and comes again; half a line would spoil the first of it."""
    sink.close()
    path.write_bytes(b"one\ntw")
    sink.open()
    sink.send(b"two\n")
    assert path.read_bytes() == b"one\ntwo\n"


@settings(max_examples=30, deadline=None)
@given(whole=st.binary(max_size=50), torn=st.integers(0, 200_000))
def test_repair_keeps_whole_lines_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, whole: bytes, torn: int
) -> None:
    """Longer than a block of the search backwards, too."""
    path = tmp_path_factory.mktemp("torn") / "points"
    lines = whole[: whole.rfind(b"\n") + 1]
    path.write_bytes(lines + b"x" * torn)
    sink = File(path=path)
    sink.open()
    sink.close()
    assert path.read_bytes() == lines


def test_a_file_that_was_rotated_away_is_left_alone_and_a_new_one_begun(sink: File, path: Path) -> None:
    """logrotate renames; without noticing, every later point would end in the archive or in a deleted file."""
    sink.send(b"one\n")
    archive = path.rename(path.with_suffix(".1"))
    sink.send(b"two\n")
    path.unlink()
    sink.send(b"three\n")
    assert (archive.read_bytes(), path.read_bytes()) == (b"one\n", b"three\n")


def test_a_file_that_was_put_in_its_place_is_continued(sink: File, path: Path) -> None:
    """logrotate with `create` leaves an empty file under the old name."""
    sink.send(b"one\n")
    archive = path.rename(path.with_suffix(".1"))
    path.touch()
    sink.send(b"two\n")
    assert (archive.read_bytes(), path.read_bytes()) == (b"one\n", b"two\n")


def test_a_file_that_was_emptied_in_place_goes_on_from_its_start(sink: File, path: Path) -> None:
    sink.send(b"one\n")
    os.truncate(path, 0)
    sink.send(b"two\n")
    assert path.read_bytes() == b"two\n"


@contextmanager
def disk_that_holds(size: int) -> Iterator[None]:
    """Writing past `size` bytes of any file fails half-way, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


def test_a_full_disk_is_retried_and_leaves_no_half_line(sink: File, path: Path) -> None:
    sink.send(b"one\n")
    with disk_that_holds(6), pytest.raises(Retryable, match=r"points.ndjson: File too large"):
        sink.send(b"two\n")
    assert path.read_bytes() == b"one\ntw"
    sink.send(b"two\n")
    assert path.read_bytes() == b"one\ntwo\n"


def test_a_missing_directory_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Retryable, match="its directory does not exist; create it"):
        File(path=tmp_path / "missing" / "points").open()


def test_a_device_or_pipe_is_refused_without_hanging(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Retryable, match="it is not a regular file"):
        File(path=tmp_path / "pipe").open()


def test_a_second_writer_is_refused(sink: File, path: Path) -> None:
    """It would take the other's half-written line for one that a crash cut off."""
    sink.send(b"one\n")
    with pytest.raises(Retryable, match="another process writes to it"):
        File(path=path).open()


def test_a_snapshot_replaces_the_one_before(tmp_path: Path) -> None:
    sink = File(path=tmp_path / "pegel.prom", format="prometheus")
    assert sink.view
    sink.open()
    sink.send(sink.encode([point(value=1)]))
    sink.send(sink.encode([point(value=2)]))
    assert sink.path.read_text().endswith('{server="st-01"} 2\n')
    assert [each.name for each in tmp_path.iterdir()] == ["pegel.prom"]


def test_a_snapshot_that_did_not_fit_leaves_the_one_before(tmp_path: Path) -> None:
    """A collector that reads now must find all series, not the first half."""
    sink = File(path=tmp_path / "pegel.prom", format="prometheus")
    sink.send(b"old\n")
    with disk_that_holds(2), pytest.raises(Retryable):
        sink.send(b"newer\n")
    assert sink.path.read_bytes() == b"old\n"
    sink.send(b"newest\n")
    assert sink.path.read_bytes() == b"newest\n"


def test_a_snapshot_can_be_read_by_a_collector_of_another_user(tmp_path: Path) -> None:
    sink = File(path=tmp_path / "pegel.prom", format="prometheus")
    before = os.umask(0o022)
    sink.send(b"x 1\n")
    os.umask(before)
    assert stat.S_IMODE(sink.path.stat().st_mode) == 0o644
