"""What is wrong with a statement of InfluxQL although every server takes it."""

from __future__ import annotations

import re
from collections.abc import Iterator


def faults(text: str) -> list[str]:
    """Sentences; none if all is well."""
    return [*_of_time(text), *_of_choices(text)]


def _of_time(text: str) -> Iterator[str]:
    if not re.match(r"\s*SELECT\b", text, re.IGNORECASE):
        return
    if not re.search(r"\$timeFilter\b", text):
        yield "without $timeFilter all that was ever written is read"
    if widths := re.findall(r"\btime\(([^)]*)\)", text):
        if set(widths) != {"$__interval"}:
            yield "time($__interval) has as many points as the panel has room for"
        if not re.search(r"\bfill\((null|none|0)\)", text):
            yield "say what a gap is: fill(null), fill(none) or fill(0); fill(previous) makes values up"


def _of_choices(text: str) -> Iterator[str]:
    if re.search(r'\bFROM\s+("[^"]*"|\w+)\.', text, re.IGNORECASE):
        yield "the database is that of the data source: name the measurement alone"
    taken = re.sub(r"[=!]~\s*/\^\$\{?\w+\}?\$/", "", text)
    if re.search(r"\$\{?(?!__|timeFilter\b)[a-z]", taken):
        yield "several can be chosen, and all: compare with =~ /^$name$/"
