"""A bucket in memory that lists, serves and deletes the way S3 does, and fails as a test says."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pegel.sources.bucket import Changed, Found, Missing, Page, StoreError

NOON = 1_772_539_200.0
"""2026-03-03 12:00:00 UTC."""


@dataclass(frozen=True)
class Stored:
    """An object."""

    data: bytes
    written: float

    @property
    def etag(self) -> str:
        return hashlib.md5(self.data).hexdigest()


@dataclass
class FakeBucket:
    """One bucket; a `Store`.

    Attributes:
        page_size: Keys in a page of a listing.
        fault: Asked before each request with its kind (`list`, `read`, `delete`) and key; what it returns is raised.
        spoil: Changes what a read returns.
        asked: How often each kind of request came.
    """

    objects: dict[str, Stored] = field(default_factory=dict)
    page_size: int = 1000
    fault: Callable[[str, str], StoreError | None] = lambda _kind, _key: None
    spoil: Callable[[str, bytes], bytes] = lambda _key, data: data
    asked: Counter[str] = field(default_factory=Counter)
    after: list[str] = field(default_factory=list)
    closed: bool = False

    def put(self, key: str, data: bytes, written: float = NOON) -> None:
        self.objects[key] = Stored(data, written)

    async def list(self, prefix: str, after: str, token: str) -> Page:
        self._begin("list", prefix)
        self.after.append(after)
        keys = sorted(key for key in self.objects if key.startswith(prefix) and key > max(after, token))
        some = keys[: self.page_size]
        found = [Found(key, self.objects[key].etag, len(self.objects[key].data), self._said(key)) for key in some]
        return Page(found, some[-1] if len(keys) > len(some) else "")

    async def read(self, key: str, etag: str, start: int, end: int) -> bytes:
        self._begin("read", key)
        data = self._current(key, etag).data[start:end]
        return self.spoil(key, data)

    async def delete(self, key: str, etag: str) -> None:
        self._begin("delete", key)
        self._current(key, etag)
        del self.objects[key]

    async def close(self) -> None:
        self.closed = True

    def _begin(self, kind: str, key: str) -> None:
        self.asked[kind] += 1
        error = self.fault(kind, key)
        if error is not None:
            raise error

    def _current(self, key: str, etag: str) -> Stored:
        if key not in self.objects:
            raise Missing(f"there is no object {key}")
        if self.objects[key].etag != etag:
            raise Changed("the object was replaced")
        return self.objects[key]

    def _said(self, key: str) -> str:
        moment = datetime.fromtimestamp(self.objects[key].written, UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
