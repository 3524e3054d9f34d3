"""Archives as POCO's FileChannel makes them: readers depend on their names and on how they come to be."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from pegel.samples.rotation import Compression, RotatingLog, Rotation

NOON = 1_772_539_200.0


def fill(path: Path, rotation: Rotation, count: int = 10) -> None:
    with RotatingLog(path, rotation) as log:
        for number in range(count):
            log.write(NOON + number / 4, f"record {number}\n".encode())


def test_archives_are_named_after_the_moment_in_milliseconds_utc(tmp_path: Path) -> None:
    fill(tmp_path / "a.log", Rotation(limit=40, compression="none"))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a.log",
        "a.log.20260303120001250",
    ]


@pytest.mark.parametrize("compression", ["in_place", "hidden", "none"])
def test_no_record_is_lost_or_split_by_rotation(tmp_path: Path, compression: Compression) -> None:
    fill(tmp_path / "a.log", Rotation(limit=20, compression=compression))
    parts = [path for path in sorted(tmp_path.iterdir()) if path.name != "a.log"]
    texts = [gzip.decompress(p.read_bytes()) if p.suffix == ".gz" else p.read_bytes() for p in parts]
    texts.append((tmp_path / "a.log").read_bytes())
    assert all(text.endswith(b"\n") for text in texts)
    assert b"".join(texts) == b"".join(f"record {number}\n".encode() for number in range(10))
    assert all((path.suffix == ".gz") == (compression != "none") for path in parts)


def test_two_rotations_in_one_millisecond_get_a_number(tmp_path: Path) -> None:
    with RotatingLog(tmp_path / "a.log", Rotation(limit=1)) as log:
        for text in (b"first\n", b"second\n", b"third\n"):
            log.write(NOON, text)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a.log",
        "a.log.20260303120000000.0.gz",
        "a.log.20260303120000000.gz",
    ]


def test_only_the_newest_archives_are_kept(tmp_path: Path) -> None:
    """A purge is how records get lost for a reader that was away too long."""
    fill(tmp_path / "a.log", Rotation(limit=1, keep=2))
    assert [path.name for path in sorted(tmp_path.glob("*.gz"))] == [
        "a.log.20260303120002000.gz",
        "a.log.20260303120002250.gz",
    ]


def test_an_existing_log_is_continued(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(b"x" * 30)
    fill(tmp_path / "a.log", Rotation(limit=30, compression="none"), count=1)
    assert (tmp_path / "a.log").read_bytes() == b"record 0\n"
