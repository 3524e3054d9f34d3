"""What is delivered: bandwidth, requests by status, and how much of it the cache had."""

from __future__ import annotations

from dashboards.cdn77 import CLIENT_ERRORS, NOTHING, SERVER_ERRORS, asked, delivered, errors, hits
from dashboards.model import Row
from dashboards.panels import timeseries

_NUMBER = r'"\\d\\d\\d"'
BY_CLASS = (
    "sum by (class) (label_replace("
    + delivered("responses", f"response_status=~{_NUMBER}", by="response_status")
    + ', "class", "$1", "response_status", "(.).."))'
)

DELIVERY = Row(
    "What is delivered",
    [
        timeseries(
            title="Bandwidth by cache status",
            description="Bits sent per second. HIT is what the cache had; the rest was fetched from the origin.",
            targets=[asked(f"8 * {delivered('transfer_bytes', by='cache_status')}", "{{cache_status}}")],
            unit="bps",
            no_value=NOTHING,
            stack="normal",
            minimum=0,
        ),
        timeseries(
            title="Requests per second by status class",
            description="What the CDN answered: 2xx and 3xx are well, 4xx were asked for wrongly, 5xx failed.",
            targets=[
                asked(BY_CLASS, "{{class}}xx"),
                asked(delivered("responses", f"response_status!~{_NUMBER}"), "without a status"),
            ],
            unit="reqps",
            no_value=NOTHING,
            stack="normal",
            minimum=0,
        ),
        timeseries(
            title="Hit ratio",
            description="Share of the requests, and of the bytes, that the cache answered (cacheStatus HIT). Bytes are "
            "what the origin feels: a playlist counts as much as a segment among requests.",
            targets=[
                asked(hits(), "of requests"),
                asked(hits("transfer_bytes"), "of bytes"),
            ],
            unit="percentunit",
            no_value=NOTHING,
            minimum=0,
            maximum=1,
        ),
        timeseries(
            title="Errors",
            description="Share of all requests that were answered with 4xx, and with 5xx.",
            targets=[
                asked(errors(CLIENT_ERRORS), "4xx"),
                asked(errors(SERVER_ERRORS), "5xx"),
            ],
            unit="percentunit",
            no_value=NOTHING,
            minimum=0,
        ),
    ],
)
