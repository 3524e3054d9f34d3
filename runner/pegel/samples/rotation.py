"""A log file that rotates by size the way POCO's FileChannel does."""

from __future__ import annotations

import gzip
import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

Compression = Literal["in_place", "hidden", "none"]
"""How an archive becomes a `.gz`: grown under its final name (POCO up to 1.13), grown under a name that
begins with `.~` and renamed (from 1.14), or not at all."""


@dataclass(frozen=True, kw_only=True)
class Rotation:
    """When a log rotates and what becomes of its archives.

    Options:
        limit: Bytes; a file that has reached them is renamed before the next record is written.
        compression: What happens to an archive.
        keep: Newest archives that are kept; older ones are deleted. None keeps all.
    """

    limit: int = 10 * 2**20
    compression: Compression = "in_place"
    keep: int | None = None


class RotatingLog:
    """Append records to a file that rotates; a record is never split over two files.

    Archives are named `PATH.YYYYMMDDhhmmssiii` after the time (UTC) of the record that caused the rotation, with
    `.0`, `.1`, … added where that name is taken. The same records give the same bytes, also compressed.
    """

    def __init__(self, path: Path, rotation: Rotation = Rotation()) -> None:
        self._path = path
        self._rotation = rotation
        self._file = path.open("ab")
        self._size = self._file.tell()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def write(self, time: float, record: bytes) -> None:
        """Append one record (with its line end) that belongs to `time`, in seconds since 1970."""
        if self._size >= self._rotation.limit:
            self._rotate(time)
        self._file.write(record)
        self._size += len(record)

    def flush(self) -> None:
        """Hand all that was written to the operating system, so that a reader sees it."""
        self._file.flush()

    def _rotate(self, time: float) -> None:
        self._file.close()
        os.utime(self._path, (time, time))
        archive = self._archive_name(time)
        self._path.rename(archive)
        self._file = self._path.open("ab")
        self._size = 0
        if self._rotation.compression != "none":
            self._compress(archive)
        self._purge()

    def _archive_name(self, time: float) -> Path:
        moment = datetime.fromtimestamp(time, UTC)
        base = f"{self._path}.{moment:%Y%m%d%H%M%S}{moment.microsecond // 1000:03d}"
        names = [base, *(f"{base}.{number}" for number in range(1000))]
        return next(Path(name) for name in names if not Path(name).exists() and not Path(name + ".gz").exists())

    def _compress(self, archive: Path) -> None:
        final = archive.with_name(archive.name + ".gz")
        growing, plain = final, archive
        if self._rotation.compression == "hidden":
            plain = archive.rename(archive.with_name(".~" + archive.name))
            growing = final.with_name(".~" + final.name)
        with (
            plain.open("rb") as source,
            growing.open("wb") as raw,
            gzip.GzipFile("", "wb", compresslevel=6, fileobj=raw, mtime=0) as target,
        ):
            shutil.copyfileobj(source, target, 2**16)
        shutil.copystat(plain, growing)
        growing.rename(final)
        plain.unlink()

    def _purge(self) -> None:
        if self._rotation.keep is not None:
            archives = sorted(self._path.parent.glob(f"{self._path.name}.*"))
            for archive in archives[: max(0, len(archives) - self._rotation.keep)]:
                archive.unlink()
