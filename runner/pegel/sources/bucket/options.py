"""What the options of an `s3` source mean together."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pegel.reaching import Trust
from pegel.sources.bucket.client import Address
from pegel.sources.bucket.signing import Credentials
from pegel.sources.bucket.wire import split_endpoint

if TYPE_CHECKING:
    from pegel.sources.s3 import S3

_LONGEST_TIMEOUT = 300.0
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{1,254}")
_REGION = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LONGEST_KEY = 1024


def check(source: S3) -> None:
    """Refuse options that cannot work.

    Raises:
        ValueError: The message begins with the name of the option.
    """
    _check_place(source)
    _check_keys(source)
    _check_limits(source)
    if source.dry_run and not source.delete:
        raise ValueError("dry_run: says what `delete = true` would do; write that as well")


def address(source: S3) -> Address:
    """Where the bucket is."""
    endpoint = source.endpoint or f"https://s3.{source.region}.amazonaws.com"
    return Address(endpoint.rstrip("/"), source.bucket, source.region, source.style)


def credentials(source: S3) -> Credentials | None:
    """Who signs the requests; nobody where the bucket is open to all."""
    if source.access_key is None or source.secret_key is None:
        return None
    return Credentials(source.access_key, source.secret_key, source.session_token)


def trust(source: S3) -> Trust:
    """Whom to believe."""
    return Trust(source.ca_file, not source.insecure_skip_verify, source.allow_link_local)


def _check_place(source: S3) -> None:
    if not _BUCKET.fullmatch(source.bucket):
        raise ValueError("bucket: is no name of a bucket")
    if not _REGION.fullmatch(source.region):
        raise ValueError("region: is no name of a region")
    if source.endpoint:
        try:
            split_endpoint(source.endpoint)
        except ValueError as error:
            raise ValueError(f"endpoint: {error}") from error
    if source.style == "virtual" and not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", source.bucket):
        raise ValueError('style: a bucket of this name cannot be a part of a host; use "path"')
    for name, text in (("prefix", source.prefix), ("start_after", source.start_after)):
        if len(text.encode()) > _LONGEST_KEY:
            raise ValueError(f"{name}: is longer than a key can be")


def _check_keys(source: S3) -> None:
    keys = {"access_key": source.access_key, "secret_key": source.secret_key}
    if source.anonymous and (any(keys.values()) or source.session_token):
        raise ValueError("anonymous: nothing is signed then; leave out the keys, or this option")
    for name, key in keys.items():
        if not source.anonymous and not key:
            raise ValueError(f"{name}: is missing; write it, or {name}_file, or anonymous = true for an open bucket")
    for name, key in {**keys, "session_token": source.session_token}.items():
        text = key.reveal() if key else ""
        if not text.isascii() or not text.isprintable() or " " in text:
            raise ValueError(f"{name}: has characters that no key has; is it in one line?")
    if source.ca_file is not None and not source.ca_file.is_file():
        raise ValueError("ca_file: there is no such file")
    if source.insecure_skip_verify and not source.i_know:
        raise ValueError(
            "insecure_skip_verify: anybody on the way could read the session token and change what is read;"
            " name the authority in ca_file, or say i_know = true as well"
        )


def _check_limits(source: S3) -> None:
    if not 0 < source.timeout <= _LONGEST_TIMEOUT:
        raise ValueError("timeout: has to be more than nothing and at most 5m")
    if not 1 <= source.parallel <= 256:
        raise ValueError("parallel: is between 1 and 256")
    if source.poll_interval < 1:
        raise ValueError("poll_interval: at least 1s")
    for name in ("max_in_flight", "part_size", "piece_size"):
        if getattr(source, name) < 64 * 1024:
            raise ValueError(f"{name}: at least 64KiB")
