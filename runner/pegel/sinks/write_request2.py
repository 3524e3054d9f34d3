"""Remote write 2.0: the same samples, with every text of the labels said once and numbered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pegel.sinks.write_request import Moment, labels_in, series_in, varint

_SYMBOL, _SERIES = b"\x22", b"\x2a"
_REFERENCES, _SAMPLES = b"\x0a", b"\x12"


@dataclass(frozen=True)
class _Shape:
    """All of a request but its values and time.

    Attributes:
        symbols: The texts.
        heads: What is before the sample of each series.
    """

    symbols: bytes
    heads: Sequence[bytes]


class Translator:
    """Turns requests of version 1.0 into those of 2.0; knows the texts of labels from one to the next.

    From minute to minute a request has the same series in the same order: only its values are new then.
    """

    def __init__(self, most: int = 200_000) -> None:
        """`most` label sets are remembered; then it is begun anew."""
        self._most = most
        self._texts: dict[bytes, list[bytes]] = {}
        self._shapes: dict[tuple[tuple[bytes, ...], int], _Shape] = {}
        self._shaped = 0

    def translate(self, body: bytes, time: int) -> bytes:
        """The same request in 2.0; its first symbol is the empty one, as the protocol wants it.

        Args:
            body: In 1.0.
            time: That of all its samples, in milliseconds.
        """
        series = list(series_in(body, Moment.of(time).tail))
        if not series:
            return _symbols([b""])
        shape = self._shape(tuple([labels for labels, _ in series]), len(series[0][1]))
        parts = [shape.symbols]
        for head, (_, sample) in zip(shape.heads, series, strict=True):
            parts += (head, sample)
        return b"".join(parts)

    def _shape(self, fields: tuple[bytes, ...], size: int) -> _Shape:
        """What requests with these labels have in common; `size` is that of each sample."""
        known = self._shapes.get((fields, size))
        if known is None:
            self._shaped += len(fields)
            if self._shaped > self._most:
                self._shapes.clear()
                self._shaped = len(fields)
            known = self._shapes[fields, size] = self._new_shape(fields, size)
        return known

    def _new_shape(self, fields: Sequence[bytes], size: int) -> _Shape:
        numbers: dict[bytes, bytes] = {b"": varint(0)}
        heads: list[bytes] = []
        for labels in fields:
            references = b"".join([numbers.get(text) or _numbered(numbers, text) for text in self._labels(labels)])
            inside = b"".join([_REFERENCES, varint(len(references)), references, _SAMPLES, varint(size)])
            heads.append(b"".join([_SERIES, varint(len(inside) + size), inside]))
        return _Shape(_symbols(numbers), heads)

    def _labels(self, field: bytes) -> list[bytes]:
        known = self._texts.get(field)
        if known is None:
            if len(self._texts) >= self._most:
                self._texts.clear()
            known = self._texts[field] = labels_in(field)
        return known


def _symbols(texts: Iterable[bytes]) -> bytes:
    return b"".join([piece for text in texts for piece in (_SYMBOL, varint(len(text)), text)])


def _numbered(numbers: dict[bytes, bytes], text: bytes) -> bytes:
    """The number of a text that is new."""
    number = numbers[text] = varint(len(numbers))
    return number
