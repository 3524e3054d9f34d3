"""A first look into files: what they begin with, and when."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

from pegel.formats import End
from pegel.pipeline.stage import SourceStage, chunk
from pegel.plan import SourcePlan
from pegel.seams import Clock, Files
from pegel.sources import Piece
from pegel.sources.content import Content, Packed, Plain
from pegel.sources.given import is_packed
from pegel.sources.inflate import DamagedError, Limits, UnreadyError
from pegel.table import Engine

_PACKERS = {b"\xfd7zXZ\0": "xz", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bzip2", b"PK\x03\x04": "zip"}
"""How files begin that are packed by something else than gzip."""

_SIZES = (2**16, 2**20)
"""Bytes that are looked at: few, and more where there was no record in them."""


@dataclass(frozen=True)
class Glance:
    """What the beginning of a file says.

    Attributes:
        size: Of the file as it lies there, in bytes.
        begins: Event time in us of its earliest record; None if no record was found.
        empty: There is nothing in it.
        problem: Why it cannot be read.
    """

    path: str
    size: int = 0
    begins: int | None = None
    empty: bool = False
    problem: str = ""


class _NoKeys:
    """Nothing is counted, so nobody asks for a key."""

    def get(self, metric: int, epoch: int) -> bytes:
        raise AssertionError(f"metric {metric} counts in epoch {epoch}")


class Glances:
    """Looks into files of one source."""

    def __init__(self, plan: SourcePlan, engine: Engine, files: Files, clock: Clock) -> None:
        self._plan = plan
        self._stage = SourceStage(plan, {}, _NoKeys())
        self._engine = engine
        self._files = files
        self._clock = clock

    def look(self, path: str) -> Glance:
        """Read the beginning of a file; raises nothing for what is in it."""
        try:
            size = self._files.stat(path).size
            for wanted in _SIZES:
                data, whole = self._beginning(path, wanted)
                if not data:
                    return Glance(path, size, empty=True)
                packer = next((name for magic, name in _PACKERS.items() if data.startswith(magic)), None)
                if packer is not None:
                    return Glance(path, size, problem=f"it is packed by {packer}; unpack it, or pack it with gzip")
                begins = self._earliest(path, data, whole=whole)
                if begins is not None or whole:
                    return Glance(path, size, begins)
        except (OSError, UnreadyError, DamagedError) as error:
            return Glance(path, problem=str(getattr(error, "strerror", None) or error))
        return Glance(path, size)

    def _beginning(self, path: str, wanted: int) -> tuple[bytes, bool]:
        packed = is_packed(self._files, path)
        file = self._files.open(path)
        content: Content = Packed(file, Limits()) if packed else Plain(file)
        try:
            data = io.BytesIO()
            while data.tell() < wanted:
                more = content.read(wanted - data.tell())
                if not more:
                    return data.getvalue(), True
                data.write(more)
            return data.getvalue(), False
        finally:
            content.close()

    def _earliest(self, path: str, data: bytes, *, whole: bool) -> int | None:
        piece = Piece("", path, 0, 0, data, End.FINAL if whole else End.MORE)
        frames = self._plan.format.split(piece.data, piece.end, "", ())
        if not frames.records:
            return None
        one = chunk(self._plan.name, piece, frames, (), round(self._clock.wall() * 1e6))
        with self._engine.batch() as batch:
            return self._stage.fold(batch, [one]).chunks[0].oldest


def in_order(glances: Sequence[Glance]) -> list[Glance]:
    """Oldest first; what does not say when it begins comes before the rest, where it holds nothing up."""
    return sorted(glances, key=lambda one: (one.begins is not None, one.begins or 0, one.path))
