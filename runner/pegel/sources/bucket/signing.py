"""Signatures of requests, version 4: proof of the secret key without sending it."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

from pegel.secret import Secret

_NOTHING = hashlib.sha256(b"").hexdigest()
"""Digest of an empty body; no request of ours has another one."""


@dataclass(frozen=True)
class Credentials:
    """Who asks.

    Attributes:
        access_key: Name of the key.
        secret_key: The key.
        session_token: What comes with a key that expires.
    """

    access_key: Secret
    secret_key: Secret
    session_token: Secret | None = None

    def renew(self) -> bool:
        """Read what comes from files again where a file has changed; true if anything did."""
        parts = (self.access_key, self.secret_key, self.session_token)
        renewed = [part.renew() for part in parts if part is not None]  # each, whatever the one before says
        return any(renewed)


def query_text(query: Mapping[str, str]) -> str:
    """A query as it is sent and signed: sorted, everything odd as percent and two digits."""
    pairs = [(_quoted(name), _quoted(value)) for name, value in query.items()]
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def signed(
    method: str, host: str, path: str, query: str, who: Credentials, region: str, now: float
) -> Sequence[tuple[str, str]]:
    """The headers that sign a request without a body.

    Args:
        method: GET, HEAD or DELETE.
        host: As in the header `Host`.
        path: As it is sent.
        query: As `query_text` made it.
        who: Who asks.
        region: The server's.
        now: Seconds since 1970; the server allows 15 minutes more or less.
    """
    moment = datetime.fromtimestamp(now, UTC)
    stamp, day = moment.strftime("%Y%m%dT%H%M%SZ"), moment.strftime("%Y%m%d")
    headers = {"host": host, "x-amz-content-sha256": _NOTHING, "x-amz-date": stamp}
    if who.session_token:
        headers["x-amz-security-token"] = who.session_token.reveal()
    names = ";".join(headers)
    lines = "".join(f"{name}:{value.strip()}\n" for name, value in headers.items())
    canonical = "\n".join([method, path, query, lines, names, _NOTHING])
    scope = f"{day}/{region}/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{who.secret_key.reveal()}".encode()
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    credential = f"{who.access_key.reveal()}/{scope}"
    value = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}"
    del headers["host"]
    return [*headers.items(), ("authorization", value)]


def _quoted(text: str) -> str:
    return quote(text.encode("utf-8", "surrogateescape"), safe="-._~")
