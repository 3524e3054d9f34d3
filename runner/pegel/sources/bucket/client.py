"""A bucket behind the interface of S3."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from pegel.reaching import Resolve, Trust, resolve
from pegel.sources.bucket import Changed, Missing, Page, Refused, StoreError, keys
from pegel.sources.bucket.listing import UnreadableError, page
from pegel.sources.bucket.signing import Credentials, query_text, signed
from pegel.sources.bucket.wire import Reply, Wire

_MOST_LISTED = 8 << 20
"""Bytes of a page: a thousand keys of 1,024 bytes, each byte as six, and what stands between."""

_MOST_SAID = 64 * 1024
"""Bytes of an answer that says what is wrong."""

_CODE = re.compile(rb"<Code>([A-Za-z0-9.]{1,64})</Code>")
_REGION = re.compile(rb"<Region>([A-Za-z0-9_-]{1,64})</Region>")

Style = Literal["path", "virtual"]


@dataclass(frozen=True)
class Address:
    """Where a bucket is.

    Attributes:
        endpoint: Scheme, host and port of the server.
        bucket: Name of the bucket.
        region: The server's.
        style: Where the bucket's name is in a request: in the `path`, or before the host (`virtual`).
    """

    endpoint: str
    bucket: str
    region: str
    style: Style

    @property
    def server(self) -> str:
        """Scheme and host of the requests."""
        if self.style == "path":
            return self.endpoint
        parts = urlsplit(self.endpoint)
        return f"{parts.scheme}://{self.bucket}.{parts.netloc}"

    @property
    def root(self) -> str:
        """Path of the bucket itself."""
        return f"/{self.bucket}" if self.style == "path" else ""


class Bucket:
    """One bucket of a server; a `Store`."""

    def __init__(
        self,
        address: Address,
        who: Credentials | None,
        wall: Callable[[], float],
        trust: Trust,
        timeout: float,
        resolve: Resolve = resolve,
    ) -> None:
        """Connects with the first request.

        Args:
            address: Where it is.
            who: Signs the requests; nobody where the bucket is open to all.
            wall: Gives seconds since 1970.
            trust: Whom to believe.
            timeout: Seconds without a byte after which a request has failed.
            resolve: Finds the addresses of a host.
        """
        self._address = address
        self._who = who
        self._wall = wall
        self._wire = Wire(address.server, timeout, trust, resolve)
        self._url_encoded = False
        self.said_time = ""

    @property
    def server(self) -> str:
        """Scheme, host and port of the requests."""
        return self._wire.place

    async def list(self, prefix: str, after: str, token: str) -> Page:
        query = {"list-type": "2", "prefix": prefix}
        if token:
            query["continuation-token"] = token
        elif after:
            query["start-after"] = after
        if not self._url_encoded:
            try:
                return await self._listed(query)
            except UnreadableError:
                # A key with a control character cannot be in XML. Percent signs are asked for only then: in
                # them servers do not agree on what a plus sign is.
                found = await self._listed({**query, "encoding-type": "url"})
                self._url_encoded = True
                return found
        return await self._listed({**query, "encoding-type": "url"})

    async def _listed(self, query: Mapping[str, str]) -> Page:
        root = self._address.root or "/"
        reply = await self._ask("GET", root, query, (), _MOST_LISTED)
        if reply.status != 200:
            raise self._trouble(reply, f"listing the bucket {self._address.bucket}", "s3:ListBucket")
        return page(reply.body, last_resort="encoding-type" in query)

    async def read(self, key: str, etag: str, start: int, end: int) -> bytes:
        if start == end:
            return b""
        headers = [("range", f"bytes={start}-{end - 1}"), *_if_match(etag)]
        reply = await self._ask("GET", self._path(key), {}, headers, max(end - start, _MOST_SAID))
        if reply.status not in (200, 206):
            raise self._trouble(reply, "reading an object", "s3:GetObject")
        if reply.headers.get("etag", "").strip('"') not in ("", etag):
            raise Changed("the object was replaced")
        body = reply.body
        if len(body) != end - start or not _begins_at(reply, start):
            raise StoreError(f"{self._wire.place} sent another part of an object than was asked for")
        return body

    async def delete(self, key: str, etag: str) -> None:
        path = self._path(key)
        reply = await self._ask("HEAD", path, {}, _if_match(etag), 0)
        if reply.status == 200 and reply.headers.get("etag", "").strip('"') != etag:
            raise Changed("the object was replaced")
        if reply.status not in (200, 204):
            raise self._trouble(reply, "looking at an object before it is deleted", "s3:GetObject")
        reply = await self._ask("DELETE", path, {}, _if_match(etag), _MOST_SAID)
        if reply.status == 501:  # a condition is more than this server knows; the look before is what there is
            reply = await self._ask("DELETE", path, {}, (), _MOST_SAID)
        if reply.status not in (200, 204):
            raise self._trouble(reply, "deleting an object", "s3:DeleteObject")

    async def may_delete(self, key: str) -> None:
        """Ask for the deletion of an object that there is not: only the right is looked at.

        Raises:
            StoreError: It is not allowed, or cannot be asked.
        """
        reply = await self._ask("DELETE", self._path(key), {}, _if_match("0"), _MOST_SAID)
        if reply.status in (401, 403) or reply.status >= 500:
            raise self._trouble(reply, "deleting an object", "s3:DeleteObject")

    async def close(self) -> None:
        await self._wire.close()

    def _path(self, key: str) -> str:
        return f"{self._address.root}/{keys.in_url(key)}"

    async def _ask(
        self, method: str, path: str, query: Mapping[str, str], headers: Iterable[tuple[str, str]], limit: int
    ) -> Reply:
        text = query_text(query)
        own: list[tuple[str, str]] = []
        if self._who is not None:
            self._who.renew()
            own += signed(method, self._wire.host, path, text, self._who, self._address.region, self._wall())
        reply = await self._wire.ask(method, f"{path}?{text}" if text else path, [*own, *headers], limit)
        self.said_time = reply.headers.get("date", self.said_time)
        return reply

    def _trouble(self, reply: Reply, what: str, right: str) -> StoreError:
        """What an answer means, in the operator's words."""
        found = _CODE.search(reply.body[:_MOST_SAID])
        code = found[1].decode() if found else ""
        said = f"{self._wire.place}: {what} failed with {reply.status}{f' {code}' if code else ''}"
        if code in _ADVICE:
            kind = Refused if code == "SignatureDoesNotMatch" else StoreError
            where = _where(reply) if code == "AuthorizationHeaderMalformed" else ""
            return kind(f"{said}; {_ADVICE[code].format(address=self._address)}{where}")
        if reply.status == 404:  # a proxy that has lost its server says so, too, and means no object
            return Missing(said) if code == "NoSuchKey" or not reply.body else StoreError(said)
        if reply.status == 412:
            return Changed(said)
        if reply.status in (401, 403):
            return Refused(f"{said}; the key needs the right {right}")
        if 400 <= reply.status < 500 and reply.status not in (408, 409, 429):
            return Refused(said)
        if 300 <= reply.status < 400:
            return StoreError(f"{said}; the bucket is elsewhere: correct endpoint or region{_where(reply)}")
        return StoreError(said, slow=reply.status in (429, 503))


_ADVICE = {
    "NoSuchBucket": "there is no bucket {address.bucket}: correct `bucket`, or the address style ({address.style})",
    "InvalidAccessKeyId": "the server does not know this access key",
    "SignatureDoesNotMatch": "the secret key is wrong, or the region ({address.region}) is another one",
    "AuthorizationHeaderMalformed": "the region is probably not {address.region}",
    "RequestTimeTooSkewed": "the clocks of server and machine are more than 15 minutes apart; let both follow NTP",
    "ExpiredToken": "the session token has expired; write a new one into its file",
    "InvalidToken": "the session token is not valid",
}
"""What to do, by the code of an error."""


def _where(reply: Reply) -> str:
    """The region that the server names, if it names one."""
    found = _REGION.search(reply.body[:_MOST_SAID])
    said = reply.headers.get("x-amz-bucket-region", found[1].decode() if found else "")
    return f" (the server says {said})" if re.fullmatch(r"[A-Za-z0-9_-]{1,64}", said) else ""


def _if_match(etag: str) -> list[tuple[str, str]]:
    """The condition that an object is still the one with the ETag; a listing without ETags cannot have one."""
    return [("if-match", f'"{etag}"')] if etag else []


def _begins_at(reply: Reply, start: int) -> bool:
    if reply.status == 200:
        return start == 0  # all of it, whatever part was asked for
    return reply.headers.get("content-range", f"bytes {start}-").startswith(f"bytes {start}-")
