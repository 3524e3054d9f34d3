"""Trying a bucket before anything runs: may it be listed and read, and, where that is wanted, deleted from?"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from pegel import clocks
from pegel.sources.bucket import Found, Missing, StoreError
from pegel.sources.bucket.client import Bucket
from pegel.sources.bucket.layout import Layout


@dataclass(frozen=True)
class Probe:
    """What is tried.

    Attributes:
        bucket: Where.
        layout: The keys that are meant.
        after: Keys behind this one are.
        deletes: Whether the right to delete is needed.
    """

    bucket: Bucket
    layout: Layout
    after: str
    deletes: bool

    async def run(self, now: float) -> list[str]:
        """What is wrong, as sentences that say what to do.

        Args:
            now: Seconds since 1970.
        """
        try:
            page = await self.bucket.list(self.layout.prefix, self.after, "")
        except StoreError as error:
            return [str(error), *self._clocks(now)]
        mine = [found for found in page.objects if self.layout.place(found.key) is not None]
        found = self._keys(page.objects, mine, more=bool(page.token))
        found += await self._reading(mine)
        found += await self._deleting()
        return found + self._clocks(now)

    def _keys(self, seen: object, mine: object, *, more: bool) -> list[str]:
        if seen and not mine and not more:
            return ["no key under the prefix fits `layout` and `names`; compare them with a key of the bucket"]
        return []

    async def _reading(self, mine: list[Found]) -> list[str]:
        """Read one byte of an object, if there is one."""
        for found in mine[:1]:
            try:
                await self.bucket.read(found.key, found.etag, 0, min(1, found.size))
            except Missing:
                return []  # it was deleted a moment ago
            except StoreError as error:
                return [str(error)]
        return []

    async def _deleting(self) -> list[str]:
        """Ask for the deletion of an object that there is not."""
        if not self.deletes:
            return []
        try:
            await self.bucket.may_delete(f"{self.layout.prefix}pegel-asks-{secrets.token_hex(8)}")
        except StoreError as error:
            return [f"{error}; without that right objects stay, and this is tried for ever"]
        return []

    def _clocks(self, now: float) -> list[str]:
        apart = clocks.complaint(self.bucket.said_time, now, self.bucket.server)
        return [] if apart is None else [apart]
