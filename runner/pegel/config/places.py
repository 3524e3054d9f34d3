"""Where each key and value of a TOML text stands.

tomli gives values without places, tomlkit gives neither lines nor columns. This scanner gives only places: it
reads text that tomli has accepted and never looks into a value beyond finding its end, so the meaning of TOML
stays in one parser.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import tomli

Path = tuple[str | int, ...]
"""Keys and indices from the root of a document to a value."""

MAX_DEPTH = 32

_BLANK = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}'
    r"|'''(?:[^']|'(?!''))*'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
# A date and a time of day may be parted by one blank; nothing else outside strings has one inside.
_SCALAR = re.compile(r"\d{4}-\d\d-\d\d \d\d:[^\s,\]}#]*|[^\s,\]}#]+")
_ESCAPE = re.compile(r"\\(?:[ \t]*\n[ \t\n]*|x..|u.{4}|U.{8}|.)", re.DOTALL)


class TooDeep(ValueError):
    """The text nests tables or arrays deeper than `MAX_DEPTH`; `offset` is where."""

    def __init__(self, offset: int) -> None:
        self.offset = offset
        super().__init__(f"nested more than {MAX_DEPTH} levels deep")


@dataclass
class Spot:
    """Offsets of one value in the text.

    Attributes:
        key: Where its key starts (for an element of an array, the element itself).
        start: Where the value starts: a quote, a bracket, a digit; for a table, its header or first key.
        end: Behind the value; equal to `start` for a table that is no inline table.
    """

    key: int
    start: int
    end: int


@dataclass
class Places:
    r"""The places of a whole document.

    Attributes:
        text: With `\n` for every line end.
        spots: By path, in the order of the text.
    """

    text: str
    spots: dict[Path, Spot]
    _lines: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lines = [0, *(match.end() for match in re.finditer("\n", self.text))]

    def line_column(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset, both counted from 1, columns in characters."""
        line = bisect_right(self._lines, offset)
        return line, offset - self._lines[line - 1] + 1

    def line(self, number: int) -> str:
        """The text of a line."""
        start = self._lines[number - 1]
        end = self._lines[number] - 1 if number < len(self._lines) else len(self.text)
        return self.text[start:end]

    def inside(self, spot: Spot, position: int) -> int:
        """The offset in the text of a character of a string value, escapes and line joins considered."""
        return _inside(self.text[spot.start : spot.end], position) + spot.start


def scan(text: str) -> Places:
    """Find the places in a text that tomli accepts.

    Raises:
        TooDeep: Tables or arrays are nested too deeply to be a configuration.
    """
    text = text.replace("\r\n", "\n")
    scanner = _Scanner(text)
    scanner.document()
    return Places(text, scanner.spots)


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.spots: dict[Path, Spot] = {(): Spot(0, 0, 0)}
        self._lengths: dict[Path, int] = {}

    def document(self) -> None:
        table: Path = ()
        self._skip(_BLANK)
        while self.at < len(self.text):
            if self.text[self.at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip(_BLANK)

    def _header(self) -> Path:
        start = self.at
        brackets = 2 if self.text.startswith("[[", start) else 1
        self.at += brackets
        keys = self._keys()
        self.at += brackets
        path = (*self._enter((), [(name, start) for name, _ in keys[:-1]]), keys[-1][0])
        self._note(path, start, start)
        if brackets == 1:
            return path
        index = self._lengths.get(path, 0)
        self._lengths[path] = index + 1
        self._note((*path, index), start, start)
        return (*path, index)

    def _pair(self, table: Path) -> None:
        keys = self._keys()
        self.at += 1  # the equals sign
        self._skip(_SPACE)
        path = (*self._enter(table, keys[:-1]), keys[-1][0])
        self._value(path, keys[0][1])

    def _enter(self, table: Path, keys: list[tuple[str, int]]) -> Path:
        """Walk down through tables that need no header, the last element where there are several."""
        for name, offset in keys:
            table = (*table, name)
            self._note(table, offset, offset)
            if table in self._lengths:
                table = (*table, self._lengths[table] - 1)
        return table

    def _keys(self) -> list[tuple[str, int]]:
        """The parts of a dotted key with their offsets; stops at the sign behind it."""
        parts: list[tuple[str, int]] = []
        while True:
            self._skip(_SPACE)
            start = self.at
            parts.append((self._key(), start))
            self._skip(_SPACE)
            if self.text[self.at] != ".":
                return parts
            self.at += 1

    def _key(self) -> str:
        if self.text[self.at] in "\"'":
            raw = self._skip(_STRING)
            (name,) = tomli.loads(f"{raw} = 0")
            return name
        return self._skip(_BARE_KEY)

    def _value(self, path: Path, key: int) -> None:
        start = self.at
        self._note(path, key, start)
        if self.text[start] == "[":
            indices = iter(range(len(self.text)))
            self._items("]", lambda: self._value((*path, next(indices)), self.at))
        elif self.text[start] == "{":
            self._items("}", lambda: self._pair(path))
        elif self.text[start] in "\"'":
            self._skip(_STRING)
        else:
            self._skip(_SCALAR)
        self.spots[path].end = self.at

    def _items(self, close: str, item: Callable[[], None]) -> None:
        self.at += 1
        self._skip(_BLANK)
        while self.text[self.at] != close:
            item()
            self._skip(_BLANK)
            if self.text[self.at] == ",":
                self.at += 1
                self._skip(_BLANK)
        self.at += 1

    def _note(self, path: Path, key: int, start: int) -> None:
        if len(path) > MAX_DEPTH:
            raise TooDeep(start)
        self.spots.setdefault(path, Spot(key, start, start))

    def _skip(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        assert match is not None, "only text that tomli accepts is scanned"
        self.at = match.end()
        return match[0]


def _inside(raw: str, position: int) -> int:
    """The offset in a raw string, quotes included, of a character of its value."""
    quotes = 3 if raw[:3] in ('"""', "'''") else 1
    at = quotes + (quotes == 3 and raw[3:4] == "\n")
    if raw[0] == "'":
        return min(at + position, len(raw) - quotes)
    for width, length in _pieces(raw[at : len(raw) - quotes]):
        if position < length:
            break
        position -= length
        at += width
    return at


def _pieces(raw: str) -> Iterator[tuple[int, int]]:
    """(characters in the text, characters in the value) of each character or escape of a basic string."""
    at = 0
    while at < len(raw):
        match = _ESCAPE.match(raw, at)
        width = len(match[0]) if match else 1
        yield width, 0 if match and "\n" in match[0] else 1
        at += width
