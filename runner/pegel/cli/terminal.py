"""What a command knows of the place it prints to: its width, and whether it has colours."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from pegel.cli.chart import cells, fit
from pegel.sinks.safe_text import clean

_SERIES_COLOURS = (36, 33, 35, 32, 34, 31)
"""Cyan, yellow, magenta, green, blue, red: readable on black and on white."""


@dataclass(frozen=True)
class Terminal:
    """Where text goes.

    Attributes:
        width: Columns; None where lines may have any length (a pipe, a file).
        colour: Whether it understands colours.
    """

    width: int | None = None
    colour: bool = False

    def bold(self, text: str) -> str:
        """Something to read first."""
        return self._styled(1, text)

    def dim(self, text: str) -> str:
        """Something to read last."""
        return self._styled(2, text)

    def series(self, number: int, text: str) -> str:
        """The colour of the series with this number."""
        return self._styled(_SERIES_COLOURS[number % len(_SERIES_COLOURS)], text)

    def _styled(self, code: int, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour and text else text


def standard_output() -> Terminal:
    """The place behind standard output: no colours and no width for a pipe, nor where NO_COLOR is set."""
    if not sys.stdout.isatty():
        return Terminal()
    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    return Terminal(shutil.get_terminal_size().columns, not plain)


def table(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool], terminal: Terminal) -> list[str]:
    """Rows under a header, columns two blanks apart.

    Texts are made safe to show first: what came from a log may hold what a terminal obeys. Where the terminal is
    too narrow the widest columns are cut; numbers never are.

    Args:
        header: Names of the columns.
        rows: Texts, one per column.
        right: Which columns hold numbers.
        terminal: Where it is printed.
    """
    safe = [[clean(text) for text in row] for row in (header, *rows)]
    widths = _widths([max(map(cells, column)) for column in zip(*safe, strict=True)], right, terminal.width)
    first, *others = [_row(row, widths, right) for row in safe]
    return [terminal.dim(first), *others]


def _row(row: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    shown = [
        " " * (width - cells(text)) + text if number else fit(text, width)
        for text, width, number in zip(row, widths, right, strict=True)
    ]
    return "  ".join(shown).rstrip()


def _widths(wanted: Sequence[int], right: Sequence[bool], room: int | None) -> list[int]:
    widths = list(wanted)
    texts = [index for index, number in enumerate(right) if not number]
    while room is not None and texts and sum(widths) + 2 * (len(widths) - 1) > room:
        widest = max(texts, key=lambda index: widths[index])
        if widths[widest] <= 8:
            break
        widths[widest] -= 1
    return widths
