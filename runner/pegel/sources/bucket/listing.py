"""Parts of a listing as S3 writes them: XML, whose keys are text that a stranger chose."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes
from xml.etree import ElementTree as ET

from pegel.sources.bucket import Found, Page, StoreError, keys


class UnreadableError(StoreError):
    """The page is no XML, or has a key in it that XML cannot hold."""


_REPLACED = "\ufffd"
"""What some servers write in the place of a byte that XML cannot hold."""


def page(body: bytes, *, last_resort: bool = False) -> Page:
    """The objects of a page.

    Args:
        body: What the server wrote.
        last_resort: It was asked for keys with percent signs already; if it has none, a changed key has to do.

    Raises:
        UnreadableError: It is not well-formed, or a key was changed to make it so.
        StoreError: It is no listing.
    """
    if b"<!DOCTYPE" in body[:1024]:
        raise StoreError("the answer is no listing of objects; is it an S3 server?")
    try:
        root = ET.fromstring(body)  # noqa: S314 - no document type is let through, so nothing can grow
    except ET.ParseError as error:
        raise UnreadableError(f"the listing cannot be read: {error}") from error
    space = root.tag[: root.tag.find("}") + 1]
    if root.tag != f"{space}ListBucketResult":
        raise StoreError("the answer is no listing of objects; is it an S3 server?")
    packed = root.findtext(f"{space}EncodingType") == "url"
    names = [f"{space}{name}" for name in ("Key", "ETag", "Size", "LastModified")]
    objects = []
    for item in root.iterfind(f"{space}Contents"):
        said = {below.tag: below.text or "" for below in item}
        key, etag, size, modified = [said.get(name, "") for name in names]
        if not size.isdecimal() or not _is_tag(etag):
            raise StoreError("the listing has an object without a size, or with an ETag that is none")
        if not (packed or last_resort) and _REPLACED in key:
            raise UnreadableError("the listing has a key that XML cannot hold")
        objects.append(Found(_unpacked(key) if packed else key, etag.strip('"'), int(size), modified))
    more = root.findtext(f"{space}IsTruncated") == "true"
    token = root.findtext(f"{space}NextContinuationToken") or ""
    if more and not token:
        raise StoreError("the listing says that there is more, and not how to go on")
    return Page(objects, token if more else "")


def _is_tag(etag: str) -> bool:
    """Whether it can stand in a header: it is sent back as a condition."""
    return etag.isascii() and etag.isprintable()


def _unpacked(key: str) -> str:
    """A key under `encoding-type=url`, where a blank is a plus sign."""
    return keys.from_bytes(unquote_to_bytes(key.replace("+", " ")))
