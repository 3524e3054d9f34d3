"""What a docstring tells the operator: the promise, the options, an example.

Components and entries of the language say in their docstrings what their options mean; the reference and the
schema for editors are made from that, so that the words exist once.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import textwrap
from typing import Any, get_type_hints

from pegel.units import Duration, Size, show_duration, show_size

_HEADING = re.compile(r"^(Options|Example|Attributes|Raises|Source):\n", re.MULTILINE)
_OPTION = re.compile(r"(\w+): (.*)")


def sections(cls: type) -> dict[str, str]:
    """The docstring of a class by its headings; the text before the first is under ""."""
    parts = _HEADING.split(inspect.cleandoc(cls.__doc__ or ""))
    found = {"": parts[0].strip()}
    found.update({name: textwrap.dedent(text).strip("\n") for name, text in zip(parts[1::2], parts[2::2], strict=True)})
    return found


def option_texts(cls: type) -> dict[str, str]:
    """What each option of a class means, by its name in the file."""
    found: dict[str, str] = {}
    name = ""
    for line in sections(cls).get("Options", "").splitlines():
        match = _OPTION.match(line)
        if match:
            name, found[match[1]] = match[1], match[2]
        elif name:
            found[name] += " " + line.strip()
    return found


def written_default(field: dataclasses.Field[Any], hint: Any) -> Any:
    """The default of an option as a configuration would write it; None where there is none to show."""
    if field.default is not dataclasses.MISSING:
        value = field.default
    elif field.default_factory is not dataclasses.MISSING:
        value = field.default_factory()
    else:
        return None
    if value is None or value == "" or (isinstance(value, list | tuple | dict | frozenset) and not value):
        return None
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        hints = get_type_hints(type(value))
        found = {one.name: written_default(one, hints[one.name]) for one in dataclasses.fields(value)}
        return {name: inner for name, inner in found.items() if inner is not None} or None
    if hint is Duration:
        return show_duration(value)
    if hint is Size:
        return show_size(value).replace(" ", "").replace(".0", "")
    if isinstance(value, list | tuple | frozenset):
        return [str(one) for one in value]
    return value if isinstance(value, bool | int | float | dict) else str(value)
