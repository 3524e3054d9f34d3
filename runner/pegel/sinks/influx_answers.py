"""What the answers of an InfluxDB mean: rows that it can never store, or trouble that passes or can be mended."""

from __future__ import annotations

import json
import re

from pegel.errors import Fault, Retryable
from pegel.sinks.answers import MAX_MESSAGE, SLOWLY, is_unsure, redirected, retry_after
from pegel.sinks.halving import Refusal
from pegel.sinks.posting import Reply
from pegel.sinks.safe_text import clean

_DROPPED = re.compile(r" dropped=(\d+)")
_QUOTED_ROW = re.compile(r"unable to parse '.*'(?=: |$)")
_RETENTION = re.compile(r"(?:outside|beyond) retention policy(?: of duration (\w+))?")


def refusal(reply: Reply) -> Refusal | None:
    """What is said against rows; None if the answer is about something else."""
    if reply.status == 413:
        return Refusal("the row alone is too big for the server (413)", fault="too_big")
    message = _message(reply)
    if reply.status not in (400, 422) or not message:
        return None
    dropped = _DROPPED.search(message)
    return Refusal(_reason(message), int(dropped[1]) if dropped else 0, _fault(message))


def trouble(reply: Reply, url: str, bucket: str) -> Retryable:
    """The error for an answer that stored nothing and says nothing against rows."""
    after = retry_after(reply)
    if after is None and reply.status < 500:
        after = SLOWLY
    return Retryable(_sentence(reply, url, bucket), after, unsure=is_unsure(reply))


def _sentence(reply: Reply, url: str, bucket: str) -> str:
    said = clean(_message(reply), MAX_MESSAGE)
    status = reply.status
    if status == 401:
        return f'{url} does not know the token (401); give one that may write to the bucket "{bucket}"'
    if status == 403 and ("inactive" in said or "expired" in said):
        return f"the token is no longer good (403: {said}); activate it, or make a new one"
    if status == 403:
        return f'the token may not write to the bucket "{bucket}" (403: {said}); give it that right'
    if status == 404 and said:
        return f"{url} has no such place: {said}; make it, or correct org and bucket"
    if 300 <= status < 400:
        return redirected(reply, url)
    if not said and (status < 300 or status in (400, 404, 405)):
        what = "a web page" if "html" in reply.headers.get("content-type", "") else "something else"
        return f"is {url} the address of an InfluxDB 2? it answered a write with {what} ({status})"
    if status in (429, 503):
        return f"{url} asks to wait ({status}{': ' if said else ''}{said})"
    return f"{url} did not store the points ({status}{': ' if said else ''}{said})"


def _message(reply: Reply) -> str:
    """What the server says in JSON, in one line of bounded length; empty if it says nothing that way."""
    try:
        document = json.loads(reply.body)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(document, dict):
        return ""
    said = document.get("message") or document.get("error")
    return clean(said, 8 * MAX_MESSAGE) if isinstance(said, str) else ""


def _reason(message: str) -> str:
    """The message without what differs from row to row: the row itself, times and counts."""
    message = _QUOTED_ROW.sub("unable to parse the row", message)
    kept = _RETENTION.search(message)
    if kept:
        return f"older than the bucket keeps{f' ({kept[1]})' if kept[1] else ''}"
    conflict = message.find("field type conflict")
    return clean(_DROPPED.split(message[max(conflict, 0) :])[0], MAX_MESSAGE)


def _fault(message: str) -> Fault:
    """The class of a message, looked for in the order in which `_reason` looks."""
    message = _QUOTED_ROW.sub("unable to parse the row", message)
    if _RETENTION.search(message):
        return "outside_retention"
    if "field type conflict" in message:
        return "type_conflict"
    return "unparsable" if "unable to parse" in message else "other"
