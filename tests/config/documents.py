"""Random TOML documents, written in every style that the language allows."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

KEYS = st.one_of(st.sampled_from(["a", "b", "name", "x-1", "values"]), st.text(max_size=4))
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
PADDING = st.sampled_from(["", " ", "\t", "  "])
BREAK = st.sampled_from(["", "\n", " # note ] } = '\n", "\r\n", "\n\n  "])
SCALARS = st.one_of(
    st.integers(-(2**40), 2**40).map(str),
    st.sampled_from(["true", "false", "1.5", "-inf", "nan", "0x_f".replace("_", ""), "1_000", "1e9"]),
    st.sampled_from(["1979-05-27", "07:32:00", "1979-05-27 07:32:00.5", "1979-05-27T07:32:00-08:00"]),
)


def basic(text: str) -> str:
    """A text as a basic string."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def multiline(text: str) -> str:
    """A text as a multi-line basic string with a line join in the middle."""
    halves = [basic(half)[1:-1].replace("\\n", "\n") for half in (text[: len(text) // 2], text[len(text) // 2 :])]
    return '"""\n' + "\\  \n   \n\t".join(halves) + '"""'


def literal(text: str) -> str:
    """A text as a literal string, or as a basic one if it cannot be."""
    plain = all(char == "\t" or (char >= " " and char != "\x7f") for char in text)
    return f"'{text}'" if plain and "'" not in text else basic(text)


def literal_lines(text: str) -> str:
    """A text as a multi-line literal string, or as a basic one if it cannot be."""
    plain = all(char in "\t\n" or (char >= " " and char != "\x7f") for char in text)
    return f"'''\n{text}'''" if plain and "''" not in text else basic(text)


STRINGS = st.one_of(TEXTS.map(basic), TEXTS.map(multiline), TEXTS.map(literal), TEXTS.map(literal_lines))


@st.composite
def keys(draw: st.DrawFn) -> str:
    """A key, bare, quoted or literal."""
    name = draw(KEYS)
    bare = name and all(char.isascii() and (char.isalnum() or char in "-_") for char in name)
    return name if bare and draw(st.booleans()) else draw(st.sampled_from([basic, literal]))(name)


@st.composite
def values(draw: st.DrawFn, depth: int = 2) -> str:
    """A value in any spelling."""
    kind = draw(st.integers(0, 3 if depth else 1))
    if kind < 2:
        return draw(SCALARS if kind == 0 else STRINGS)
    parts = draw(st.lists(values(depth - 1), max_size=3))
    if kind == 2:
        inside = ",".join(f"{draw(BREAK)}{part}{draw(BREAK)}" for part in parts)
        comma = draw(st.sampled_from(["", ",", "," + draw(BREAK)])) if parts else ""
        return f"[{inside}{comma}]"
    pairs = ",".join(f"{draw(PADDING)}{draw(dotted())}{draw(PADDING)}={draw(PADDING)}{part} " for part in parts)
    return f"{{{pairs}}}"


@st.composite
def dotted(draw: st.DrawFn) -> str:
    """A key of one or two parts."""
    parts = draw(st.lists(keys(), min_size=1, max_size=2))
    return f"{draw(PADDING)}.{draw(PADDING)}".join(parts)


@st.composite
def lines(draw: st.DrawFn) -> str:
    """A line of a document."""
    kind = draw(st.integers(0, 5))
    if kind == 0:
        return f"[{draw(PADDING)}{draw(dotted())}{draw(PADDING)}]"
    if kind == 1:
        return f"[[{draw(dotted())}]] # a [comment] = 'of \"all\"'"
    if kind == 2:
        return draw(st.sampled_from(["", "# = [x]", "   "]))
    return f"{draw(PADDING)}{draw(dotted())}{draw(PADDING)}={draw(PADDING)}{draw(values())}"


def documents() -> st.SearchStrategy[str]:
    """Documents; many are not valid, since keys may repeat."""
    ends = st.sampled_from(["\n", "\r\n"])
    return st.builds(lambda parts, end: end.join(parts) + end, st.lists(lines(), max_size=8), ends)


def walk(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[tuple[str | int, ...], Any]]:
    """Every value of a document with its path."""
    found = [(path, value)]
    pairs: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in pairs:
        found.extend(walk(below, (*path, key)))
    return found
