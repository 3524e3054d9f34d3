"""Values as TOML text: what `pegel show` prints."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_PLAIN = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f']*")
_LINES = re.compile(r"(?:[^\x00-\x08\x0b-\x1f\x7f']|'{1,2}(?!'))*")
_WIDTH = 100


def table(header: str, entries: Mapping[str, Any], dotted: Sequence[str] = ()) -> str:
    """A table under a header; tables in it are inline, long ones and those in `dotted` a line for each entry."""
    lines = [header] if header else []
    for name, entry in entries.items():
        line = f"{key(name)} = {value(entry)}"
        if isinstance(entry, Mapping) and entry and (name in dotted or len(line) > _WIDTH):
            lines.extend(f"{key(name)}.{key(below)} = {value(part)}" for below, part in entry.items())
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"


def key(name: str) -> str:
    """A key, quoted where it must be."""
    return name if _BARE.fullmatch(name) else _basic(name)


def value(of: Any) -> str:
    """A value on one line, a long list on several."""
    if isinstance(of, str):
        return _string(of)
    if isinstance(of, Mapping):
        inside = ", ".join(f"{key(name)} = {value(part)}" for name, part in of.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(of, list | tuple):
        return _list([value(part) for part in of])
    return _scalar(of)


def _scalar(of: Any) -> str:
    if isinstance(of, bool):
        return "true" if of else "false"
    if isinstance(of, datetime | date | time):
        return of.isoformat()
    if isinstance(of, int | float):
        return repr(of)
    raise TypeError(f"TOML has no {type(of).__name__}")


def _list(parts: Sequence[str]) -> str:
    line = ", ".join(parts)
    if len(line) <= _WIDTH or len(parts) == 1:
        return f"[{line}]"
    return "[\n" + "".join(f"  {part},\n" for part in parts) + "]"


def _string(text: str) -> str:
    """Quoted so that it reads best: as it is in single quotes where double ones would need a backslash."""
    if ('"' in text or "\\" in text) and _PLAIN.fullmatch(text):
        return f"'{text}'"
    if "\n" in text and _LINES.fullmatch(text) and not text.endswith("'"):
        return f"'''\n{text}'''"
    return _basic(text)


def _basic(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
