"""A configuration with its presets spelled out, as the text of one file that means the same."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pegel.config.components import secret_nodes
from pegel.config.document import Node
from pegel.config.loading import SECTIONS, TABLES, declare, environment, load
from pegel.config.problems import Problem
from pegel.config.writing import table
from pegel.enrichers import BUILTIN as ENRICHERS
from pegel.enrichers import Enricher
from pegel.errors import ConfigError
from pegel.sinks import BUILTIN as SINKS
from pegel.sinks import Sink
from pegel.sources import BUILTIN as SOURCES
from pegel.sources import Source

HIDDEN = "***"

_CONTRACTS: dict[str, tuple[type, Mapping[str, str]]] = {
    "sources": (Source, SOURCES),
    "enrichers": (Enricher, ENRICHERS),
    "sinks": (Sink, SINKS),
}
_PASSWORD = re.compile(r"(://[^:/@\s]*:)(?!\$\{)[^@/\s]+@")
_FIRST = ("name", "type", "help", "from")


def spell_out(path: str | os.PathLike[str], environ: Mapping[str, str] | None = None) -> str:
    """The text of one file without presets and `conf.d` that loads to the same plan.

    References to variables stay references, so that no value of the environment is shown; a secret that stands
    in the file itself is shown as `***`.

    Raises:
        ConfigError: The configuration is refused.
    """
    environ = environment(environ)
    load(path, environ)
    problems: list[Problem] = []
    declared = declare(Path(path), environ, problems)
    if declared is None:  # it was changed since it was loaded
        raise ConfigError(problems)
    single = [(name, getattr(declared, name)) for name in TABLES]
    tables = [table(f"[{name}]", _plain(node, set())) for name, node in single if node]
    for section in SECTIONS:
        tables.extend(_entry(section, node) for node in getattr(declared, section))
    return "\n".join(tables)


def _entry(section: str, node: Node) -> str:
    hidden = set()
    if section in _CONTRACTS:
        hidden = {id(secret) for secret in secret_nodes(*_CONTRACTS[section], node)}
    entries = _plain(node, hidden)
    ordered = {key: entries[key] for key in sorted(entries, key=_rank)}
    origin = f"# {node.place.file}\n" if node.place.used_at else ""
    return origin + table(f"[[{section}]]", ordered, dotted=("values", "columns"))


def _rank(key: str) -> int:
    return _FIRST.index(key) if key in _FIRST else len(_FIRST)


def _plain(node: Node, hidden: set[int]) -> Any:
    """The value as it was written, secrets hidden."""
    if isinstance(node.value, dict):
        return {key: _plain(below, hidden) for key, below in node.table.items()}
    if isinstance(node.value, list):
        return [_plain(below, hidden) for below in node.items]
    if node.template is None:
        return node.value
    if id(node) in hidden and not (node.expanded and node.expanded.values):
        return HIDDEN
    return _PASSWORD.sub(rf"\1{HIDDEN}@", node.template)
