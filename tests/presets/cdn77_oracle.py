"""What the numbers of a CDN's log are, counted in the plainest way, straight from the definition.

Shares nothing with the product: no code, no regular expression, no format. Slow and in one piece on purpose, so that
it can be checked by reading.

    python tests/presets/cdn77_oracle.py --golden     writes golden/cdn77.ndjson.gz from the shipped sample
"""

from __future__ import annotations

import gzip
import ipaddress
import json
import sys
import urllib.parse
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

SAMPLE = Path(__file__).parents[2] / "runner" / "pegel" / "presets" / "samples" / "cdn77"
PLACES = SAMPLE / "city.mmdb"
GOLDEN = Path(__file__).parent / "golden" / "cdn77.ndjson.gz"

WINDOW = 120
"""Minutes of the viewer window."""

Labels = tuple[tuple[str, str], ...]
Places = list[tuple[Any, str]]
"""Networks with their regions, as the database of places has them."""


@dataclass
class Row:
    minute: int
    labels: dict[str, str]
    bytes: float | None
    first_byte: float | None
    address: str | None
    more: dict[str, Any]


@dataclass
class Counted:
    """The result of a whole log, by minute (since 1970) and labels."""

    bytes: Counter[tuple[int, Labels]] = field(default_factory=Counter)
    requests: Counter[tuple[int, Labels]] = field(default_factory=Counter)
    first_bytes: defaultdict[tuple[int, Labels], list[float]] = field(default_factory=lambda: defaultdict(list))
    responses: Counter[tuple[int, Labels]] = field(default_factory=Counter)
    seen: defaultdict[str, defaultdict[Labels, defaultdict[int, set[str]]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(lambda: defaultdict(set)))
    )
    rejects: Counter[str] = field(default_factory=Counter)
    rows: int = 0


def read_objects(directory: Path) -> list[bytes]:
    """The lines of all objects."""
    files = sorted(directory.rglob("*.ndjson.gz"))
    return [line for file in files for line in gzip.decompress(file.read_bytes()).split(b"\n")]


def count(lines: Iterable[bytes], places: Places) -> Counted:
    counted = Counted()
    for line in lines:
        row = read_row(line, places, counted.rejects)
        if row is not None:
            counted.rows += 1
            count_row(row, counted)
    return counted


def count_row(row: Row, counted: Counted) -> None:
    delivery = row.minute, some(row.labels, "stream_name", "cdn_id", "cache_status", "pop")
    counted.requests[delivery] += 1
    counted.bytes[delivery] += int(row.bytes) if row.bytes is not None and row.bytes > 0 else 0
    if row.first_byte is not None and row.first_byte > 0:
        counted.first_bytes[delivery].append(row.first_byte)
    counted.responses[
        row.minute, some(row.labels, "stream_name", "cdn_id", "cache_status", "pop", "response_status")
    ] += 1
    if row.address is None:
        return
    for name, labels in VIEWERS.items():
        counted.seen[name][some(row.labels, *labels)][row.minute].add(row.address)


VIEWERS = {
    "viewers": ("stream_name",),
    "viewers_by_device": ("stream_name", "device_type"),
    "viewers_by_country": ("stream_name", "country"),
    "viewers_by_region": ("stream_name", "country", "region"),
}


def some(labels: dict[str, str], *names: str) -> Labels:
    return tuple(sorted((name, labels[name]) for name in names))


def read_row(line: bytes, places: Places, rejects: Counter[str]) -> Row | None:
    if not line.strip():
        return None
    try:
        said = json.loads(line)
    except ValueError:
        rejects["not_json"] += 1
        return None
    if not isinstance(said, dict):
        rejects["not_object"] += 1
        return None
    minute = minute_of(said.get("timestamp"))
    if minute is None:
        rejects["bad_time"] += 1
        return None
    address = text(said, "clientIP") or None
    country = text(said, "clientCountry") or ""
    labels = {
        "stream_name": stream_of(text(said, "clientRequestPath") or ""),
        "cdn_id": text(said, "resourceID") or "unknown",
        "cache_status": text(said, "cacheStatus") or "unknown",
        "pop": text(said, "locationID") or "unknown",
        "response_status": text(said, "responseStatus") or "unknown",
        "device_type": device_of(text(said, "clientRequestUserAgent") or ""),
        "country": country if len(country) == 2 and all("A" <= letter <= "Z" for letter in country) else "XX",
        "region": region_of(address, places),
    }
    return Row(minute, labels, number(said, "responseBytes"), number(said, "timeToFirstByteMs"), address, said)


def minute_of(stamp: object) -> int | None:
    if not isinstance(stamp, str):
        return None
    try:
        return int(datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC).timestamp()) // 60
    except ValueError:
        return None


def text(row: dict[str, Any], key: str) -> str | None:
    """A value as text: numbers and truth values are written, lists and tables are their JSON."""
    value = row.get(key)
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"))


def number(row: dict[str, Any], key: str) -> float | None:
    value = row.get(key)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def stream_of(path: str) -> str:
    """The first 32 hex digits between two slashes, before any question mark."""
    path = path.split("?")[0]
    for place in range(len(path) - 33):
        digits = path[place + 1 : place + 33]
        if path[place] == "/" and path[place + 33] == "/" and all(digit in "0123456789abcdef" for digit in digits):
            return digits
    return "none"


def device_of(agent: str) -> str:
    agent = urllib.parse.unquote(agent)
    small = agent.lower()
    own = any(name in small for name in ("baron", "virtualrailfan", "virtual railfan"))
    if own and (any(name in small for name in ("ios", "iphone", "ipad")) or ("android" in small and "mobile" in small)):
        return "baron_mobile"
    if any(name in small for name in ("appletv", "apple tv", "tvos")):
        return "apple_tv"
    if "roku" in small:
        return "roku"
    if "AFT" in agent or ("amazon" in small and "fire" in small) or "fire tv" in small or "firetv" in small:
        return "firestick"
    if ("android" in small and "tv" in small) or "google tv" in small or "googletv" in small:
        return "android_tv"
    if any(name in small for name in ("chrome", "firefox", "safari", "edge", "edg/", "opera")):
        return "web"
    return "other"


def region_of(address: str | None, places: Places) -> str:
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return "Unknown"
    around = [(network.prefixlen, region) for network, region in places if found in network]
    return max(around)[1] if around else "Unknown"


# -- points ---------------------------------------------------------------------------------------------------


def points(counted: Counted) -> list[dict[str, Any]]:
    """The points of all metrics, by time, metric and labels."""
    found = [point("cdn77_transfer_bytes_total", *at, number) for at, number in counted.bytes.items()]
    found += [point("cdn77_requests_total", *at, number) for at, number in counted.requests.items()]
    found += [point("cdn77_responses_total", *at, number) for at, number in counted.responses.items()]
    found += [
        point("cdn77_time_to_first_byte_ms", *at, sum(times) / len(times)) for at, times in counted.first_bytes.items()
    ]
    for name, series in counted.seen.items():
        minutes = [minute for panes in series.values() for minute in panes]
        first, last = min(minutes), max(minutes)
        for labels, panes in series.items():
            found += rolling(name, labels, panes, first + WINDOW - 1, last)
    return sorted(found, key=lambda one: (one["time"], one["metric"], sorted(one["labels"].items())))


def rolling(name: str, labels: Labels, panes: dict[int, set[str]], first: int, last: int) -> Iterator[dict[str, Any]]:
    """A step per minute, from the first whole window on, as long as somebody is in it, and one more that says 0.

    The first one has all who came until then.
    """
    before = set[str]()
    for step in range(first, last + 1):
        window = [panes[minute] for minute in range(step - WINDOW + 1, step + 1) if minute in panes]
        inside = set().union(*window)
        if inside or before:
            earlier = set().union(*window[: -1 if step in panes else None])
            came = inside if step == first else panes.get(step, set()) - earlier
            yield point(f"cdn77_{name}_total", step, labels, len(came))
            yield point(f"cdn77_active_{name}", step, (*labels, ("window", "2h")), len(inside))
        before = inside


def point(metric: str, minute: int, labels: Labels, value: float) -> dict[str, Any]:
    time = datetime.fromtimestamp(minute * 60, UTC)
    return {"labels": dict(labels), "metric": metric, "time": f"{time:%Y-%m-%dT%H:%M:%SZ}", "values": {"value": value}}


def ndjson(found: Iterable[dict[str, Any]]) -> str:
    return "".join(json.dumps(one, sort_keys=True, ensure_ascii=False) + "\n" for one in found)


def read_places() -> Places:
    """The regions of the sample's database of places."""
    from presets.cdn77_places import NETWORKS

    return [(ipaddress.ip_network(network), region or "Unknown") for network, _, region, *_ in NETWORKS]


if __name__ == "__main__" and "--golden" in sys.argv:
    sys.path.insert(0, str(Path(__file__).parents[1]))
    said = ndjson(points(count(read_objects(SAMPLE), read_places())))
    GOLDEN.write_bytes(gzip.compress(said.encode(), mtime=0))
