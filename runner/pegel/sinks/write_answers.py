"""What the answers of a remote-write receiver mean: samples that it can never store, or trouble that passes.

The protocol has no words for reasons, only a status. The texts of Prometheus, Mimir, Thanos and others are looked
at for three things that make a difference to what happens next: too old, a time that the series has already had,
or anything else.
"""

from __future__ import annotations

import re

from pegel.errors import Retryable
from pegel.sinks.answers import MAX_MESSAGE, SLOWLY, is_unsure, redirected, retry_after
from pegel.sinks.halving import Refusal
from pegel.sinks.posting import Reply
from pegel.sinks.safe_text import clean

_AHEAD = re.compile(r"future", re.IGNORECASE)
_OLD = re.compile(r"too[ -]old|out[ -]of[ -]bounds", re.IGNORECASE)
_KNOWN = re.compile(r"out[ -]of[ -]order|duplicate[ -](?:sample|timestamp)", re.IGNORECASE)
_WRITTEN = "x-prometheus-remote-write-samples-written"


def is_stored(reply: Reply, *, counted: bool = False) -> bool:
    """Whether everything was stored; `counted` if the receiver has to say how much, as in version 2.0."""
    if not 200 <= reply.status < 300 or "html" in reply.headers.get("content-type", ""):
        return False
    return not counted or _WRITTEN in reply.headers


def is_unsupported(reply: Reply) -> bool:
    """Whether the version is not understood: said, or seen from a receiver of 1.0 that took it for an empty one."""
    return reply.status == 415 or (is_stored(reply) and _WRITTEN not in reply.headers)


def refusal(reply: Reply, count: int) -> Refusal | None:
    """What is said against a request of `count` rows of one time; None if the answer is about something else."""
    if reply.status == 413:
        return Refusal("the sample alone is too big for the server (413)", fault="too_big")
    if reply.status not in (400, 409, 422):
        return None
    message = _message(reply)
    if _OLD.search(message) and not _AHEAD.search(message):  # true of all, as they have one time
        return Refusal("older than the receiver takes", count, "outside_retention")
    if _KNOWN.search(message):
        reason = "the series has a newer sample, or another one of this time; does somebody else write it?"
        return Refusal(reason, fault="out_of_order")
    return Refusal(clean(_plain(message), MAX_MESSAGE) or f"refused ({reply.status})")


def trouble(reply: Reply, url: str) -> Retryable:
    """The error for an answer that stored nothing and says nothing against samples."""
    after = retry_after(reply)
    if after is None and reply.status < 500:
        after = SLOWLY
    return Retryable(_sentence(reply, url), after, unsure=is_unsure(reply))


def _sentence(reply: Reply, url: str) -> str:
    said, status = clean(_message(reply), MAX_MESSAGE), reply.status
    if status == 401:
        return f"{url} does not know who asks (401); give user and password, a token or a certificate that it knows"
    if status == 403:
        return f"{url} does not allow this writer to write (403{': ' if said else ''}{said}); give it that right"
    if status in (404, 405):
        return (
            f"{url} is no address for remote writes ({status}); start Prometheus with"
            " --web.enable-remote-write-receiver, or correct the url (Prometheus: /api/v1/write)"
        )
    if 300 <= status < 400:
        return redirected(reply, url)
    if status == 415:
        return f"{url} does not understand remote write ({status}{': ' if said else ''}{said})"
    if 200 <= status < 300:
        return f"is {url} the address of a receiver? it answered a write with a web page ({status})"
    if status in (429, 503):
        return f"{url} asks to wait ({status}{': ' if said else ''}{said})"
    return f"{url} did not store the samples ({status}{': ' if said else ''}{said})"


def _message(reply: Reply) -> str:
    """What the server says, if that is no web page."""
    if "html" in reply.headers.get("content-type", ""):
        return ""
    return reply.body[: 8 * MAX_MESSAGE].decode("utf-8", "replace").strip()


def _plain(message: str) -> str:
    """The message without what differs from row to row: the series that is quoted, and its times."""
    return re.sub(r"\{[^}]*\}|\d{10,}", "…", message.partition("\n")[0])
