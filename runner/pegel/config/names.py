"""What metrics, labels, values and parts of the file may be called."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pegel.config.document import Node
from pegel.config.problems import Problem

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_TIME = "time"


def wrong_word(name: str, what: str) -> str | None:
    """Why a metric, label or value cannot be called so: every sink must be able to say its name."""
    if not _WORD.fullmatch(name):
        return f'"{name}" is no name for a {what}; use letters, digits and _, not a digit first'
    if name.startswith("__"):
        return f'"{name}": names that begin with __ are reserved'
    if name == _TIME and what != "metric":
        return f'"time" cannot be a {what}: InfluxDB keeps the word for itself'
    return None


def check_word(node: Node, name: str, what: str, problems: list[Problem], *, at_key: bool = False) -> None:
    """Add a problem for a name that a metric, label or value cannot have."""
    message = wrong_word(name, what)
    if message:
        problems.append(node.problem(message, at_key=at_key))


def check_part(node: Node, problems: list[Problem]) -> None:
    """The name of a source or sink: one word, since it is written in commands and kept in the state."""
    if isinstance(node.value, str) and not _PART.fullmatch(node.value):
        problems.append(node.problem(f'"{node.value}" is no name; use letters, digits, _, . and -'))


def check_unique(nodes: Iterable[Node], what: str, problems: list[Problem]) -> None:
    """Each name once; the second one is the problem."""
    first: dict[object, Node] = {}
    for node in nodes:
        earlier = first.setdefault(node.value if isinstance(node.value, str) else id(node), node)
        if earlier is not node:
            problems.append(node.problem(f'there is already a {what} "{node.value}" at {earlier.place}'))
