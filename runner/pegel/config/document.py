"""A configuration file as a tree in which each value knows its place."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import tomli

from pegel.config.interpolation import Expanded, UnsetVariable, expand
from pegel.config.places import Path, Places, TooDeep, scan
from pegel.config.problems import Place, Problem, show_path

MAX_BYTES = 2**20

Scalar = Any
"""A string, number, boolean, date or time of TOML."""


@dataclass
class Node:
    """A value with its place.

    Attributes:
        value: A dict or list of nodes, or a scalar; strings are expanded.
        path: Keys and indices from the root of its file.
        place: Of the value.
        key_place: Of its key.
        document: The file that it comes from.
        template: A string as it was written, None for all else.
        expanded: What its references were replaced by.
        fault: Why they could not be replaced; it counts only if the value is used.
    """

    value: Scalar
    path: Path
    place: Place
    key_place: Place
    document: Document = field(repr=False)
    template: str | None = None
    expanded: Expanded | None = field(default=None, repr=False)
    fault: Problem | None = field(default=None, repr=False)

    @property
    def table(self) -> dict[str, Node]:
        """Its entries, none where it is not a table."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def items(self) -> list[Node]:
        """Its elements, none where it is not an array."""
        return self.value if isinstance(self.value, list) else []

    def plain(self) -> Any:
        """The value without places."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def walk(self) -> Iterator[Node]:
        """This node and all below it."""
        yield self
        below = self.value.values() if isinstance(self.value, dict) else self.items
        for node in below:
            yield from node.walk()

    def find(self, path: Path) -> tuple[Node, Path]:
        """The deepest node on a path below this one, and what is left of the path."""
        node, rest = self, path
        while rest:
            below = node.value
            known = isinstance(below, dict) and rest[0] in below
            known = known or (isinstance(below, list) and isinstance(rest[0], int) and rest[0] < len(below))
            if not known:
                break
            node, rest = below[rest[0]], rest[1:]
        return node, rest

    def only(self, keys: Container[str]) -> Node:
        """This table with some of its keys."""
        return replace(self, value={key: node for key, node in self.table.items() if key in keys})

    def without(self, keys: Container[str]) -> Node:
        """This table without some of its keys."""
        return replace(self, value={key: node for key, node in self.table.items() if key not in keys})

    def under(self, other: Node) -> Node:
        """This table with the entries of another one over its own; tables in it are merged the same way.

        It stands where the other one stands, each entry where it was written.
        """
        merged = dict(self.table)
        for key, node in other.table.items():
            below = merged.get(key)
            tables = below is not None and isinstance(below.value, dict) and isinstance(node.value, dict)
            merged[key] = below.under(node) if below is not None and tables else node
        return replace(other, value=merged)

    def problem(self, message: str, suggestion: str = "", *, at_key: bool = False, missing: str = "") -> Problem:
        """A problem at this value, at its key, or for a key that it does not have."""
        for node in self.walk():
            if node.expanded:
                message, suggestion = node.expanded.redact(message), node.expanded.redact(suggestion)
        path = (*self.path, missing) if missing else self.path
        return Problem(self.key_place if at_key else self.place, show_path(path), message, suggestion)

    def problem_inside(self, position: int, message: str, suggestion: str = "") -> Problem:
        """A problem at a character of a string value."""
        if self.template is None:
            return self.problem(message, suggestion)
        origin = self.expanded.template_position(position) if self.expanded else position
        place = self.document.place_inside(self.path, origin)
        return replace(self.problem(message, suggestion), place=place)


@dataclass(frozen=True)
class Document:
    """One file: its text, its places, and how it is called in messages."""

    name: str
    order: int
    places: Places
    used_at: Place | None = None
    exposed: bool = False
    """Everybody on the machine can read it."""

    def place(self, offset: int) -> Place:
        """The place of an offset in the text."""
        line, column = self.places.line_column(offset)
        return Place(self.name, line, column, self.places.line(line), self.order, self.used_at)

    def place_inside(self, path: Path, position: int) -> Place:
        """The place of a character of the string at a path."""
        return self.place(self.places.inside(self.places.spots[path], position))


@dataclass
class Reading:
    """What came of reading a file: a tree, or the reasons why there is none.

    Attributes:
        root: None where the text is not TOML.
        problem: Why there is none.
    """

    root: Node | None
    problem: Problem | None = None


def read(
    data: bytes,
    name: str,
    environ: Mapping[str, str],
    order: int = 0,
    used_at: Place | None = None,
    *,
    exposed: bool = False,
) -> Reading:
    """Read the bytes of a configuration file; never raises for any bytes.

    Args:
        data: The bytes.
        name: How the file is called in messages.
        environ: The variables that strings may refer to.
        order: Number of the file in the order of reading.
        used_at: For a preset: where it is asked for.
        exposed: Everybody on the machine can read the file.
    """
    where = Place(name, 0, 0, order=order, used_at=used_at)
    if len(data) > MAX_BYTES:
        return Reading(None, Problem(where, "", "the file is larger than 1 MiB; that is no configuration"))
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        return Reading(None, _not_text(where, data, error))
    flat = Document(name, order, Places(text, {}), used_at, exposed)
    try:
        values = tomli.loads(text)
        document = replace(flat, places=scan(text))
    except tomli.TOMLDecodeError as error:
        return Reading(None, Problem(flat.place(error.pos), "", f"this is not TOML: {_in_our_words(error)}"))
    except TooDeep as error:
        return Reading(None, Problem(flat.place(error.offset), "", str(error)))
    except (RecursionError, ValueError) as error:  # nesting, keys and integers beyond the limits of the parser
        return Reading(None, Problem(where, "", f"this is not TOML: {error}"))
    return Reading(_node(values, (), document, environ))


def _node(value: Any, path: Path, document: Document, environ: Mapping[str, str]) -> Node:
    spot = document.places.spots[path]
    node = Node(value, path, document.place(spot.start), document.place(spot.key), document)
    if isinstance(value, dict):
        node.value = {k: _node(v, (*path, k), document, environ) for k, v in value.items()}
    elif isinstance(value, list):
        node.value = [_node(v, (*path, i), document, environ) for i, v in enumerate(value)]
    elif isinstance(value, str):
        _fill(node, value, environ)
    return node


def _fill(node: Node, template: str, environ: Mapping[str, str]) -> None:
    """Expand a string; one that cannot be expanded keeps its references and has a fault."""
    node.template = template
    if "$" not in template:
        return
    try:
        node.expanded = expand(template, environ)
        node.value = node.expanded.text
    except UnsetVariable as error:
        node.fault = node.problem_inside(error.position, str(error))


def _in_our_words(error: tomli.TOMLDecodeError) -> str:
    text = error.msg
    return text[:1].lower() + text[1:]


def _not_text(where: Place, data: bytes, error: UnicodeDecodeError) -> Problem:
    before = Places(data[: error.start].decode("utf-8-sig", errors="replace").replace("\r\n", "\n"), {})
    line, column = before.line_column(len(before.text))
    place = replace(where, line=line, column=column)
    return Problem(place, "", f"byte 0x{data[error.start]:02x} is not UTF-8 text")
