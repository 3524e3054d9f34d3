"""Text from logs made safe to write down: labels and values are chosen by strangers."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from json import JSONEncoder

MAX_LABEL = 1024
"""Characters of a label value."""

# Control characters, and the unseen ones that turn or hide the text around them in a dashboard or terminal.
# The joiners that emoji are built with (U+200C, U+200D) stay.
_UNSEEN = "\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
_UNSAFE = re.compile(f"[\x00-\x1f\x7f-\x9f{_UNSEEN}]")
_UNSAFE_IN_JSON = re.compile(f"[\x7f-\x9f{_UNSEEN}]")
_SURROGATE = re.compile("[\ud800-\udfff]")

_json = JSONEncoder(ensure_ascii=False, allow_nan=False).encode
_compact_json = JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def clean(text: str, limit: int = MAX_LABEL) -> str:
    """The text on one line, in NFC, without control or direction characters, and at most `limit` long.

    What cannot be shown becomes `_`, half a character (a lone surrogate) becomes U+FFFD. The end of a longer
    text is replaced by a short hash of it, so that two long texts that differ still differ.
    """
    if len(text) > limit:
        from hashlib import blake2b  # 5 ms that a command should not pay before it meets such a text

        digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
        text = f"{text[: limit - 20]}~{digest}"
    if text.isascii() and text.isprintable():
        return text
    return _UNSAFE.sub("_", unicodedata.normalize("NFC", _SURROGATE.sub("\ufffd", text)))


@lru_cache(maxsize=1024)
def clean_name(name: str) -> str:
    """A metric, label or value name; like `clean`, but never empty."""
    return clean(name, 200) or "_"


def distinct_names(names: Sequence[str]) -> tuple[str, ...]:
    """The names with `_2`, `_3`, … behind those that were there before: cleaning can make two names equal."""
    taken: set[str] = set()
    return tuple(_take(name, taken) for name in names)


def to_json(value: object, *, compact: bool = False) -> str:
    """One line of strict JSON that holds the value exactly and is safe to show.

    Characters that a terminal obeys are escaped; a lone surrogate, which readers refuse, becomes U+FFFD.
    Numbers have to be finite.
    """
    text = _compact_json(value) if compact else _json(value)
    if text.isascii() and "\x7f" not in text:
        return text
    return _UNSAFE_IN_JSON.sub(_escape, _SURROGATE.sub("\ufffd", text))


def _take(name: str, taken: set[str]) -> str:
    candidates: Iterable[str] = (f"{name}_{number}" for number in range(2, len(taken) + 3))
    chosen = name if name not in taken else next(each for each in candidates if each not in taken)
    taken.add(chosen)
    return chosen


def _escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"
