"""Regular expressions of the user, on DuckDB's engine (RE2): linear for any expression and any text."""

from __future__ import annotations

import re
from collections.abc import Collection

import duckdb
import numpy as np

from pegel.arrow import Frame, slices
from pegel.formats.aside import ask
from pegel.formats.records import Mask, Records
from pegel.table import literal

AT_ONCE = 4
"""Groups to extract in one go: RE2 needs 1.1 us per record for 4 groups, 3.1 for 5 and 6.9 for 8."""

_PART = re.compile(
    r"""\\Q.*?(?:\\E|\Z)                                   # quoted text
      | \\.                                               # an escaped character
      | \[\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*\]           # a set
      | \(\?P<(?P<name>[^>]*)>                            # a named group
      | \(\?                                              # flags, or a group that is not captured
      | (?P<group>\()                                     # a group without a name
    """,
    re.VERBOSE | re.DOTALL,
)


class Expression:
    """A regular expression, found anywhere in a text unless it says `^` or `$`.

    Raises:
        ValueError: RE2 refuses it; the message has its reason.
    """

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        try:
            ask(f"select regexp_matches('', {literal(pattern)})")
        except duckdb.Error as error:
            reason = str(error).partition(": ")[2] or str(error)
            raise ValueError(f'"{pattern}" does not run in linear time (on RE2): {reason}') from error
        self.names = tuple(found["name"] for found in _PART.finditer(pattern) if found["name"])

    def capturing(self, names: Collection[str]) -> str:
        """The same expression with these groups only, which changes nothing of what they capture."""

        def rewrite(part: re.Match[str]) -> str:
            if part["name"]:
                return part[0] if part["name"] in names else "(?:"
            return "(?:" if part["group"] else part[0]

        return _PART.sub(rewrite, self.pattern)

    def found_in(self, texts: Records) -> Mask:
        """Which of the texts it is found in."""
        frame = Frame(
            {
                "text": slices(texts.buffers, texts.starts, texts.ends - texts.starts, texts.apart),
                "row": np.arange(len(texts), dtype=np.int64),
            }
        )
        found = np.zeros(len(texts), np.bool_)
        for (row,) in ask(f"select row from {{frame}} where regexp_matches(text, {literal(self.pattern)})", frame):
            found[row] = True
        return found
