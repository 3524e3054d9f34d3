"""Remote write's messages as bytes: a `prometheus.WriteRequest` is one field per series, in any number.

A series of one sample is its labels, which stay the same from minute to minute, then eight bytes of value and the
time, which all series of a window share. So the labels are made once, and a sample is three pieces put together.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

STALE = struct.pack("<Q", 0x7FF0000000000002)
"""The number that ends a series, as eight bytes."""

_SERIES, _LABELS, _SAMPLES, _FIRST, _SECOND = b"\x0a", b"\x0a", b"\x12", b"\x0a", b"\x12"
"""Tags of fields with a length: number << 3 | 2."""

_VALUE, _TIME = b"\x09", b"\x10"
"""Tags of a double and of a varint."""

packed = struct.Struct("<d").pack
"""A number as eight bytes."""


@dataclass(frozen=True)
class Moment:
    """The end of a sample: the time that it shares with others.

    Attributes:
        tail: The field of the time.
    """

    tail: bytes

    @classmethod
    def of(cls, milliseconds: int) -> Moment:
        """A time since 1970; before that it is negative and ten bytes long."""
        return cls(_TIME + varint(milliseconds & 0xFFFFFFFFFFFFFFFF))

    def head(self, labels: bytes) -> bytes:
        """All of a series but the value and the time."""
        sample = len(_VALUE) + 8 + len(self.tail)
        inside = labels + _SAMPLES + varint(sample) + _VALUE
        return _SERIES + varint(len(inside) + 8 + len(self.tail)) + inside


def labels_field(name: str, labels: Iterable[tuple[str, str]]) -> bytes:
    """The labels of a series with its name among them, sorted as the protocol wants them."""
    return b"".join([_label(*pair) for pair in sorted([("__name__", name), *labels])])


def varint(number: int) -> bytes:
    """A number in groups of seven bits, the lowest first."""
    if number < 0x80:
        return _SINGLE[number]
    groups = []
    while number >= 0x80:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*groups, number])


def pieces(body: bytes, counts: Sequence[int]) -> list[bytes]:
    """A request cut into the series of each row: so many fields belong to it."""
    found = []
    at = 0
    for count in counts:
        begun = at
        for _ in range(count):
            length, start = _read(body, at + len(_SERIES))
            at = start + length
        found.append(body[begun:at])
    return found


def series_in(body: bytes, tail: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The labels and the sample (value and time, as in the message) of each series; their times are all this one."""
    size = len(_VALUE) + 8 + len(tail)
    head = len(_SAMPLES) + len(varint(size))
    at = 0
    while at < len(body):
        length, start = _read(body, at + len(_SERIES))
        at = start + length
        yield body[start : at - size - head], body[at - size : at]


def labels_in(field: bytes) -> list[bytes]:
    """Names and values in turn, from what `labels_field` made."""
    texts = []
    at = 0
    while at < len(field):
        _, at = _read(field, at + 1)
        for _ in range(2):
            length, start = _read(field, at + 1)
            texts.append(field[start : start + length])
            at = start + length
    return texts


@lru_cache(maxsize=65536)
def _label(name: str, text: str) -> bytes:
    first, second = name.encode(), text.encode()
    inside = _FIRST + varint(len(first)) + first + _SECOND + varint(len(second)) + second
    return _LABELS + varint(len(inside)) + inside


def _read(data: bytes, at: int) -> tuple[int, int]:
    """A varint, and where it ends."""
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
        shift += 7


_SINGLE = [bytes([number]) for number in range(0x80)]
