"""Single stories of the file source that random runs have found, told by hand."""

from __future__ import annotations

import threading

import pytest

from pegel.errors import SourceError
from pegel.formats import End
from pegel.sources import World
from pegel.sources.file import File
from simulation.stage import LOG
from simulation.world import SimClock, SimFiles, pack


class Reading:
    """A file source in a simulated world whose framer takes whole lines."""

    def __init__(self) -> None:
        self.clock = SimClock()
        self.files = SimFiles(self.clock)
        self.source = File(path=LOG)
        self.lines: list[bytes] = []

    def open(self) -> None:
        self.source.open(World(self.clock, self.files, threading.Event()), [])

    def read(self, seconds: float = 0.0) -> None:
        """Poll until there is nothing more, then let time pass."""
        for _ in range(50):
            piece = self.source.poll()
            if piece is None:
                break
            end = len(piece.data) if piece.end is End.FINAL else piece.data.rfind(b"\n") + 1
            self.lines += piece.data[:end].splitlines()
            self.source.consume(piece, end, "")
        self.clock.advance(seconds)


@pytest.fixture
def reading() -> Reading:
    return Reading()


def test_a_renamed_file_that_grew_while_nobody_looked_is_read_to_its_end(reading: Reading) -> None:
    """Reading pauses while a sink's outbox is full: what the writer did meanwhile must not be taken for old."""
    writer = reading.files.writer(LOG)
    writer.write(b"1\n")
    reading.open()
    reading.read(2.0)
    reading.files.rename(LOG, f"{LOG}.1")
    reading.files.create(LOG)
    reading.read(2.0)
    writer.write(b"2\n")
    reading.files.append(LOG, b"3\n")
    reading.clock.advance(100.0)
    reading.read(10.0)
    reading.read()
    assert reading.lines == [b"1", b"2", b"3"]


def test_a_descriptor_that_fails_for_ever_is_given_up_and_the_file_opened_again(reading: Reading) -> None:
    """A stale handle of a network file system never heals; the file behind its name is well."""
    reading.files.create(LOG, b"1\n")
    reading.open()
    reading.read(2.0)
    reading.files.make_stale()
    reading.files.append(LOG, b"2\n")
    for _ in range(10):
        try:
            reading.read(2.0)
        except SourceError:
            reading.clock.advance(2.0)
    assert reading.lines == [b"1", b"2"]


def test_a_file_on_a_bad_block_is_left_when_its_copy_is_well(reading: Reading) -> None:
    """It was packed and removed while we could not read it: its archive has the rest."""
    writer = reading.files.writer(LOG)
    writer.write(b"1\n2\n")
    reading.open()
    reading.read(2.0)
    writer.write(b"3\n")
    reading.files.break_reads(LOG)
    reading.files.rename(LOG, f"{LOG}.1")
    reading.files.create(f"{LOG}.1.gz", pack(b"1\n2\n3\n"))
    reading.files.unlink(f"{LOG}.1")
    reading.files.create(LOG, b"4\n")
    for _ in range(20):
        try:
            reading.read(2.0)
        except SourceError:
            reading.clock.advance(2.0)
    assert reading.lines == [b"1", b"2", b"3", b"4"]
