"""A part of a bucket, as a command line names it: hours, or keys that begin alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from pegel.sources.bucket.layout import Layout, Place

_BETWEEN = ".."


@dataclass(frozen=True)
class Range:
    """Objects of some hours, or with some prefixes.

    What was written in the last moments of an hour is in an object of the next one; so that is a part of it, too.

    Attributes:
        spans: Times in us, from and up to (without), of the hours in the keys.
        prefixes: How keys begin.
    """

    spans: Sequence[tuple[int, int]] = ()
    prefixes: Sequence[str] = ()

    @property
    def span(self) -> tuple[int, int] | None:
        """From when up to when all records are in its objects; None where keys were named, or hours with gaps."""
        return self.spans[0] if len(self.spans) == 1 and not self.prefixes else None

    @classmethod
    def read(cls, words: Sequence[str], layout: Layout) -> Range:
        """The part that words name: `2026-03-01T00..2026-03-08T00`, `2026-03-01` or a beginning of keys.

        Raises:
            ValueError: A word names nothing that could be here.
        """
        spans, prefixes = [], []
        for word in words:
            span = _span(word)
            if span is None:
                if not (word.startswith(layout.prefix) or layout.prefix.startswith(word)):
                    raise ValueError(f'no key begins with "{word}": all begin with "{layout.prefix}"')
                prefixes.append(word)
            elif not layout.dated:
                raise ValueError(f'"{word}" is a time, and the keys say none (there is no `layout`); name keys instead')
            else:
                spans.append(span)
        return cls(tuple(spans), tuple(prefixes))

    def holds(self, key: str, place: Place) -> bool:
        """Whether an object belongs to it."""
        if place.period is not None and any(start <= place.period <= end for start, end in self.spans):
            return True
        return any(key.startswith(prefix) for prefix in self.prefixes)

    def first(self, layout: Layout) -> str:
        """What all its keys are behind."""
        known = [layout.before(start) for start, _ in self.spans]
        return min([*known, *(prefix[:-1] for prefix in self.prefixes)], default="")

    def ends_before(self, key: str, layout: Layout) -> bool:
        """Whether nothing of it is behind a key, in the order of a listing."""
        spans = all(layout.before(layout.end(layout.start(end))) <= key for _, end in self.spans)
        return spans and all(key > prefix and not key.startswith(prefix) for prefix in self.prefixes)


def _span(word: str) -> tuple[int, int] | None:
    """From when up to when, where a word is about time."""
    first, between, last = word.partition(_BETWEEN)
    start = _time(first)
    if start is None:
        return None
    if not between:
        length = 86_400 if len(first) <= len("2026-03-01") else 3600
        return start, start + length * 10**6
    end = _time(last)
    if end is None or end <= start:
        raise ValueError(f'"{word}" is no span of time; write it as 2026-03-01T00..2026-03-08T00')
    return start, end


def _time(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if "-" not in text:
        return None  # 20260301 may begin a key
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1e6)
