"""Which streams it is; a click on one shows the whole dashboard for it alone."""

from __future__ import annotations

from dashboards.cdn77 import CHOSEN, COLUMNS, NOTHING, SERVER_ERRORS, TWENTY, active, asked, delivered, errors, hits
from dashboards.columns import merged, texts
from dashboards.model import Link, Override, Row
from dashboards.panels import table, timeseries

LEADING = f"topk(10, {delivered('transfer_bytes', by='stream_name', width=CHOSEN, at=' @ end()')})"
"""The same ten all along a chart."""
_BANDWIDTH = f"8 * {delivered('transfer_bytes', by='stream_name')}"
ALONE = Link("This stream alone", "/d/cdn77", variables=["cdn_id"], values={"stream": "${__data.fields.Stream}"})

STREAMS = Row(
    "Which streams",
    [
        table(
            title="Streams",
            description="The twenty with most bytes in the chosen time; viewers are those at its end. A click on a "
            "stream chooses it; All in the list of streams at the top leads back.",
            targets=[
                asked(column, table=True)
                for column in (
                    delivered("transfer_bytes", by="stream_name", width=CHOSEN),
                    delivered("requests", by="stream_name", width=CHOSEN),
                    active(by="stream_name"),
                    hits(by="stream_name", width=CHOSEN),
                    errors(SERVER_ERRORS, by="stream_name", width=CHOSEN),
                )
            ],
            unit="short",
            no_value=NOTHING,
            decimals=0,
            overrides=[
                texts("Stream"),
                Override("Stream", {"custom.width": 290}, [ALONE]),
                *COLUMNS,
            ],
            transformations=[
                *merged({"stream_name": "Stream"}, ["Bytes", "Requests", "Viewers", "Hit ratio", "5xx"], "Bytes"),
                TWENTY,
            ],
        ),
        timeseries(
            title="Bandwidth by stream",
            description="Bits sent per second: the ten streams with most bytes in the chosen time, and all others.",
            targets=[
                asked(f"{_BANDWIDTH} and {LEADING}", "{{stream_name}}"),
                asked(f"sum({_BANDWIDTH} unless {LEADING})", "all others"),
            ],
            unit="bps",
            no_value=NOTHING,
            stack="normal",
            minimum=0,
            height=11,
        ),
    ],
)
