"""The payload of a JSON web token as SQL, in steps: base64url to text, and the places in it that are wanted.

Every step gives NULL for what it does not like, and each costly part stands in a `case` or reads a column of the
step before, so that it runs once, and only for the records that have a token: nine in ten have none. What may
fail is tried on a plain column: once a value fails, DuckDB tries the others of its vector one by one, and then
all that stands inside `try` counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pegel.table import literal

MAX_TOKEN = 8 * 2**10
"""Longest token in bytes."""

MAX_PAYLOAD = 4 * 2**10
"""Longest payload in bytes, decoded."""

MAX_DEPTH = 8
"""Deepest nesting of objects and arrays in a payload, the outermost counted."""

MAX_KEYS = 64
"""Most keys in a payload, nested ones included."""

_STRING = r'''"(?:[^"\\]|\\.)*"'''
_INNERMOST = r"[\[{][^\[\]{}]*[\]}]"

_PART, _BASE64, _BYTES, _TEXT, _KINDS, _TEXTS = (
    f"_jwt_{name}" for name in ("part", "base64", "bytes", "text", "kinds", "texts")
)
READABLE = "_jwt_readable"
"""Column of the last step: true, false, or NULL where there is no token."""

BETWEEN = (_PART, _BASE64, _BYTES, _TEXT, _KINDS, _TEXTS, READABLE)
"""The columns that the steps make on the way."""


def steps(token: str, paths: Sequence[str]) -> Sequence[Mapping[str, str]]:
    """Expressions by column, step after step; `leaf` reads what the last one made."""
    pointers = ["", *(f"/{path.replace('.', '/')}" for path in paths)]
    listed = ", ".join(literal(pointer) for pointer in pointers)
    return (
        {_PART: f"case when strlen({token}) between 1 and {MAX_TOKEN} then {_middle(token)} end"},
        {_BASE64: f"case when {_PART} is not null then {_base64()} end"},
        {_BYTES: f"case when {_BASE64} is not null then try(from_base64({_BASE64})) end"},
        {_TEXT: f"case when {_BYTES} is not null then try(decode({_BYTES})) end"},
        {_KINDS: f"case when {_TEXT} is not null then try(json_type({_TEXT}, [{listed}])) end"},
        {
            READABLE: f"case when {token} <> '' then {_is_small_object()} end",
            _TEXTS: f"case when {_KINDS} is not null then json_extract_string({_TEXT}, [{listed}]) end",
        },
    )


def leaf(index: int) -> str:
    """The value at one of the paths; NULL unless it is a string or an integer of 64 bits."""
    kind, text = (f"{values}[{index + 2}]" for values in (_KINDS, _TEXTS))  # the first place is the whole payload
    whole = f"when {kind} = 'BIGINT' or {kind} = 'UBIGINT' then {text}"
    return f"case when {READABLE} then case when {kind} = 'VARCHAR' then {text} {whole} end end"


def _middle(token: str) -> str:
    """The middle one of three parts."""
    return f"case when strlen(replace({token}, '.', '')) = strlen({token}) - 2 then split_part({token}, '.', 2) end"


def _base64() -> str:
    """The payload in the alphabet that the engine decodes; NULL where it used that already, or cannot be one."""
    foreign = " or ".join(f"contains({_PART}, '{sign}')" for sign in "+/=")
    standard = (
        f"case when contains({_PART}, '-') or contains({_PART}, '_')"
        f" then replace(replace({_PART}, '-', '+'), '_', '/') else {_PART} end"
    )
    padding = f"case strlen({_PART}) % 4 when 2 then '==' when 3 then '=' else '' end"
    length = f"strlen({_PART}) * 3 // 4 between 1 and {MAX_PAYLOAD}"
    return f"case when not ({length}) or {foreign} then null else {standard} || {padding} end"


def _is_small_object() -> str:
    """Whether the payload is an object within the limits.

    Counting braces and colons is cheap and nearly always enough; only if there are too many, or arrays, strings are
    taken out and the innermost brackets then, once per level.
    """
    bare = f"regexp_replace({_TEXT}, {literal(_STRING)}, '', 'g')"
    peeled = bare
    for _ in range(MAX_DEPTH):
        peeled = f"regexp_replace({peeled}, {literal(_INNERMOST)}, '', 'g')"
    brackets = f"strlen({_TEXT}) - strlen(replace({_TEXT}, '{{', ''))"
    flat = f"not contains({_TEXT}, '[') and {brackets} <= {MAX_DEPTH}"
    shallow = f"case when {flat} then true else not regexp_matches({peeled}, '[\\[{{]') end"
    colons = f"strlen({bare}) - strlen(replace({bare}, ':', ''))"
    at_most = f"strlen({_TEXT}) - strlen(replace({_TEXT}, ':', ''))"
    few = f"case when {at_most} <= {MAX_KEYS} then true else {colons} <= {MAX_KEYS} end"
    return f"case when {_KINDS}[1] = 'OBJECT' then case when {shallow} then {few} else false end else false end"
