"""What the answers of any HTTP server say beside their status: how long to wait, where it moved."""

from __future__ import annotations

from pegel.clocks import moment
from pegel.sinks.posting import Reply
from pegel.sinks.safe_text import clean

MAX_MESSAGE = 300
"""Characters of what a server says; it may quote what we sent."""

SLOWLY = 60.0
"""Seconds between attempts while a person is needed."""

_LONGEST_WAIT = 600.0
"""Seconds for which a server may ask to be left alone."""


def retry_after(reply: Reply) -> float | None:
    """Seconds that the server asks for; None if it does not."""
    text = reply.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), _LONGEST_WAIT)
    until, now = moment(text), moment(reply.headers.get("date", ""))
    if until is None or now is None:
        return None
    return min(max(0.0, until - now), _LONGEST_WAIT)


def redirected(reply: Reply, url: str) -> str:
    """The sentence about an answer of 300 to 399."""
    target = clean(reply.headers.get("location", "nowhere"), MAX_MESSAGE)
    return f"{url} redirects to {target} ({reply.status}), which is not followed; write the address itself as url"


def is_unsure(reply: Reply) -> bool:
    """Whether something may be stored nevertheless, at once or later."""
    return reply.status >= 500 or reply.status in (408, 499) or 200 <= reply.status < 300
