"""Whether a Prometheus is set up to take what we send, as far as it tells; others say nothing and are not doubted."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from pegel.sinks.posting import Poster
from pegel.units import show_duration

WRITES = "/api/v1/write"
"""Where a Prometheus takes writes, below its base path."""

_LEAST_WINDOW = 7200.0
"""Seconds; what is asked for where nothing is declared: late windows, and an outage of an hour or two."""

_USUAL_WINDOW = 3600.0
"""Seconds that a server takes without any setting; declared is less only by a slip."""

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 7 * 86400.0, "y": 365 * 86400.0}
"""Seconds by unit, as Prometheus writes durations."""


def doubts(poster: Poster, path: str, who: Mapping[str, str], declared: float) -> list[str]:
    """What of a receiver's settings is too little, as sentences that say what to do.

    Args:
        poster: Talks to it.
        path: Where it takes writes.
        who: The header by which it knows us.
        declared: The out-of-order window that the sink is told, in seconds.

    Raises:
        Retryable: It does not answer.
    """
    if not path.endswith(WRITES):
        return []
    base = path.removesuffix(WRITES)
    config = _asked(poster, f"{base}/api/v1/status/config", who, "yaml")
    retention = _asked(poster, f"{base}/api/v1/status/runtimeinfo", who, "storageRetention")
    found = [] if config is None else _window(config, declared)
    return found if retention is None else [*found, *_retention(retention, max(declared, _LEAST_WINDOW))]


def _asked(poster: Poster, target: str, who: Mapping[str, str], name: str) -> str | None:
    """A fact that the server tells; None if it does not."""
    reply = poster.get(target, who)
    try:
        fact = json.loads(reply.body)["data"][name]
    except (ValueError, RecursionError, TypeError, KeyError):
        return None
    return fact if reply.status == 200 and isinstance(fact, str) else None


def _window(config: str, declared: float) -> list[str]:
    found = re.search(r"out_of_order_time_window: ([0-9a-z]+)", config)
    window = _seconds(found[1]) if found else 0.0
    taken = show_duration(window) if window else "nothing"
    setting = "storage.tsdb.out_of_order_time_window"
    if declared > _USUAL_WINDOW and window < declared:
        said = f"out_of_order_window is {show_duration(declared)}, but the server takes {taken} out of order"
        return [f"{said}: what is older would be lost; set {setting} there, or less here"]
    if window < _LEAST_WINDOW:
        said = f"the server takes {taken} out of order: after an outage gauges are lost and counters jump"
        least = show_duration(_LEAST_WINDOW)
        return [f"{said}; set {setting} to {least} or more there, and out_of_order_window here"]
    if not declared:
        return [f'the server takes {taken} out of order; say out_of_order_window = "{taken}" to make use of it']
    return []


def _retention(text: str, needed: float) -> list[str]:
    """What is wrong with how long samples are kept: `15d`, or `15d or 10GiB`."""
    kept = _seconds(text.split(" ")[0])
    if not kept or kept >= needed:
        return []
    short = f"the server keeps samples for {show_duration(kept)}, and late ones may be {show_duration(needed)} old"
    return [f"{short}; give it a longer storage.tsdb.retention.time"]


def _seconds(text: str) -> float:
    """A duration of Prometheus, such as `1h30m` or `0s`; 0 if it is none."""
    return sum(float(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)(ms|[smhdwy])", text))
