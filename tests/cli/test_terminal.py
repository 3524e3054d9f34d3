from __future__ import annotations

import pytest

from pegel.cli.terminal import Terminal, standard_output, table

HEADER, RIGHT = ["metric", "series"], [False, True]


def test_columns_are_two_blanks_apart_and_numbers_end_together() -> None:
    assert table(HEADER, [["shop", "3"], ["日本", "1,200"]], RIGHT, Terminal()) == [
        "metric  series",
        "shop         3",
        "日本     1,200",
    ]


def test_a_narrow_terminal_cuts_texts_and_never_numbers() -> None:
    """A number without its last digits is another number."""
    rows = [["a_very_long_metric_name", "123,456,789"]]
    assert table(HEADER, rows, RIGHT, Terminal(24)) == ["metric            series", "a_very_lon…  123,456,789"]
    assert table(HEADER, rows, RIGHT, Terminal(4))[1] == "a_very_…  123,456,789"


def test_what_a_terminal_would_obey_is_made_harmless() -> None:
    """A label is chosen by whoever sends a request, and this is an operator's terminal."""
    shown = table(["page\x1b[2J"], [["\x1b]0;owned\x07\u202ex\nnext"]], [False], Terminal(80, colour=False))
    assert not set("".join(shown)) & set("\x1b\x07\u202e\n")


def test_colours_are_there_only_where_they_are_understood() -> None:
    assert Terminal(80, colour=True).bold("x") == "\x1b[1mx\x1b[0m"
    assert (Terminal(80).bold("x"), Terminal(80).series(3, "x"), Terminal(80, colour=True).dim("")) == ("x", "x", "")


def test_a_pipe_has_neither_width_nor_colours(capsys: pytest.CaptureFixture[str]) -> None:
    assert standard_output() == Terminal()
    assert capsys.readouterr().out == ""
