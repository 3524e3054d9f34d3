from __future__ import annotations

import logging
import os
import threading
from pathlib import Path

import pytest

from doubles import FakeClock
from pegel.enrichers.newest import Newest, open_regular


def read(path: Path) -> str:
    """A file with one line is good."""
    with open_regular(path, 64) as file:
        text = file.read().decode()
    if text.count("\n") != 1:
        raise ValueError("has not one line")
    return text.strip()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "sites"
    path.write_text("one\n")
    return path


def newest(file: Path, clock: FakeClock) -> Newest[str]:
    return Newest(file, read, clock.monotonic)


def replace(file: Path, text: str) -> None:
    """As a careful program does it: the new file takes the name when it is whole."""
    beside = file.with_suffix(".new")
    beside.write_text(text)
    beside.replace(file)


def test_the_file_is_read_at_the_first_question(file: Path, clock: FakeClock) -> None:
    found = newest(file, clock)
    file.write_text("uno\n")
    assert found.get() == "uno"


def test_a_replaced_file_counts_a_second_later(file: Path, clock: FakeClock) -> None:
    """Looking at the file costs a system call; a batch may take a millisecond."""
    found = newest(file, clock)
    found.get()
    replace(file, "eins\n")
    clock.now += 0.9
    assert found.get() == "one"
    clock.now += 0.2
    assert found.get() == "eins"


def test_a_file_that_is_being_written_is_left_alone(
    file: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Half a table may look whole: a text that ends with a line has no mark of its end."""
    found = newest(file, clock)
    found.get()
    for text in ("ei", "eins\n"):
        file.write_text(text)
        clock.now += 2
        assert found.get() == "one"
    clock.now += 2
    assert found.get() == "eins"
    assert not caplog.records


def test_a_file_that_did_not_change_is_not_read_again(file: Path, clock: FakeClock) -> None:
    found = newest(file, clock)
    first = found.get()
    clock.now += 10
    assert found.get() is first


def test_a_bad_file_leaves_the_old_one_and_says_so_once(
    file: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Broken files happen; labels that become `unknown` for a minute are worse than old ones."""
    found = newest(file, clock)
    found.get()
    replace(file, "no line")
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            clock.now += 2
            assert found.get() == "one"
    (record,) = caplog.records
    assert record.getMessage() == f"{file} has not one line; what was read before stays in use."


def test_a_removed_file_leaves_the_old_one_and_a_new_one_counts(file: Path, clock: FakeClock) -> None:
    found = newest(file, clock)
    found.get()
    file.unlink()
    clock.now += 2
    assert found.get() == "one"
    file.write_text("again\n")
    clock.now += 2
    assert found.get() == "again"


def test_without_a_file_there_is_nothing_until_there_is(
    tmp_path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "later"
    found = newest(file, clock)
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            assert found.get() is None
            clock.now += 2
    assert [record.getMessage() for record in caplog.records] == [f"{file} cannot be read: no such file or directory."]
    file.write_text("one\n")
    clock.now += 2
    assert found.get() == "one"


def test_what_is_required_is_read_once(file: Path, clock: FakeClock) -> None:
    """A configuration is checked and then run: a big file must not be read for each."""
    found = newest(file, clock)
    assert found.trouble() == ""
    first = found.get()
    assert found.trouble() == ""
    assert found.get() is first


def test_a_file_that_is_not_there_is_trouble(tmp_path: Path, clock: FakeClock) -> None:
    """It is said as often as it is asked, until the file is there."""
    found = newest(tmp_path / "none", clock)
    assert "cannot be read: no such file" in found.trouble()
    assert "cannot be read: no such file" in found.trouble()


def test_others_go_on_while_one_thread_reads(file: Path, clock: FakeClock) -> None:
    """A table of half a million rows takes a second to read."""
    reading, go_on = threading.Event(), threading.Event()

    def slowly(path: Path) -> str:
        if path.read_text() == "two\n":
            reading.set()
            assert go_on.wait(5)
        return read(path)

    found = Newest(file, slowly, clock.monotonic)
    found.get()
    replace(file, "two\n")
    clock.now += 2
    worker = threading.Thread(target=found.get)
    worker.start()
    assert reading.wait(5)
    assert found.get() == "one"
    go_on.set()
    worker.join()
    assert found.get() == "two"


def test_what_is_no_regular_file_or_too_large_is_refused_at_once(tmp_path: Path) -> None:
    """Opening a pipe waits for somebody who writes into it."""
    os.mkfifo(tmp_path / "pipe")
    for name, sentence in (("pipe", "is no regular file"), (".", "is no regular file")):
        with pytest.raises(ValueError, match=sentence):
            open_regular(tmp_path / name, 2**20)
    with (tmp_path / "big").open("wb") as sparse:
        sparse.truncate(3 * 2**20)
    with pytest.raises(ValueError, match="is larger than 2 MiB"):
        open_regular(tmp_path / "big", 2 * 2**20)


def test_links_are_followed_and_circles_are_refused(tmp_path: Path, file: Path) -> None:
    """A database is often a link to the newest of several."""
    (tmp_path / "link").symlink_to(file)
    assert read(tmp_path / "link") == "one"
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(ValueError, match="cannot be read"):
        open_regular(tmp_path / "a", 64)
