"""How types and values are called in messages."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pegel import units
from pegel.secret import Secret

_NAMES: dict[Any, str] = {
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    units.Duration: 'a duration such as "90s"',
    units.Size: 'a size such as "64MiB"',
    Path: "a path",
    Secret: "a string",
}
_EXPECTED = {
    "string_type": "a string",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_parsing": "a number",
    "bool_parsing": "true or false",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "dict_type": "a table",
    "mapping_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
}


def kind_of(value: Any) -> str:
    """The kind of a TOML value, in one word."""
    if isinstance(value, bool):
        return "bool"
    for kind, cls in (("string", str), ("int", int), ("float", float), ("list", list), ("table", dict)):
        if isinstance(value, cls):
            return kind
    return "string" if isinstance(value, Secret) else "time"


def kind(value: Any) -> str:
    """The kind of a TOML value, in a sentence."""
    named = {"bool": "true or false", "int": "a number", "float": "a decimal number", "time": "a date or time"}
    return named.get(kind_of(value), f"a {kind_of(value)}")


def kinds(hint: Any) -> Sequence[str]:
    """The kinds of TOML values that fit a type."""
    if dataclasses.is_dataclass(hint):
        return ("table",)
    if get_origin(hint) is Literal:
        return tuple({kind_of(choice): None for choice in get_args(hint)})
    if hint in (Any, object):
        return ("string", "int", "float", "bool", "list", "table", "time")
    plain = {int: ("int",), float: ("float", "int"), bool: ("bool",)}
    if get_origin(hint) is None:
        return plain.get(hint, ("string",))
    return ("table",) if len(get_args(hint)) == 2 and get_args(hint)[1] is not ... else ("list",)


def either(hints: Iterable[Any]) -> str:
    """Alternatives for a sentence: `a string or a list of strings`."""
    return " or ".join(dict.fromkeys(name(hint) for hint in hints))


def name(hint: Any) -> str:
    """What a type is called."""
    if hint in _NAMES:
        return _NAMES[hint]
    if get_origin(hint) is Literal:
        return " or ".join(f'"{choice}"' for choice in get_args(hint))
    if kinds(hint) == ("list",):
        inner = name(get_args(hint)[0])
        return f"a list of {inner.removeprefix('a ')}s" if inner in ("a string", "a number") else "a list"
    return "a table" if kinds(hint) == ("table",) else "a value"


def choices(expected: str) -> Sequence[str]:
    """The choices in pydantic's `'a', 'b' or 'c'`."""
    return re.findall(r"'([^']*)'", expected)


def not_one_of(value: Any, known: Sequence[str]) -> str:
    """A value that is none of the possible ones."""
    written = f'"{value}"' if isinstance(value, str) else kind(value)
    return f"{written} is not possible; there is {', '.join(known)}"


def mismatch(error: str, message: str, value: Any) -> str:
    """A value of the wrong type; `message` is used for what has no words of ours."""
    if error == "mismatch":
        return f"{message}, not {kind(value)}"
    if error == "finite_number":
        return "must be a finite number"
    if error in _EXPECTED:
        return f"must be {_EXPECTED[error]}, not {kind(value)}"
    return message[:1].lower() + message[1:]
