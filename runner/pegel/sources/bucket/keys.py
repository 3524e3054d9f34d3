"""Keys of objects: text that a stranger wrote, of up to 1,024 bytes of any kind."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote_to_bytes

_ODD = re.compile("[\x00-\x1f%\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""What is written as percent and two digits where a key is stored or shown: controls, and bytes that are no UTF-8."""


def to_bytes(key: str) -> bytes:
    """The bytes of a key."""
    return key.encode("utf-8", "surrogateescape")


def from_bytes(raw: bytes) -> str:
    """The key of these bytes."""
    return raw.decode("utf-8", "surrogateescape")


def written(key: str) -> str:
    """A key as it is stored and shown: one line of valid text, and never the same for two keys."""
    return _ODD.sub(lambda found: quote(to_bytes(found[0])), key) if _ODD.search(key) else key


def read(text: str) -> str:
    """The key that was `written` so."""
    return from_bytes(unquote_to_bytes(text)) if "%" in text else text


def in_url(key: str) -> str:
    """A key as a path: everything but letters, digits, `-._~/` as percent and two digits, as S3 signs it."""
    return quote(to_bytes(key), safe="/-._~")
