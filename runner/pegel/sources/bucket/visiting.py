"""Objects that are read for another machine: the same requests, the same unpacking, and no ledger."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pegel.sources import Parcel, Part
from pegel.sources.bucket import Store, StoreError
from pegel.sources.bucket.fetching import Download, Fetcher
from pegel.sources.bucket.layout import Place
from pegel.sources.bucket.ledger import Entry
from pegel.sources.bucket.pump import Pump
from pegel.sources.bucket.unpacking import Content
from pegel.sources.inflate import DamagedError, Limits, UnreadyError

_MOMENT = 0.05
"""Seconds between two looks at what is on its way."""


class BucketVisitor:
    """Reads objects that were named; a `Visitor`."""

    def __init__(self, store: Store, limits: Limits, *, piece: int, parallel: int, most_bytes: int, part: int) -> None:
        """Nothing is asked for before `read`.

        Args:
            store: Where the objects are.
            limits: What unpacking one may cost.
            piece: Bytes of a part that is handed on.
            parallel: Requests at a time.
            most_bytes: Bytes that are on their way, or here and not yet read.
            part: Bytes of a request.
        """
        self._store = store
        self._limits = limits
        self._piece = piece
        self._parallel = parallel
        self._most_bytes = most_bytes
        self._part = part
        self._pump = Pump()

    def read(self, parcels: Sequence[Parcel]) -> Iterator[Part]:
        """Their content, one after another; what fails ends its own parcel only."""
        fetcher = Fetcher(
            self._pump, self._store, parallel=self._parallel, most_bytes=self._most_bytes, part=self._part
        )
        fetcher.add(_entry(parcel) for parcel in parcels)
        try:
            for number in range(len(parcels)):
                download = self._begun(fetcher)
                try:
                    yield from self._parts(number, download, fetcher)
                except (StoreError, DamagedError, UnreadyError) as error:
                    yield Part(number, error=error)
                fetcher.next(download)
        finally:  # whoever reads may give up
            while (download_left := fetcher.front()) is not None:
                fetcher.next(download_left)

    def _begun(self, fetcher: Fetcher) -> Download:
        """The object at the front, of which something was asked for."""
        fetcher.tick()
        while (download := fetcher.front()) is None:
            self._pump.run(_MOMENT)
            fetcher.tick()
        return download

    def _parts(self, number: int, download: Download, fetcher: Fetcher) -> Iterator[Part]:
        content = Content(download, self._limits, self._piece)
        while True:
            fetcher.tick()
            data = content.read()
            if data is None:
                self._pump.run(_MOMENT)
                continue
            yield Part(number, data, last=content.last)
            if content.last:
                return

    def close(self) -> None:
        """Give every connection back."""
        self._pump.close(self._store.close())


def _entry(parcel: Parcel) -> Entry:
    place = Place("")
    return Entry(parcel.key, parcel.etag, parcel.size, 0, place, parcel.order, parcel.offset, mark=parcel.mark)
