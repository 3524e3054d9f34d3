"""Remote write 2.0: the same samples, with every text of the labels said once and numbered."""

from __future__ import annotations

from pegel.sinks.write_request import Moment, labels_in, series_in, varint

_SYMBOL, _SERIES = b"\x22", b"\x2a"
_REFERENCES, _SAMPLES = b"\x0a", b"\x12"


class Translator:
    """Turns requests of version 1.0 into those of 2.0; knows the texts of labels from one to the next."""

    def __init__(self, most: int = 200_000) -> None:
        """`most` label sets are remembered; then it is begun anew."""
        self._most = most
        self._texts: dict[bytes, list[bytes]] = {}

    def translate(self, body: bytes, time: int) -> bytes:
        """The same request in 2.0; its first symbol is the empty one, as the protocol wants it.

        Args:
            body: In 1.0.
            time: That of all its samples, in milliseconds.
        """
        numbers: dict[bytes, bytes] = {b"": varint(0)}
        parts: list[bytes] = []
        tail = Moment.of(time).tail
        for labels, sample in series_in(body, tail):
            references = b"".join([numbers.get(text) or _numbered(numbers, text) for text in self._labels(labels)])
            inside = b"".join([_REFERENCES, varint(len(references)), references, _SAMPLES, varint(len(sample)), sample])
            parts += (_SERIES, varint(len(inside)), inside)
        symbols = [piece for text in numbers for piece in (_SYMBOL, varint(len(text)), text)]
        return b"".join([*symbols, *parts])

    def _labels(self, field: bytes) -> list[bytes]:
        known = self._texts.get(field)
        if known is None:
            if len(self._texts) >= self._most:
                self._texts.clear()
            known = self._texts[field] = labels_in(field)
        return known


def _numbered(numbers: dict[bytes, bytes], text: bytes) -> bytes:
    """The number of a text that is new."""
    number = numbers[text] = varint(len(numbers))
    return number
