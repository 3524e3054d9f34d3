"""Prometheus: does it take everything, and does it have room?"""

from __future__ import annotations

from dashboards.model import Level, Row
from dashboards.panels import promql, stat
from dashboards.services import NOT_SCRAPED, curve

STORED = (
    "prometheus_tsdb_storage_blocks_bytes + prometheus_tsdb_wal_storage_size_bytes"
    " + prometheus_tsdb_head_chunks_storage_size_bytes"
)

PROMETHEUS = Row(
    "Prometheus",
    [
        stat(
            title="Storage used",
            description="Blocks, log and head chunks, as a share of the limit (`PROMETHEUS_RETENTION_SIZE`). At the "
            "limit the oldest block is deleted.",
            targets=[promql(f"({STORED}) / (prometheus_tsdb_retention_limit_bytes > 0)", "{{instance}}", instant=True)],
            unit="percentunit",
            no_value="There is no limit of its size.",
            decimals=1,
            levels=[Level(None, "fine", "green"), Level(0.8, "filling", "yellow"), Level(0.95, "full", "red")],
        ),
        stat(
            title="Configuration",
            description="Whether the file could be read the last time that Prometheus was told to.",
            targets=[promql("prometheus_config_last_reload_successful", instant=True)],
            unit="short",
            no_value=NOT_SCRAPED,
            words=True,
            levels=[Level(None, "invalid", "red"), Level(1, "in effect", "green")],
        ),
        stat(
            title="Series",
            description="Series in the head: those of the last two or three hours. Memory follows it.",
            targets=[promql("prometheus_tsdb_head_series", instant=True)],
            unit="short",
            no_value=NOT_SCRAPED,
            curve=True,
        ),
        stat(
            title="Alertmanagers",
            description="How many it delivers alerts to. None is part of the stack: with none nobody is woken.",
            targets=[promql("prometheus_notifications_alertmanagers_discovered", instant=True)],
            unit="short",
            no_value=NOT_SCRAPED,
        ),
        curve(
            "Size of the storage",
            "Blocks are made of the log every two hours; so the log rises and falls.",
            "bytes",
            ("prometheus_tsdb_storage_blocks_bytes", "blocks"),
            ("prometheus_tsdb_wal_storage_size_bytes", "log (WAL)"),
            ("prometheus_tsdb_head_chunks_storage_size_bytes", "head chunks"),
            height=8,
        ),
        curve(
            "Samples per second",
            "All that come in: scraped, written remotely, and made by rules.",
            "ops",
            ("sum by (type) (rate(prometheus_tsdb_head_samples_appended_total[$__rate_interval]))", "{{type}}"),
            width=12,
        ),
        curve(
            "Remote writes per second by answer",
            "204 is taken. 400 means samples that it will never take; 5xx is tried again by the sender.",
            "reqps",
            (
                'sum by (code) (rate(prometheus_http_requests_total{handler="/api/v1/write"}[$__rate_interval]))',
                "status {{code}}",
            ),
            no_value="Nobody has written remotely.",
            width=12,
        ),
        curve(
            "What goes wrong in Prometheus, per minute",
            "Every one of these has an alert.",
            "short",
            ("60 * sum(rate(prometheus_rule_evaluation_failures_total[$__rate_interval]))", "rules that fail"),
            ("60 * sum(rate(prometheus_tsdb_wal_corruptions_total[$__rate_interval]))", "log damaged"),
            ("60 * sum(rate(prometheus_tsdb_wal_writes_failed_total[$__rate_interval]))", "log not written"),
            ("60 * sum(rate(prometheus_tsdb_compactions_failed_total[$__rate_interval]))", "blocks not made"),
            ("60 * sum(rate(prometheus_notifications_dropped_total[$__rate_interval]))", "alerts not delivered"),
            bars=True,
            width=24,
            height=7,
        ),
    ],
)
