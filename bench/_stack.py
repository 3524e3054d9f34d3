"""What a stack shows on its pages: runners about themselves, and the services about themselves."""

from __future__ import annotations

from bench.month import BEGIN

START = round(BEGIN.timestamp())

Shown = tuple[str, dict[str, list[str]], float, float]
"""Name, values of each label, value at the beginning, growth in a second."""

_RUNNERS = {"job": ["runner"], "instance": ["runner:9464"]}
_SOURCES = {**_RUNNERS, "source": ["ookla", "shop"]}
_SINKS = {**_RUNNERS, "sink": ["influx", "file"]}
_METRICS = {**_RUNNERS, "metric": [f"metric_{number}" for number in range(12)]}
_LOST = ["rotations", "truncations", "lost_streams", "quarantined_archives"]
RUNNERS: list[Shown] = [
    ("up", _RUNNERS, 1, 0),
    ("pegel_runner_commits", _RUNNERS, 0, 1),
    ("pegel_runner_cpu_seconds", _RUNNERS, 0, 0.02),
    *((f"pegel_runner_{name}_timestamp_seconds", _RUNNERS, START, 0) for name in ("start", "snapshot")),
    ("pegel_runner_commit_timestamp_seconds", _RUNNERS, START, 1),
    *(
        (f"pegel_runner_{name}", _RUNNERS, 7, 0)
        for name in ("commit_seconds_mean", "config_refused", "memory_bytes", "state_bytes", "free_bytes")
    ),
    *((f"pegel_source_{name}", _SOURCES, 3, 0) for name in ("failing", "watermark_age_seconds", "lag_bytes")),
    *((f"pegel_{name}_total", _SOURCES, 0, 9) for name in ("records", "bytes")),
    ("pegel_rejects_total", {**_SOURCES, "reason": ["malformed", "foreign", "future", "time"]}, 0, 0.1),
    ("pegel_noticed_total", {**_SOURCES, "what": _LOST}, 0, 0.0001),
    ("pegel_metric_series", _METRICS, 100, 0),
    *((f"pegel_{name}_total", _METRICS, 0, 0.01) for name in ("late", "too_late")),
    ("pegel_unusable_values_total", {**_METRICS, "reason": ["infinite"]}, 0, 0.01),
    *(
        (f"pegel_sink_{name}", _SINKS, 5, 0)
        for name in ("failing", "outbox_points", "outbox_bytes", "limit_bytes", "oldest_seconds", "dead_letters")
    ),
    ("pegel_dead_letters_total", {**_SINKS, "reason": ["type", "age"]}, 0, 0.01),
    *((f"pegel_{name}_total", _SINKS, 0, 0.01) for name in ("outbox_dropped", "dead_letters_dropped")),
]
"""One of them, with two sources, two sinks and twelve metrics."""

_ONE = {
    name: {"job": [name], "instance": [f"{name}:1"]} for name in ("prometheus", "influxdb", "grafana", "pushgateway")
}
_SHARDS = {**_ONE["influxdb"], "bucket": ["1", "2", "3"], "id": [str(number) for number in range(10)]}
_HANDLERS = {**_ONE["grafana"], "method": ["GET"], "handler": [f"/api/{number}" for number in range(30)]}
_BOUNDS = ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"]
_PLUGINS = {
    **_ONE["grafana"],
    "plugin_id": ["prometheus", "influxdb"],
    "endpoint": ["queryData", "callResource"],
    "status": ["ok", "error"],
}
SERVICES: list[Shown] = [
    *(("up", one, 1, 0) for one in _ONE.values()),
    *(("scrape_duration_seconds", one, 0.1, 0) for one in (*_ONE.values(), _RUNNERS)),
    *(("process_start_time_seconds", _ONE[name], START, 0) for name in ("prometheus", "grafana", "pushgateway")),
    *(("process_resident_memory_bytes", _ONE[name], 9e7, 0) for name in ("prometheus", "grafana")),
    ("go_memstats_sys_bytes", _ONE["influxdb"], 9e7, 0),
    ("influxdb_uptime_seconds", _ONE["influxdb"], 0, 1),
    *(
        (f"http_{kind}_request_{what}", {**_ONE["influxdb"], "status": ["204", "400", "500"]}, 0, 3)
        for kind in ("write", "query")
        for what in ("count", "bytes")
    ),
    *(
        (f"storage_shard_{name}", _SHARDS, 1000, 0.5)
        for name in ("disk_size", "series", "write_dropped_sum", "write_err_sum")
    ),
    ("storage_writer_timeouts", _ONE["influxdb"], 0, 0),
    ("grafana_http_request_duration_seconds_count", {**_HANDLERS, "status_code": ["200", "401"]}, 0, 1),
    (
        "grafana_plugin_request_duration_seconds_bucket",
        {**_PLUGINS, "le": _BOUNDS},
        0,
        1,
    ),
    ("grafana_plugin_request_total", _PLUGINS, 0, 1),
    (
        "prometheus_http_requests_total",
        {**_ONE["prometheus"], "handler": ["/api/v1/write", "/api/v1/query", "/metrics"], "code": ["200", "400"]},
        0,
        1,
    ),
    ("prometheus_tsdb_head_samples_appended_total", {**_ONE["prometheus"], "type": ["float", "histogram"]}, 0, 90),
    ("prometheus_rule_evaluation_failures_total", {**_ONE["prometheus"], "rule_group": list("abcdef")}, 0, 0),
    *(
        (f"prometheus_tsdb_{name}", _ONE["prometheus"], 1000, 1)
        for name in (
            "storage_blocks_bytes",
            "wal_storage_size_bytes",
            "head_chunks_storage_size_bytes",
            "head_series",
            "wal_corruptions_total",
            "wal_writes_failed_total",
            "compactions_failed_total",
            "retention_limit_bytes",
        )
    ),
    *(
        (f"prometheus_{name}", _ONE["prometheus"], 1, 0)
        for name in (
            "config_last_reload_successful",
            "config_last_reload_success_timestamp_seconds",
            "notifications_alertmanagers_discovered",
            "notifications_dropped_total",
        )
    ),
    (
        "pushgateway_http_requests_total",
        {**_ONE["pushgateway"], "handler": ["push", "delete"], "code": ["200", "400"], "method": ["put", "post"]},
        0,
        1,
    ),
    *(
        (f"push_{name}", {"job": ["player"], "instance": list("abcdef")}, START, 0)
        for name in ("time_seconds", "failure_time_seconds")
    ),
    ("ALERTS", {"alertname": ["X", "Y"], "alertstate": ["firing"], "severity": ["warning"]}, 1, 0),
]
"""The services of the stack, thirty shards of InfluxDB and a Grafana with thirty addresses among them."""
