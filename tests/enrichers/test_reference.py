from __future__ import annotations

from pathlib import Path

import pytest

from pegel.enrichers import reference
from pegel.enrichers.reference import Reference, read
from pegel.table import Engine, Row


def rows(found: Reference | None) -> list[Row]:
    assert found is not None
    with Engine().batch() as batch:
        return batch.query(f"select * from {batch.register(found.frame(['k', 'v']))}")


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
