"""Enrichers of a preset as its sources want them: each source may change options of those that have a name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from pegel.config import words
from pegel.config.document import Node
from pegel.config.problems import Problem, did_you_mean, listed

OPTION = "enrichers"
"""The option of a source that holds its changes, by the names of enrichers."""

_FIXED = ("name", "type", "from")
"""What a preset alone says of an enricher: its metrics are built on it."""


def check_overrides(source: Node, entries: Sequence[Node], problems: list[Problem]) -> None:
    """Refuse changes of enrichers that the preset of a source does not have, and those that no source may make."""
    written = source.table.get(OPTION)
    if written is None:
        return
    if not isinstance(written.value, dict):
        message = f"must be a table of enrichers by name, not {words.kind(written.value)}"
        problems.append(written.problem(message))
    known = [name for entry in entries if (name := _name(entry))]
    for name, node in written.table.items():
        if name not in known:
            has = f"there is {listed(known)}" if known else "none of its enrichers has a name"
            message = f'the preset has no enricher "{name}"; {has}'
            problems.append(node.problem(message, did_you_mean(name, known), at_key=True))
        elif not isinstance(node.value, dict):
            problems.append(node.problem(f"must be a table of options, not {words.kind(node.value)}"))
        else:
            problems.extend(
                below.problem("cannot be changed here: the preset is built on it", at_key=True)
                for key, below in node.table.items()
                if key in _FIXED
            )


def variants(entry: Node, sources: Sequence[Node]) -> Iterator[tuple[Node, list[Node]]]:
    """An enricher of a preset once for each way in which sources want it, and the sources that want it so.

    Sources that say the same share one, so that its files are held in memory once.
    """
    found: list[tuple[Any, Node, list[Node]]] = []
    for source in sources:
        override = source.table[OPTION].table.get(_name(entry)) if OPTION in source.table else None
        changes = override.without(_FIXED) if override and override.table else None
        said = changes.plain() if changes else {}
        same = next((users for other, _, users in found if other == said), None)
        if same is None:
            changed = replace(entry, value=entry.under(changes).value) if changes else entry
            found.append((said, changed, [source]))
        else:
            same.append(source)
    yield from ((changed, users) for _, changed, users in found)


def _name(entry: Node) -> str:
    """The name under which sources know an enricher, empty if it has none."""
    written = entry.table.get("name")
    return written.value if written and isinstance(written.value, str) else ""
