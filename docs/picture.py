"""Makes a picture of a terminal: text with ANSI colours on standard input, SVG on standard output.

docs/demo.svg is a frame of `pegel demo`, taken with `tmux capture-pane -e -p | python docs/picture.py`.
"""

from __future__ import annotations

import re
import sys
from html import escape

CELL, LINE, MARGIN = 8.4, 17, 14
PLAIN = "#d7dae0"
COLOURS = {
    "2": "#8a919e",
    "31": "#e86671",
    "32": "#98c379",
    "33": "#e5c07b",
    "34": "#61afef",
    "35": "#c678dd",
    "36": "#56b6c2",
}
_SGR = re.compile(r"\x1b\[([0-9;]*)m")


def spans(line: str) -> list[tuple[int, str, str, bool]]:
    """The pieces of a line: column, text, colour, bold."""
    found, colour, bold, column = [], PLAIN, False, 0
    parts = _SGR.split(line)
    for index, part in enumerate(parts):
        if index % 2:
            for code in part.split(";"):
                if code in ("", "0", "39"):
                    colour, bold = PLAIN, bold and code == "39"
                elif code == "1":
                    bold = True
                else:
                    colour = COLOURS.get(code, colour)
        elif part:
            found.append((column, part, colour, bold))
            column += len(part)
    return found


def picture(text: str) -> str:
    """The SVG of some lines."""
    lines = text.rstrip().split("\n")
    columns = max(len(_SGR.sub("", line)) for line in lines)
    width, height = round(columns * CELL) + 2 * MARGIN, len(lines) * LINE + 2 * MARGIN
    body = []
    for row, line in enumerate(lines):
        for column, piece, colour, bold in spans(line):
            if piece.strip():
                weight = ' font-weight="bold"' if bold else ""
                x, y = MARGIN + column * CELL, MARGIN + row * LINE + 13
                style = f'fill="{colour}"{weight} xml:space="preserve"'
                size = f'textLength="{len(piece) * CELL:.1f}" lengthAdjust="spacingAndGlyphs"'
                body.append(f'<text x="{x:.1f}" y="{y}" {style} {size}>{escape(piece)}</text>')
    font = 'font-family="monospace" font-size="14"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {font}>'
        f'<rect width="100%" height="100%" rx="8" fill="#20232a"/>{"".join(body)}</svg>\n'
    )


if __name__ == "__main__":
    sys.stdout.write(picture(sys.stdin.read()))
