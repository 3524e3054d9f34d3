"""What the reader of the dashboard about the CDN can choose, and what is marked in its charts."""

from __future__ import annotations

from dashboards.cdn77 import asked, of_cdn
from dashboards.model import Variable
from dashboards.runner.moments import moments

RESOURCES = Variable(
    name="cdn_id",
    label="Resource",
    description="Resources of the CDN to look at. Viewers are counted by stream alone: it does not change them.",
    target=asked("label_values(cdn77_time_to_first_byte_ms, cdn_id)"),
    several=True,
)
STREAMS = Variable(
    name="stream",
    label="Stream",
    description="Streams to look at; a click on one in the table chooses it for the whole dashboard.",
    target=asked('label_values(cdn77_time_to_first_byte_ms{cdn_id=~"$cdn_id"}, stream_name)'),
    several=True,
)
ANNOTATIONS = moments(only=of_cdn(""))
"""Of the runners that count a log of the CDN."""
