"""Parts of a listing as S3 writes them: XML, whose keys are text that a stranger chose.

A look at a bucket is mostly pages whose objects are all known, so what a page says is first read by a pattern (1.5 ms
for a thousand objects). That answers only for pages of the plain form that servers write; everything else goes to
the XML parser (7 ms), which is the definition.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from urllib.parse import unquote_to_bytes
from xml.etree import ElementTree as ET

from pegel.sources.bucket import Found, Page, StoreError, keys

_FIELDS = ("Key", "ETag", "Size", "LastModified")

_OPENING = frozenset(f"<{name}>".encode() for name in _FIELDS)
_BEGIN, _END = b"<Contents>", b"</Contents>"
_TAG = re.compile(rb"<[^>]*>")
_TRUNCATED = re.compile(rb"<IsTruncated>true</IsTruncated>")
_TOKEN = re.compile(rb"<NextContinuationToken>([^<&]*)</NextContinuationToken>")
_PLAIN = re.compile(rb'\s*<\?xml version="1\.0"(?: encoding="(?:UTF|utf)-8")?\s*\?>\s*<ListBucketResult[\s>]')

_REPLACED = "\ufffd"
"""What some servers write in the place of a byte that XML cannot hold."""

_RETURN = re.compile(rb"<Key>[^<]*\r")
"""A key that XML makes another one of: the parser reads every end of a line as a newline."""

_ODD = (b"<!", b"\r", b"<EncodingType>", _REPLACED.encode())
"""What the parser has to look at."""

_MOST_TAGS = 200_000
"""Tags in a page: ten times those of a thousand objects with all that can be said of them."""

_MOST_FIELDS = 64
"""Tags of an object that is read by a pattern."""

_MOST_SIZE = 2**50
"""Bytes; no object is as big."""

_NO_LISTING = "the answer is no listing of objects; is it an S3 server?"


class UnreadableError(StoreError):
    """The page is no XML, or has a key in it that XML cannot hold."""


def page(body: bytes, *, last_resort: bool = False) -> Page:
    """The objects of a page.

    Args:
        body: What the server wrote.
        last_resort: It was asked for keys with percent signs already; if it has none, a changed key has to do.

    Raises:
        UnreadableError: It is not well-formed, or a key was changed to make it so.
        StoreError: It is no listing.
    """
    if b"\0" in body or b"<!DOCTYPE" in body or body.count(b"<") > _MOST_TAGS:
        # entities grow, and two bytes a character would hide them; a tree of a million tags takes a gigabyte
        raise StoreError(_NO_LISTING)
    found = _plain(body) or _parsed(body, last_resort=last_resort)
    if not _are_tags("".join([one.etag for one in found.objects])):
        raise StoreError("the listing has an object with an ETag that is none")
    if max((one.size for one in found.objects), default=0) > _MOST_SIZE:
        raise StoreError("the listing has an object with a size that none has")
    return found


def _are_tags(etags: str) -> bool:
    """Whether ETags can stand in a header: they are sent back as a condition."""
    return etags.isascii() and etags.isprintable()


def _plain(body: bytes) -> Page | None:
    """The same for a page of the usual form; None for any other."""
    if not _PLAIN.match(body) or any(odd in body for odd in _ODD):
        return None
    token = _TOKEN.search(body)
    more = _TRUNCATED.search(body) is not None
    first = body.find(_BEGIN)
    if more and token is None:
        return None
    objects: list[Found] = []
    following = ""
    if first >= 0:
        shape = _shape(body[first : body.find(_END, first)])
        said = shape[0].findall(body, first) if shape else []
        if not shape or len(said) != body.count(_BEGIN):
            return None
        try:
            objects = list(_read(said, shape[1]))
        except ValueError:  # an entity, or a byte that is no UTF-8
            return None
    try:
        following = token[1].decode() if more and token else ""
    except ValueError:
        return None
    return Page(objects, following)


def _read(said: Iterable[Sequence[bytes]], places: Sequence[int]) -> Iterator[Found]:
    key, etag, size, modified = places
    for one in said:
        name, tag = one[key], one[etag].replace(b"&quot;", b'"')
        if b"&" in name or b"&" in tag or not one[size].isdigit():
            raise ValueError("an entity, or no number")
        yield Found(name.decode(), tag.decode("ascii").strip('"'), int(one[size]), one[modified].decode("ascii"))


@lru_cache(maxsize=64)
def _pattern(tags: tuple[bytes, ...]) -> tuple[re.Pattern[bytes], tuple[int, ...]] | None:
    """What fits an object with these tags in this order, and where the fields are in it; None if one is missing."""
    order = [tag[1:-1].decode() for tag in tags if tag in _OPENING]
    if sorted(order) != sorted(_FIELDS) or len(tags) > _MOST_FIELDS:
        return None
    texts = [rb"([^<]*)" if tag in _OPENING else rb"[^<]*" for tag in tags]
    parts = [re.escape(tag) + text for tag, text in zip(tags, texts, strict=True)]
    return re.compile(b"".join(parts) + re.escape(_END)), tuple(map(order.index, _FIELDS))


def _shape(block: bytes) -> tuple[re.Pattern[bytes], tuple[int, ...]] | None:
    """What fits objects that are written like this one."""
    return _pattern(tuple(_TAG.findall(block)))


def _parsed(body: bytes, *, last_resort: bool) -> Page:
    try:
        root = ET.fromstring(body)  # noqa: S314 - no document type is let through, so nothing can grow
    except (ET.ParseError, LookupError, ValueError) as error:  # the latter of an encoding that nobody knows
        raise UnreadableError(f"the listing cannot be read: {error}") from error
    space = root.tag[: root.tag.find("}") + 1]
    if root.tag != f"{space}ListBucketResult":
        raise StoreError(_NO_LISTING)
    packed = root.findtext(f"{space}EncodingType") == "url"
    objects = [_object(item, space, packed=packed) for item in root.iterfind(f"{space}Contents")]
    if not (packed or last_resort) and (_RETURN.search(body) or any(_REPLACED in found.key for found in objects)):
        raise UnreadableError("the listing has a key that XML cannot hold")
    more = root.findtext(f"{space}IsTruncated") == "true"
    token = root.findtext(f"{space}NextContinuationToken") or ""
    if more and not token:
        raise StoreError("the listing says that there is more, and not how to go on")
    return Page(objects, token if more else "")


def _object(item: ET.Element, space: str, *, packed: bool) -> Found:
    said = {below.tag: below.text or "" for below in item}
    key, etag, size, modified = [said.get(f"{space}{name}", "") for name in _FIELDS]
    if not (size.isascii() and size.isdigit()) or len(size) > 18:
        raise StoreError("the listing has an object without a size")
    return Found(_unpacked(key) if packed else key, etag.strip('"'), int(size), modified)


def _unpacked(key: str) -> str:
    """A key under `encoding-type=url`, where a blank is a plus sign."""
    return keys.from_bytes(unquote_to_bytes(key.replace("+", " ")))
