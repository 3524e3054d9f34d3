"""The seams of the real machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pegel.seams import SystemFiles


def test_s18_an_open_file_is_known_by_its_descriptor_never_by_its_name(tmp_path: Path) -> None:
    """A name may be rotated between the look at it and the opening: what was opened says what it is."""
    (tmp_path / "log").write_text("old")
    file = SystemFiles().open(str(tmp_path / "log"))
    old = (tmp_path / "log").stat().st_ino
    (tmp_path / "new").write_text("something new")
    (tmp_path / "new").rename(tmp_path / "log")
    assert file.stat().ino == old != SystemFiles().stat(str(tmp_path / "log")).ino
    assert file.stat().size == 3
    assert file.pread(10, 0) == b"old"
    file.close()


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    """A pipe in a pattern must not hang the runner."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a regular file"):
        SystemFiles().open(str(tmp_path / "pipe"))
