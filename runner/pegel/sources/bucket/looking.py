"""Looks at a bucket: listing what may be new, page by page, and what of it is to be read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from pegel.sources.bucket import Page, Store, StoreError
from pegel.sources.bucket.layout import Layout
from pegel.sources.bucket.ledger import Entry, Ledger
from pegel.sources.bucket.order import oldest_first
from pegel.sources.bucket.ranges import Range

MOST_NEW = 50_000
"""New objects that are held at a time; what is behind them is listed when these are nearly read."""

_MOST_OF_ONE_PERIOD = 4
"""Times as many may be of one hour, which is not divided before."""


@dataclass
class Look:
    """One listing.

    Attributes:
        after: Keys behind this one are listed.
        skip: Nothing that is there now is to be read.
        fresh: What is to be read, in the order of the keys until the look ends.
        part: Only of this part.
        go_on: Where the next look begins; empty where this one has seen everything.
    """

    after: str
    skip: bool = False
    fresh: list[Entry] = field(default_factory=list)
    part: Range | None = None
    go_on: str = ""

    @property
    def complete(self) -> bool:
        """Whether everything behind `after` was seen."""
        return not self.go_on


class Looker:
    """Lists the objects of one source."""

    def __init__(self, store: Callable[[], Store], layout: Layout, ledger: Ledger) -> None:
        self._store = store
        self._layout = layout
        self._ledger = ledger

    async def run(self, look: Look) -> Look:
        """List, and decide about what is new; where that fails nothing was decided.

        Raises:
            StoreError: The bucket cannot be listed now.
        """
        try:
            await self._pages(look)
        except BaseException:
            self._ledger.release(look.fresh)
            look.fresh = []
            raise
        look.fresh = oldest_first(look.fresh)
        return look

    async def _pages(self, look: Look) -> None:
        token = ""
        while True:
            page = await self._store().list(self._layout.prefix, look.after, token)
            for found in page.objects:
                if self._ledger.is_news(found) and self._is_meant(found.key, look):
                    entry = self._ledger.meet(found)
                    if entry is not None:
                        look.fresh.append(entry)
            if page.token and page.token == token:
                raise StoreError("the listing goes on where it began; is it an S3 server?")
            token = page.token
            if not token or self._is_enough(look, page):
                return

    def _is_enough(self, look: Look, page: Page) -> bool:
        """Whether nothing more is to be asked for; a page may have nothing in it, and others follow."""
        if not page.objects:
            return False
        last = page.objects[-1].key
        if look.part and look.part.ends_before(last, self._layout):
            return True
        return not look.skip and len(look.fresh) >= MOST_NEW and self._cut(look, last)

    def _is_meant(self, key: str, look: Look) -> bool:
        if look.part is None:
            return True
        place = self._layout.place(key)
        return place is not None and look.part.holds(key, place)

    def _cut(self, look: Look, last: str) -> bool:
        """End a look that has found much; where keys have hours, at the end of one."""
        period = look.fresh[-1].place.period
        kept = [entry for entry in look.fresh if entry.place.period != period]
        if period is None or (not kept and len(look.fresh) >= _MOST_OF_ONE_PERIOD * MOST_NEW):
            look.go_on = last
            return True
        if not kept:
            return False
        self._ledger.release([entry for entry in look.fresh if entry.place.period == period])
        look.fresh, look.go_on = kept, self._layout.before(period)
        return True
