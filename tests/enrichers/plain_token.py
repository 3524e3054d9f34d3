"""What a token says, in plain Python: the definition that the enricher's SQL is held against."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from typing import Any

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{},:]|[^\s\[\]{},:"]+|\s+|"', re.DOTALL)
_CONSTANT = re.compile(r"(-?)(?:nan|inf|infinity)", re.IGNORECASE)


def encode(payload: bytes) -> str:
    return base64.urlsafe_b64encode(payload).rstrip(b"=").decode()


def token(payload: object) -> str:
    """A token with a header, a payload (bytes as they are, anything else as JSON) and a signature."""
    data = payload if isinstance(payload, bytes) else json.dumps(payload, separators=(",", ":")).encode()
    return f"{encode(b'{}')}.{encode(data)}.c2ln"


def read(text: str | None, paths: Sequence[str]) -> tuple[bool | None, list[str | None]]:
    """Whether a token is readable (None for no token), and the values at the paths."""
    claims = _claims(text) if text else None
    values = [_leaf(claims, path) for path in paths]
    return (claims is not None if text else None), values


def _claims(text: str) -> dict[str, Any] | None:
    parts = text.split(".")
    if len(parts) != 3 or len(text.encode()) > 8192 or not re.fullmatch(r"[A-Za-z0-9_-]+", parts[1]):
        return None
    try:
        payload = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        if not 0 < len(payload) <= 4096:
            return None
        reader = _Reader()
        document = json.loads(_strict(payload.decode()), object_pairs_hook=reader.first, parse_constant=lambda _: None)
        json.dumps(document, ensure_ascii=False).encode()  # an escaped half of a surrogate pair is no text
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or reader.keys > 64 or _depth(document) > 8:
        return None
    return document


class _Reader:
    """Of a key that is there twice the first one counts; all are counted."""

    def __init__(self) -> None:
        self.keys = 0

    def first(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        self.keys += len(pairs)
        json.dumps(pairs, ensure_ascii=False).encode()
        return dict(reversed(pairs))


def _strict(text: str) -> str:
    """The engine forgives a comma behind the last element, and any spelling of NaN and infinity."""
    found: list[str] = []
    for part in _TOKEN.findall(text):
        if part in "]}" and len(found) > 1 and found[-1] == "," and found[-2] not in (",", "[", "{", ":"):
            found.pop()
        constant = _CONSTANT.fullmatch(part)
        if constant:
            part = f"{constant[1]}Infinity" if constant[1] else "NaN"
        if part.strip(" \t\r\n"):
            found.append(part)
    return " ".join(found)


def _depth(value: Any) -> int:
    deepest, waiting = 0, [(value, 1)]
    while waiting:
        one, depth = waiting.pop()
        if isinstance(one, dict | list):
            deepest = max(deepest, depth)
            waiting.extend((below, depth + 1) for below in (one.values() if isinstance(one, dict) else one))
    return deepest


def _leaf(claims: dict[str, Any] | None, path: str) -> str | None:
    value: Any = claims
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**64:
        return str(value)
    return None
