"""A window that slides over panes: their merged value, without merging all of them at each step."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

V = TypeVar("V")


class Sliding(Generic[V]):
    """The panes of one series in a window, and what they add up to.

    Two stacks: what the older panes add up to is kept from each of them on, so that leaving is a look at the next
    one; newer panes are added up as they come. Every pane is merged about twice in its life, however many a window
    has. Nothing is ever subtracted, so any merge will do, and floats do not drift.

    Options:
        merge: Makes one value of two.
    """

    __slots__ = ("_added", "_entries", "_merge", "_newer", "_older")

    def __init__(self, merge: Callable[[V, V], V]) -> None:
        self._merge = merge
        self._entries: deque[tuple[int, V]] = deque()
        self._older: list[V] = []
        self._newer: V | None = None
        self._added: list[V] = []

    def push(self, pane: int, value: V) -> None:
        """Add a pane behind all others."""
        self._entries.append((pane, value))
        self._added.append(value)

    def replace(self, pane: int, value: V) -> None:
        """Give a pane another value, or add one among the others."""
        entries = [entry for entry in self._entries if entry[0] != pane]
        self._entries.clear()
        self._older, self._newer, self._added = [], None, []
        for entry in sorted([*entries, (pane, value)], key=lambda entry: entry[0]):
            self.push(*entry)

    def forget(self, before: int) -> None:
        """Let the panes go that begin before a time."""
        while self._entries and self._entries[0][0] < before:
            if not self._older:
                self._turn_over()
            self._entries.popleft()
            self._older.pop()

    def _turn_over(self) -> None:
        """Add up from each pane to the newest one."""
        for _, value in reversed(self._entries):
            self._older.append(self._merge(value, self._older[-1]) if self._older else value)
        self._newer, self._added = None, []

    def total(self) -> V | None:
        """All panes as one; None if there is none."""
        for value in self._added:
            self._newer = value if self._newer is None else self._merge(self._newer, value)
        self._added.clear()
        if not self._older:
            return self._newer
        return self._older[-1] if self._newer is None else self._merge(self._older[-1], self._newer)

    def __len__(self) -> int:
        return len(self._entries)
