"""InfluxDB: does it take what is written, answer what is asked, and have room?"""

from __future__ import annotations

from dashboards.model import Row
from dashboards.services import curve

# `http_api_requests_total` would be the obvious one, and does not count a single error.
INFLUXDB = Row(
    "InfluxDB",
    [
        curve(
            "Writes per second by answer",
            "204 is taken, 4xx is refused for good, 5xx is tried again. A wrong token (401) is in no counter: the "
            "sink of the runner fails then.",
            "reqps",
            ("sum by (status) (rate(http_write_request_count[$__rate_interval]))", "status {{status}}"),
            no_value="Nobody has written so far.",
        ),
        curve(
            "Queries per second by answer",
            "Of panels, tasks and tools; 4xx is a query that is wrong or a bucket that the token may not read.",
            "reqps",
            ("sum by (status) (rate(http_query_request_count[$__rate_interval]))", "status {{status}}"),
            no_value="Nobody has asked so far.",
        ),
        curve(
            "Bytes written per second",
            "Line protocol that came in.",
            "Bps",
            ("sum(rate(http_write_request_bytes[$__rate_interval]))", "written"),
            no_value="Nobody has written so far.",
        ),
        curve(
            "Size of the buckets",
            "On the disk, by the id of the bucket: `influx bucket list` says their names.",
            "bytes",
            ("sum by (bucket) (storage_shard_disk_size)", "{{bucket}}"),
            no_value="Nothing is stored so far.",
        ),
        curve(
            "Series by bucket",
            "Sets of tags that each bucket has; memory and start-up time follow it.",
            "short",
            ("sum by (bucket) (storage_shard_series)", "{{bucket}}"),
            no_value="Nothing is stored so far.",
        ),
        curve(
            "Points dropped and timeouts per minute",
            "What did not get into a shard.",
            "short",
            ("60 * sum(rate(storage_shard_write_dropped_sum[$__rate_interval]))", "points dropped"),
            ("60 * sum(rate(storage_shard_write_err_sum[$__rate_interval]))", "points failed"),
            ("60 * sum(rate(storage_writer_timeouts[$__rate_interval]))", "timeouts"),
            bars=True,
        ),
    ],
)
