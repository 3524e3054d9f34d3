"""A bucket of objects: what a source asks of one, and how it may fail.

`Store` is the seam: the real one speaks S3 (`client.py`), tests have one that fails as they like. Every call is a
coroutine that waits for the network only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol


class Found(NamedTuple):
    """An object in a listing.

    Attributes:
        key: Its name, as text; bytes of it that are no UTF-8 are lone surrogates.
        etag: What changes with its content, without quotes.
        size: In bytes.
        modified: When it was written, as the server says it (ISO 8601).
    """

    key: str
    etag: str
    size: int
    modified: str


@dataclass(frozen=True)
class Page:
    """A part of a listing, in the order of the keys.

    Attributes:
        objects: What is there.
        token: Where the next part begins, in the server's words; empty after the last one.
    """

    objects: Sequence[Found]
    token: str = ""


class Store(Protocol):
    """One bucket. Nothing is tried twice here, but for a connection that had been closed while it was idle."""

    async def list(self, prefix: str, after: str, token: str) -> Page:
        """The next part of a listing.

        Args:
            prefix: Only keys that begin with it.
            after: Only keys behind it.
            token: Of the page before, empty for the first one.

        Raises:
            StoreError: It cannot be had now.
        """

    async def read(self, key: str, etag: str, start: int, end: int) -> bytes:
        """The bytes from `start` up to `end` of an object, all of them.

        Raises:
            Missing: There is no such object any more.
            Changed: It is another one than that with the ETag.
            Refused: It may not be read.
            StoreError: It cannot be had now.
        """

    async def delete(self, key: str, etag: str) -> None:
        """Remove an object, unless it is another one than that with the ETag.

        Raises:
            Missing: There is no such object.
            Changed: It is another one.
            StoreError: It was not removed, or nobody knows.
        """

    async def close(self) -> None:
        """Give every connection back."""


class StoreError(Exception):
    """The server did not do what it was asked for; the text is a sentence for the operator.

    Attributes:
        slow: It asked for fewer requests.
    """

    def __init__(self, message: str, *, slow: bool = False) -> None:
        self.slow = slow
        super().__init__(message)


class Refused(StoreError):
    """A right is missing."""


class Missing(StoreError):
    """There is no such object."""


class Changed(StoreError):
    """Under the key there is another object by now."""
