"""What the numbers of an Ookla access log are, counted in the plainest way, straight from the definition.

Shares nothing with the product: no code, no regular expression, no format. Slow and in one piece on purpose, so that
it can be checked by reading.

    python tests/presets/ookla_oracle.py --golden     writes golden/ookla.ndjson from the shipped sample
"""

from __future__ import annotations

import base64
import gzip
import ipaddress
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

SAMPLE = Path(__file__).parents[2] / "runner" / "pegel" / "presets" / "samples" / "ookla"
PROVIDERS = SAMPLE / "asn.tsv"
GOLDEN = Path(__file__).parent / "golden" / "ookla.ndjson"
LIVE = "ooklaserver-access.log"

MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
RECORD_CAP = 64 * 1024
TOKEN_CAP = 8 * 1024
PAYLOAD_CAP = 4 * 1024


@dataclass
class Record:
    time: str
    request: str
    status: int


@dataclass
class Claims:
    """What a readable token says."""

    device: str | None
    ip: str | None
    model: str
    app: str
    version: str


@dataclass
class Count:
    """Everything that is known of one window (or one window of one label set)."""

    tests: set[str] = field(default_factory=set)
    users: set[str] = field(default_factory=set)
    uploads: int = 0
    downloads: int = 0
    errors5xx: int = 0


@dataclass
class Counted:
    """The result of a whole log."""

    minutes: defaultdict[datetime, Count] = field(default_factory=lambda: defaultdict(Count))
    providers: defaultdict[tuple[datetime, str], Count] = field(default_factory=lambda: defaultdict(Count))
    devices: defaultdict[tuple[datetime, str], Count] = field(default_factory=lambda: defaultdict(Count))
    apps: defaultdict[tuple[datetime, str, str], Count] = field(default_factory=lambda: defaultdict(Count))
    hours: defaultdict[datetime, Count] = field(default_factory=lambda: defaultdict(Count))
    days: defaultdict[datetime, Count] = field(default_factory=lambda: defaultdict(Count))
    app_days: defaultdict[tuple[datetime, str, str], Count] = field(default_factory=lambda: defaultdict(Count))
    hellos: Counter[tuple[datetime, str, str]] = field(default_factory=Counter)
    names: dict[tuple[datetime, str], str] = field(default_factory=dict)
    rejects: Counter[str] = field(default_factory=Counter)
    records: int = 0


def read_log(directory: Path) -> bytes:
    """One log out of its archives and the live file, oldest first."""
    archives = sorted(path for path in directory.glob(f"{LIVE}.*"))
    parts = [gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes() for path in archives]
    return b"".join(parts) + (directory / LIVE).read_bytes()


def count(log: bytes, providers: Path | None = PROVIDERS) -> Counted:
    counted = Counted()
    ranges = read_ranges(providers) if providers else []
    known: dict[str | None, tuple[str, str | None]] = {}
    for record in records(log, counted.rejects):
        moment = utc(record.time)
        if moment is None:
            counted.rejects["bad_time"] += 1
            continue
        counted.records += 1
        claims = claims_of(record)
        ip = claims.ip if claims else None
        if ip not in known:
            known[ip] = provider_of(ip, ranges)
        count_record(record, claims, known[ip], counted, moment.replace(second=0))
    return counted


def claims_of(record: Record) -> Claims | None:
    """What the token of a `HI` says; None for everything else."""
    words = words_of(record)
    return read_token(words[1]) if len(words) == 2 else None


def words_of(record: Record) -> list[str]:
    """What stands between `HI` and `WS/1.0`."""
    if not record.request.startswith("HI "):
        return []
    return record.request.removeprefix("HI ").removesuffix(" WS/1.0").split(" ")


def count_record(
    record: Record, claims: Claims | None, provider: tuple[str, str | None], counted: Counted, minute: datetime
) -> None:
    hour = minute.replace(minute=0)
    day = hour.replace(hour=0)
    whole, hourly, daily = counted.minutes[minute], counted.hours[hour], counted.days[day]
    if 500 <= record.status <= 599:
        whole.errors5xx += 1
    if record.request.startswith("GET /download?") and has_guid(record.request):
        whole.downloads += 1
    if record.request.startswith("POST /upload?") and has_guid(record.request):
        whole.uploads += 1
    if not record.request.startswith("HI "):
        return
    words = words_of(record)
    guid = words[0] if len(words[0]) == 36 else None
    asn, name = provider
    counted.hellos[minute, asn, str(record.status)] += 1
    concerned = [whole, hourly, daily]
    if claims is not None:
        concerned.append(counted.providers[minute, asn])
        concerned.append(counted.devices[minute, claims.model])
        concerned.append(counted.apps[minute, claims.app, claims.version])
        concerned.append(counted.app_days[day, claims.app, claims.version])
        if name is not None:
            counted.names[minute, asn] = name
    for window in concerned:
        if guid is not None:
            window.tests.add(guid)
        if claims is not None and claims.device is not None:
            window.users.add(claims.device)


def lines(log: bytes) -> Iterator[str]:
    """Lines end at a newline and nothing else; one carriage return before it belongs to the line break; a hole of
    NUL bytes is no text; a blank line is nothing."""
    for line in log.split(b"\n"):
        text = line.removesuffix(b"\r").replace(b"\0", b"").decode("utf-8", "replace")
        if text.strip():
            yield text


def records(log: bytes, rejects: Counter[str]) -> Iterator[Record]:
    """Join lines to records; what is none is counted in `rejects`."""
    unfinished: str | None = None
    for line in lines(log):
        if opens(line):
            if unfinished is not None:
                rejects["malformed"] += 1
            unfinished = line
            found = complete(line)
        elif unfinished is None:
            rejects["foreign"] += 1
            continue
        else:
            found = complete(unfinished + line) or complete(unfinished + " " + line)
            unfinished += line
            if len(unfinished.encode()) > RECORD_CAP:
                found = None
        if found is not None:
            yield found
            unfinished = None
    if unfinished is not None:
        rejects["malformed"] += 1


def opens(line: str) -> bool:
    return len(line) >= 43 and set(line[:40]) <= set("0123456789abcdef") and line[40:43] == " - "


def complete(text: str) -> Record | None:
    """CLIENT - SESSION [time] "REQUEST" STATUS SIZE "REFERER" "AGENT", or None."""
    _session, bracket, rest = text[43:].partition(" [")
    time, quote, rest = rest.partition('] "')
    if not bracket or not quote:
        return None
    end = re.search(r'" ([0-9]{3}) ([0-9]+) "', rest)
    if end is None:
        return None
    request, rest = rest[: end.start()], rest[end.end() :]
    _referer, between, agent = rest.partition('" "')
    if not between or not agent.endswith('"'):
        return None
    if request.startswith("HI ") and not request.endswith(" WS/1.0"):
        return None
    return Record(time, request, int(end[1]))


def utc(text: str) -> datetime | None:
    """`03/Mar/2026:12:00:01 GMT`; the zone is GMT, +hhmm, -hhmm, Z, or is missing and then UTC."""
    found = re.fullmatch(r"(\d\d)/([A-Z][a-z][a-z])/(\d{4}):(\d\d):(\d\d):(\d\d) ?(GMT|Z|[+-]\d{4}|)", text)
    if found is None or found[2] not in MONTHS:
        return None
    zone = UTC
    if found[7][:1] in ("+", "-"):
        ahead = timedelta(hours=int(found[7][1:3]), minutes=int(found[7][3:5]))
        zone = timezone(ahead if found[7][0] == "+" else -ahead)
    try:
        month = MONTHS.index(found[2]) + 1
        local = datetime(int(found[3]), month, int(found[1]), int(found[4]), int(found[5]), int(found[6]), tzinfo=zone)
    except ValueError:
        return None
    return local.astimezone(UTC)


def has_guid(request: str) -> bool:
    """The query of an HTTP request has a parameter `guid` of 36 characters."""
    query = request.split(" ")[1].partition("?")[2]
    for pair in query.split("&"):
        for name in ("guid=", "guid%3D"):
            if pair.startswith(name) and len(pair.removeprefix(name)) == 36:
                return True
    return False


def read_token(token: str) -> Claims | None:
    """The claims of a token; None if it is not readable: three parts of base64url, the second a JSON object."""
    parts = token.split(".")
    if len(parts) != 3 or len(token.encode()) > TOKEN_CAP or not parts[1]:
        return None
    if not all(re.fullmatch(r"[A-Za-z0-9_-]*", part) for part in parts):
        return None
    try:
        payload = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        claims = json.loads(payload.decode("utf-8"), parse_constant=refuse) if len(payload) <= PAYLOAD_CAP else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(claims, dict):
        return None
    data = claims.get("data")
    return Claims(
        device=text_of(data, "deviceId"),
        ip=text_of(data, "ip"),
        model=text_of(data, "model") or "unknown",
        app=text_of(data, "app") or "unknown",
        version=text_of(data, "version") or "unknown",
    )


def refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def text_of(data: Any, name: str) -> str | None:
    """A text that is not empty, or an integer; whatever else stands there is as good as missing."""
    value = data.get(name) if isinstance(data, dict) else None
    if isinstance(value, str) and value:
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return None


def read_ranges(table: Path) -> list[tuple[int, int, int, str, str | None]]:
    """(IP version, first address, last address, number, name) of the lines of an iptoasn table."""
    found: list[tuple[int, int, int, str, str | None]] = []
    for line in table.read_text(encoding="utf-8").splitlines():
        first, last, number, _country, name = line.split("\t")
        start, end = ipaddress.ip_address(first), ipaddress.ip_address(last)
        found.append((start.version, int(start), int(end), number, name or None))
    return found


def provider_of(text: str | None, ranges: list[tuple[int, int, int, str, str | None]]) -> tuple[str, str | None]:
    """Number and name of the smallest range around an address; what is no address or in no range is unknown."""
    try:
        address = ipaddress.ip_address(text or "")
    except ValueError:
        return "unknown", None
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            return "unknown", None
        address = address.ipv4_mapped or address
    around = [one for one in ranges if one[0] == address.version and one[1] <= int(address) <= one[2]]
    if not around:
        return "unknown", None
    _, _, _, number, name = min(around, key=lambda one: one[2] - one[1])
    return ("unknown", None) if number == "0" else (number, name)


def points(counted: Counted, server: str) -> list[dict[str, Any]]:
    """The points of all measurements, by time, metric and labels."""
    here = {"server": server}
    found = list(asn_map(counted))
    for name, windows in (("daily", counted.days), ("hourly", counted.hours)):
        found += [point(f"ookla_speedtest_{name}", time, here, both(one)) for time, one in windows.items()]
    for minute, one in counted.minutes.items():
        rest = {"uploads": one.uploads, "downloads": one.downloads, "errors5xx": one.errors5xx}
        found.append(point("ookla_speedtest_minutely", minute, here, {**both(one), **rest}))
    for (minute, asn), one in counted.providers.items():
        found.append(point("ookla_speedtest_asn_minutely", minute, {**here, "asn": asn}, both(one)))
    for (minute, model), one in counted.devices.items():
        found.append(point("ookla_speedtest_device_minutely", minute, {**here, "model": model}, both(one)))
    for name, apps in (("app_minutely", counted.apps), ("app_daily", counted.app_days)):
        for (time, app, version), one in apps.items():
            labels = {**here, "app": app, "version": version}
            found.append(point(f"ookla_speedtest_{name}", time, labels, both(one)))
    for (minute, asn, status), number in counted.hellos.items():
        labels = {**here, "asn": asn, "status": status}
        found.append(point("ookla_speedtest_hello_minutely", minute, labels, {"records": number}))
    return sorted(found, key=lambda point: (point["time"], point["metric"], sorted(point["labels"].items())))


def asn_map(counted: Counted) -> Iterator[dict[str, Any]]:
    """A name when its number is first seen, when it changes, and when a day has passed since it was last said."""
    said: dict[str, tuple[datetime, str]] = {}
    for (minute, asn), name in sorted(counted.names.items()):
        when, before = said.get(asn, (minute, None))
        if name != before or minute - when >= timedelta(days=1):
            said[asn] = (minute, name)
            yield point("asn_map", minute, {"asn": asn}, {"asname": name})


def both(one: Count) -> dict[str, int]:
    return {"tests": len(one.tests), "users": len(one.users)}


def point(metric: str, time: datetime, labels: dict[str, str], values: Mapping[str, object]) -> dict[str, Any]:
    return {"labels": labels, "metric": metric, "time": f"{time:%Y-%m-%dT%H:%M:%SZ}", "values": values}


def ndjson(found: Iterable[dict[str, Any]]) -> str:
    return "".join(json.dumps(one, sort_keys=True, ensure_ascii=False) + "\n" for one in found)


if __name__ == "__main__" and "--golden" in sys.argv:
    GOLDEN.write_text(ndjson(points(count(read_log(SAMPLE)), "st-01")), encoding="utf-8")
