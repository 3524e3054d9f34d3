"""Standard input as a source, over real pipes."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator

import pytest

from pegel.errors import SourceError
from pegel.formats import End
from pegel.seams import SystemFiles
from pegel.sources import Position, World
from pegel.sources.stdin import Stdin
from simulation.world import SimClock


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for fd in ends:
        with contextlib.suppress(OSError):  # the test may have closed it itself
            os.close(fd)


def opened(fd: int, clock: SimClock | None = None, positions: tuple[Position, ...] = (), **options: int) -> Stdin:
    source = Stdin(fd=fd, **options)  # type: ignore[arg-type]
    source.open(World(clock or SimClock(), SystemFiles(), threading.Event()), positions)
    return source


def test_an_empty_pipe_is_not_waited_for(pipe: tuple[int, int]) -> None:
    source = opened(pipe[0])
    assert source.poll() is None
    assert not source.exhausted()


def test_what_was_not_consumed_is_offered_again_in_front_of_new_bytes(pipe: tuple[int, int]) -> None:
    source = opened(pipe[0])
    os.write(pipe[1], b"a\nb")
    piece = source.poll()
    assert piece is not None
    assert (piece.data, piece.end, piece.offset) == (b"a\nb", End.MORE, 0)
    assert source.consume(piece, 2, "m")[-1].offset == 2
    assert source.poll() is None
    os.write(pipe[1], b"c\n")
    piece = source.poll()
    assert piece is not None
    assert (piece.data, piece.offset, piece.mark) == (b"bc\n", 2, "m")


def test_the_end_of_the_pipe_is_final(pipe: tuple[int, int]) -> None:
    """The last line of a pipe has often no newline; nobody will ever send one."""
    source = opened(pipe[0])
    os.write(pipe[1], b"last")
    os.close(pipe[1])
    piece = source.poll()
    assert piece is not None
    assert (piece.data, piece.end) == (b"last", End.FINAL)
    assert source.consume(piece, 4, "")[-1].done
    assert source.exhausted()
    assert source.poll() is None
    assert source.status().state == "idle"


def test_silence_is_offered_once_as_a_flush(pipe: tuple[int, int]) -> None:
    clock = SimClock()
    source = opened(pipe[0], clock)
    os.write(pipe[1], b"a\n")
    piece = source.poll()
    assert piece is not None
    source.consume(piece, 0, "")
    clock.advance(4.9)
    assert source.poll() is None
    clock.advance(0.2)
    piece = source.poll()
    assert piece is not None
    assert (piece.data, piece.end) == (b"a\n", End.FLUSH)
    source.consume(piece, 0, "")
    assert source.poll() is None


def test_a_piece_is_bounded(pipe: tuple[int, int]) -> None:
    source = opened(pipe[0], piece_size=4)
    os.write(pipe[1], b"123456")
    piece = source.poll()
    assert piece is not None
    assert piece.data == b"1234"


def test_a_new_process_is_a_new_stream_and_the_old_one_is_forgotten(pipe: tuple[int, int]) -> None:
    """Nothing of an earlier pipe can be met again, so its row would stay for ever."""
    source = opened(pipe[0], positions=(Position("stdin#3", 3, 77),))
    os.write(pipe[1], b"a\n")
    piece = source.poll()
    assert piece is not None
    assert [(one.stream, one.forget) for one in source.consume(piece, 2, "")] == [("stdin#3", True), ("stdin#4", False)]
    assert source.consume(piece, 0, "")[0].stream == "stdin#4"


def test_a_descriptor_that_is_not_open_is_a_source_error(pipe: tuple[int, int]) -> None:
    source = opened(pipe[0])
    os.close(pipe[0])
    with pytest.raises(SourceError, match="descriptor"):
        source.poll()


def test_a_regular_file_works_as_a_pipe(tmp_path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "log").write_bytes(b"a\nb\n")
    with (tmp_path / "log").open("rb") as file:
        source = opened(file.fileno())
        piece = source.poll()
        assert piece is not None
        assert (piece.data, piece.end) == (b"a\nb\n", End.FINAL)
