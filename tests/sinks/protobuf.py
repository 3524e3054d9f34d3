"""Reads remote-write messages by the rules of protobuf and snappy alone, sharing nothing with what writes them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Series:
    """One series of a request, as it stands there.

    Attributes:
        labels: In the order of the message.
        samples: Bits of the value, and time in milliseconds.
    """

    labels: tuple[tuple[str, str], ...]
    samples: tuple[tuple[bytes, int], ...]

    @property
    def value(self) -> float:
        """The only value."""
        ((bits, _),) = self.samples
        number: float = struct.unpack("<d", bits)[0]
        return number


def fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Number and content of each field: bytes, or an integer."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
        elif kind == 1:
            yield key >> 3, data[at : at + 8]
            at += 8
        elif kind == 2:
            length, at = _varint(data, at)
            assert at + length <= len(data), "a field is longer than what is there"
            yield key >> 3, data[at : at + length]
            at += length
        else:
            raise AssertionError(f"wire type {kind}")


def read(message: bytes) -> list[Series]:
    """A `prometheus.WriteRequest`."""
    return [_series(dict_of(content)) for number, content in fields(message) if number == 1]


def read2(message: bytes) -> list[Series]:
    """An `io.prometheus.write.v2.Request`."""
    symbols = [content.decode() for number, content in fields(message) if number == 4]
    assert symbols[0] == ""
    assert len(set(symbols)) == len(symbols)
    found = []
    for number, content in fields(message):
        if number == 5:
            inside = dict_of(content)
            texts = [symbols[one] for one in _varints(inside[1][0])]
            labels = tuple(zip(texts[::2], texts[1::2], strict=True))
            found.append(Series(labels, tuple(map(_sample, inside[2]))))
    return found


def dict_of(message: bytes) -> dict[int, list[Any]]:
    """The fields of a message by their numbers."""
    found: dict[int, list[Any]] = {}
    for number, content in fields(message):
        found.setdefault(number, []).append(content)
    return found


def _series(inside: dict[int, list[Any]]) -> Series:
    assert inside.keys() == {1, 2}
    return Series(tuple(_label(dict_of(one)) for one in inside[1]), tuple(map(_sample, inside[2])))


def _label(inside: dict[int, list[Any]]) -> tuple[str, str]:
    ((name,), (value,)) = inside[1], inside[2]
    return name.decode(), value.decode()


def _sample(message: bytes) -> tuple[bytes, int]:
    inside = dict_of(message)
    ((bits,), (time,)) = inside[1], inside[2]
    return bits, time - (1 << 64) if time >> 63 else time


def _varints(data: bytes) -> Iterator[int]:
    at = 0
    while at < len(data):
        value, at = _varint(data, at)
        yield value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        value |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            return value, at
    raise AssertionError("a number without an end")
