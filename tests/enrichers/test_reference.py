from __future__ import annotations

import logging
from pathlib import Path

import pytest

from doubles import FakeClock
from pegel.enrichers import reference
from pegel.enrichers.reference import Kept, Reference, read
from pegel.table import Engine, Row


def rows(found: Reference | None) -> list[Row]:
    assert found is not None
    with Engine().batch() as batch:
        return batch.query(f"select * from {batch.register(found.frame(['k', 'v']))}")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "sites.csv"
    path.write_text("k,v\n1,one\n")
    return path


def kept(file: Path, clock: FakeClock) -> Kept:
    return Kept(file, ["k", "v"], clock.monotonic)


def test_the_file_is_read_at_the_first_question(file: Path, clock: FakeClock) -> None:
    table = kept(file, clock)
    file.write_text("k,v\n1,uno\n")
    assert rows(table.newest()) == [("1", "uno")]


def test_a_replaced_file_counts_a_second_later(file: Path, clock: FakeClock) -> None:
    """Looking at the file costs a system call; a batch may take a millisecond."""
    table = kept(file, clock)
    table.newest()
    file.write_text("k,v\n1,eins\n")
    clock.now += 0.9
    assert rows(table.newest()) == [("1", "one")]
    clock.now += 0.2
    assert rows(table.newest()) == [("1", "eins")]


def test_a_file_that_did_not_change_is_not_read_again(file: Path, clock: FakeClock) -> None:
    table = kept(file, clock)
    first = table.newest()
    clock.now += 10
    assert table.newest() is first


def test_a_bad_file_leaves_the_old_table_and_says_so_once(
    file: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Half-written files happen; labels that become `unknown` for a minute are worse than old ones."""
    table = kept(file, clock)
    table.newest()
    file.write_text("k,value\n1,x\n")
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            clock.now += 2
            assert rows(table.newest()) == [("1", "one")]
    (record,) = caplog.records
    assert record.getMessage() == (f'{file} has no column "v"; it has k, value; the table read before stays in use.')


def test_a_removed_file_leaves_the_old_table_and_a_new_one_counts(file: Path, clock: FakeClock) -> None:
    table = kept(file, clock)
    table.newest()
    file.unlink()
    clock.now += 2
    assert rows(table.newest()) == [("1", "one")]
    file.write_text("k,v\n1,again\n")
    clock.now += 2
    assert rows(table.newest()) == [("1", "again")]


def test_without_a_file_there_is_no_table_until_there_is(
    tmp_path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "later.csv"
    table = kept(file, clock)
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            assert table.newest() is None
            clock.now += 2
    assert [record.getMessage() for record in caplog.records] == [f"{file} cannot be read: no such file or directory."]
    file.write_text("k,v\n1,one\n")
    clock.now += 2
    assert rows(table.newest()) == [("1", "one")]


def test_texts_of_any_length_and_script_come_through(tmp_path: Path) -> None:
    """Short texts stand in the column itself, long ones behind it; both must arrive whole."""
    values = ["", "a", "twelve bytes", "more than twelve bytes", "Übung", "速度" * 40, "line\nbreak", 'quote "']
    file = tmp_path / "t.csv"
    text = "".join(f'{number},"{value.replace(chr(34), chr(34) * 2)}"\r\n' for number, value in enumerate(values))
    file.write_bytes(b"\xef\xbb\xbfk,v\r\n" + text.encode())
    assert [value for _, value in rows(read(file, ["k", "v"]))] == values


def test_a_separator_that_python_takes_for_a_line_end_is_text(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("k,v\n1,a\u2028b\x0bc\n", encoding="utf-8")
    assert rows(read(file, ["k", "v"])) == [("1", "a\u2028b\x0bc")]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x = ", "is no TOML"),
        ("x = 1", "must have one list of tables"),
        ("[[a]]\nk=1\n[[b]]\nk=2\n", "must have one list of tables"),
        ("x = [1]", "must have one list of tables"),
        ("[[a]]\nk=1\n", 'has no column "v"; it has k'),
        ("[[a]]\nk=1\n[[a]]\nv=1\n", 'has no "k" in row 2'),
        ("[[a]]\nk=1\nv=[1]\n", 'has more than one value for "v" in row 1'),
        ('[[a]]\nk=1\nv=1\n[[a]]\nk="1"\n', 'has the k "1" twice'),
    ],
)
def test_a_wrong_toml_file_says_why(tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "t.toml"
    file.write_text(text)
    with pytest.raises(ValueError, match=sentence):
        read(file, ["k", "v"])


def test_what_is_no_text_or_too_large_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_bytes(b"k,v\n1,\xff\n")
    with pytest.raises(ValueError, match="is no text in UTF-8"):
        read(file, ["k", "v"])
    with file.open("wb") as sparse:
        sparse.truncate(reference.MAX_BYTES + 1)
    with pytest.raises(ValueError, match="is larger than 64 MiB"):
        read(file, ["k", "v"])
