"""Files that were named one by one: read in that order, recognised by what is in them."""

from __future__ import annotations

import errno
import gzip
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from doubles import FakeClock
from pegel.errors import SourceError
from pegel.formats import End
from pegel.seams import FileStat, OpenFile, SystemFile, SystemFiles
from pegel.sources import Position, World
from pegel.sources.given import Given
from simulation.world import SimClock, SimFiles


def read(source: Given, positions: Sequence[Position] = (), most: int = 10**9) -> tuple[bytes, list[Position]]:
    """What a source offers, all consumed, from positions; the bytes and the positions then."""
    source.open(World(FakeClock(), SystemFiles(), threading.Event()), positions)
    data, stored = b"", {one.stream: one for one in positions}
    for _ in range(1000):
        piece = source.poll()
        if piece is None:
            if source.exhausted():
                break
            continue
        take = min(len(piece.data), most - len(data))
        data += piece.data[:take]
        for position in source.consume(piece, take, ""):
            stored[position.stream] = position
        if len(data) >= most:
            break
    source.close()
    return data, list(stored.values())


def written(folder: Path, name: str, data: bytes) -> str:
    (folder / name).write_bytes(data)
    return str(folder / name)


def test_files_are_one_log_in_the_order_given(tmp_path: Path) -> None:
    """Also where a record begins in one and ends in the next, as rotation leaves it."""
    paths = [written(tmp_path, "z", b"a\nb"), written(tmp_path, "a.log", gzip.compress(b"c\n"))]
    data, positions = read(Given(paths=paths))
    assert data == b"a\nbc\n"
    assert all(one.done for one in positions)


@pytest.mark.parametrize("files", [[b"a\nb"], [b"a\nb", b"c\nd"], [b"b"]])
def test_the_last_record_of_all_needs_no_line_break(tmp_path: Path, files: Sequence[bytes]) -> None:
    """Nobody writes to these files any more: what is at their end is whole."""
    source = Given(paths=[written(tmp_path, f"{number}.log", data) for number, data in enumerate(files)])
    source.open(World(FakeClock(), SystemFiles(), threading.Event()), ())
    taken = b""
    while not source.exhausted():
        piece = source.poll()
        if piece is not None:
            whole = len(piece.data) if piece.end is End.FINAL else piece.data.rfind(b"\n") + 1
            taken += piece.data[:whole]
            source.consume(piece, whole, "")
    source.close()
    assert taken == b"".join(files)


@pytest.mark.parametrize("size", [3, 5000])
def test_a_packed_twin_counts_once(tmp_path: Path, size: int) -> None:
    data = b"x" * size + b"\n"
    paths = [written(tmp_path, "one", data), written(tmp_path, "copy-of.gz", gzip.compress(data))]
    assert read(Given(paths=paths))[0] == data


def test_it_goes_on_where_it_was_under_other_names(tmp_path: Path) -> None:
    """An interrupted back-fill, and logrotate in between."""
    lines = [f"{number:05}\n".encode() for number in range(4000)]
    paths = [written(tmp_path, "one", b"".join(lines[:2000])), written(tmp_path, "two", b"".join(lines[2000:]))]
    first, positions = read(Given(paths=paths, piece_size=1000), most=9000)
    packed = [written(tmp_path, Path(path).name + ".gz", gzip.compress(Path(path).read_bytes())) for path in paths]
    for path in paths:
        Path(path).unlink()
    rest, _ = read(Given(paths=packed), positions)
    assert first + rest == b"".join(lines)


def test_files_that_are_finished_are_not_missed_when_they_are_gone(tmp_path: Path) -> None:
    """Younger files come under the same name; the older ones need not be given again."""
    old = written(tmp_path, "old", b"a\n" * 1000)
    _, positions = read(Given(paths=[old]))
    source = Given(paths=[written(tmp_path, "new", b"b\n" * 10)])
    assert read(source, positions)[0] == b"b\n" * 10
    assert source.status().counts.get("lost_streams", 0) == 0


def test_the_watermark_waits_for_the_earliest_file_that_was_not_begun(tmp_path: Path) -> None:
    paths = [written(tmp_path, name, name.encode() * 10 + b"\n") for name in "abc"]
    source = Given(paths=paths, begins=dict(zip(paths, (1, 20, 10), strict=True)))
    source.open(World(FakeClock(), SystemFiles(), threading.Event()), ())
    bounds: dict[str, int | None] = {}
    for _ in range(100):
        piece = source.poll()
        if piece is not None and piece.data:
            bounds[piece.data.decode()[0]] = piece.bound
            source.consume(piece, len(piece.data), "")
    source.close()
    assert bounds == {"a": 10, "b": 10, "c": None}


def test_what_can_never_be_read_is_put_aside_by_name(tmp_path: Path) -> None:
    good = written(tmp_path, "good", b"a\n")
    broken = written(tmp_path, "broken.gz", gzip.compress(bytes(range(256)) * 100)[:-20])
    source = Given(paths=[broken, good])
    assert read(source)[0] == b"a\n"
    assert source.put_aside()[0].startswith(f"{broken}: ")
    assert source.status().counts["quarantined_archives"] == 1


def test_what_may_not_be_read_is_not_put_aside() -> None:
    """Somebody has to open the way to it, and then it counts like any other."""
    files = SimFiles(SimClock())
    files.create("/old/a", b"a\n")
    files.create("/old/b", b"b\n")
    files.forbid("/old/a")
    source = Given(paths=["/old/a", "/old/b"])
    source.open(World(FakeClock(), files, threading.Event()), ())
    with pytest.raises(SourceError, match="/old/a cannot be read: Permission denied"):
        source.poll()
    assert source.status().state == "failing"
    assert source.put_aside() == []
    source.close()


class GuardedFile(SystemFile):
    """A file that tells what it is asked by whoever is not its reader."""

    def __init__(self, path: str, closed: threading.Event) -> None:
        super().__init__(path)
        self._closed = closed

    def stat(self) -> FileStat:
        if self._closed.is_set():
            raise OSError(errno.EBADF, "closed by its reader a moment ago")
        return super().stat()


class GuardedFiles(SystemFiles):
    def __init__(self) -> None:
        self.closed = threading.Event()

    def open(self, path: str) -> OpenFile:
        return GuardedFile(self.resolve(path), self.closed)


def test_how_it_is_can_be_asked_while_its_files_are_closed(tmp_path: Path) -> None:
    """The turn asks from its own thread; a file that the reader has just closed is no error of a back-fill."""
    files = GuardedFiles()
    source = Given(paths=[written(tmp_path, name, name.encode() + b"\nb\n") for name in ("a", "c", "d")])
    source.open(World(FakeClock(), files, threading.Event()), ())
    while (piece := source.poll()) is not None:
        for _ in source.consume(piece, len(piece.data), ""):
            files.closed.set()
            assert source.status().state in ("reading", "idle")
            files.closed.clear()
    source.close()
