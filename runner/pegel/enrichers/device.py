"""The kind of device that a user agent speaks of."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

from pegel.enrichers import Enricher
from pegel.enrichers.looking_up import looked_up
from pegel.enrichers.names import check_names
from pegel.sql import ExpressionError, unknown_column
from pegel.table import Columns, Table, literal

_REMEMBERED = 16_384
"""Agents whose device is not sought again; what a player calls itself comes in every batch."""

_AND = " & "


@dataclass(kw_only=True)
class Device(Enricher):
    """Add the kind of device that a user agent speaks of, by words that the operator writes.

    The kinds are tried in their order, and the first of which an entry fits counts. An entry is a word that is
    found anywhere in the agent; or several with ` & ` between them, all of which must be found. **A word in small
    letters is found in any case; one with a capital letter only as it is written**: `roku` finds `ROKU`, and `AFT`
    does not find "aircraft". Agents are percent-decoded first (`Apple%20TV`). One that none fits, an empty one and a
    missing one are `other`.

    Options:
        column: Text column with the user agent.
        devices: Entries to look for, by kind of device, in the order in which they are tried; without any (`[]`)
            the kind is off.
        first: The same, tried before `devices`: what a source puts before the table of its preset.
        into: New column.
        other: The kind where none fits.

    Example:
        [[enrichers]]
        type = "device"
        from = "shop"
        column = "user_agent"
        devices = { roku = ["roku"], fire_tv = ["AFT", "amazon & fire"], web = ["chrome", "firefox", "safari"] }
    """

    column: str
    devices: Mapping[str, str | Sequence[str]]
    first: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    into: str = "device_type"
    other: str = "other"

    def __post_init__(self) -> None:
        check_names("into", [self.into])
        if not self.devices:
            raise ValueError('devices: write at least one kind, such as { roku = ["roku"] }')
        self._kinds = [
            (kind, _entries(f"{option}.{kind}", words))
            for option, kinds in (("first", self.first), ("devices", self.devices))
            for kind, words in kinds.items()
        ]
        self._device = functools.lru_cache(_REMEMBERED)(self._find)

    def needs(self, columns: Columns) -> frozenset[str]:
        if self.column not in columns:
            raise unknown_column(self.column, columns, 0)
        if columns[self.column] != "VARCHAR":
            raise ExpressionError(f'"{self.column}" is {columns[self.column]}; a user agent is text')
        return frozenset([self.column])

    def adds(self, columns: Columns) -> Columns:
        self.needs(columns)
        return {self.into: "VARCHAR"}

    def enrich(self, table: Table) -> Table:
        """Find the device of each distinct agent once, and join what was found."""
        return looked_up(table, self.column, self._all, 1, self._column, {self.into: "VARCHAR"})

    def _column(self, found: Sequence[str]) -> Mapping[str, str]:
        return {self.into: f"coalesce({found[0]}, {literal(self.other)})"}

    def _all(self, agents: Sequence[str]) -> Mapping[str, Sequence[str]]:
        return {agent: (self._device(agent),) for agent in agents}

    def _find(self, agent: str) -> str:
        decoded = unquote(agent)
        small = decoded.lower()
        for kind, entries in self._kinds:
            for words in entries:
                if all(word in (small if word == word.lower() else decoded) for word in words):
                    return kind
        return self.other


def _entries(place: str, entries: str | Sequence[str]) -> Sequence[Sequence[str]]:
    """The entries of a kind, each as the words that must all be found."""
    written = [entries] if isinstance(entries, str) else list(entries)
    split = [entry.split(_AND) for entry in written]
    if any(not word.strip() for words in split for word in words):
        raise ValueError(f"{place}: write words to look for; an empty one would be found everywhere")
    return split
