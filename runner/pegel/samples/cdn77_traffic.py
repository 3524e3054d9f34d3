"""The requests of an invented CDN: who watches what, and what the edge logs of it."""

from __future__ import annotations

import json
import time as clock
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import accumulate
from random import Random
from typing import Any, Generic, TypeVar

from pegel.samples import cdn77_catalogue as catalogue


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How a log looks.

    Options:
        rate: Rows in an average second.
        streams: How many streams there are.
        viewers: How many people watch at a time; each stays for `stay`.
        stay: Seconds that a viewer stays, on average.
        ipv6: Share of viewers with an IPv6 address.
        sparse: Share of rows in which keys are missing, null or of another type.
        stray: Share of requests that are of no stream.
        dirt: Share of lines that are no row.
        late: Share of rows that come ten minutes to an hour late; they have no client address.
    """

    rate: float = 100.0
    streams: int = 12
    viewers: int = 2_000
    stay: float = 600.0
    ipv6: float = 0.15
    sparse: float = 0.0
    stray: float = 0.01
    dirt: float = 0.0
    late: float = 0.0

    def at_rate(self, rate: float) -> Shape:
        """The same with another number of rows in a second, and as many more or fewer viewers."""
        return replace(self, rate=rate, viewers=max(4, round(self.viewers * rate / self.rate)))


PROFILES = {
    "clean": Shape(),
    "dirty": Shape(sparse=0.1, stray=0.05, dirt=0.02, late=0.01),
    "bench": Shape(rate=1000.0, streams=40, viewers=5_000, stay=600.0),
}


@dataclass(frozen=True)
class Row:
    """A line of the log.

    Attributes:
        time: When it was requested, in seconds since 1970.
        line: The bytes, with the line end.
        delay: Seconds by which it is delivered later than others.
    """

    time: float
    line: bytes
    delay: float = 0.0


@dataclass(frozen=True)
class Viewer:
    """Somebody who watches a stream."""

    address: str
    country: str
    asn: int
    agent: str
    location: str
    stream: str
    resource: int
    protocol: str


class Traffic:
    """An endless, reproducible stream of rows.

    Args:
        random: The only source of chance.
        shape: How the log looks.
    """

    def __init__(self, random: Random, shape: Shape) -> None:
        self._random = random
        self._shape = shape
        self._streams = [f"{random.getrandbits(128):032x}" for _ in range(shape.streams)]
        self._gone: deque[Viewer] = deque()
        self._viewers = [self._newcomer() for _ in range(shape.viewers)]

    def rows(self, start: float) -> Iterator[Row]:
        """Rows in the order of their times, from `start` (seconds since 1970) on."""
        shape, random = self._shape, self._random
        leaving = 1.0 / (shape.rate * shape.stay / shape.viewers)
        second = start
        while True:
            count = round(shape.rate) if shape.rate >= 2 else int(random.random() < shape.rate)
            for number in range(count):
                place = random.randrange(len(self._viewers))
                viewer = self._viewers[place]
                yield self._row(viewer, second + (number + random.random()) / count)
                if random.random() < leaving:
                    self._gone.append(viewer)
                    self._viewers[place] = self._back() or self._newcomer()
            second += 1.0

    def _back(self) -> Viewer | None:
        """One in four newcomers was there before: the one who has been away the longest."""
        return self._gone.popleft() if self._gone and self._random.random() < 0.25 else None

    def _newcomer(self) -> Viewer:
        random = self._random
        country = _COUNTRIES.draw(random)
        stream = int(self._shape.streams * random.random() ** 2)  # few streams have most of the viewers
        agent = _AGENTS.draw(random).replace("{v}", str(random.randrange(100, 140)))
        near = catalogue.LOCATIONS.get(country, ("londonGBEN",))
        return Viewer(
            address=self._address(),
            country=country,
            asn=random.choice((0, *range(64_496, 64_512))),
            agent=agent,
            location=random.choice(near),
            stream=self._streams[stream],
            resource=1_100_000_000 + 7 * stream,
            protocol=random.choice(("HTTP20", "HTTP20", "HTTP20", "HTTP30", "HTTP11")),
        )

    def _address(self) -> str:
        number = self._random.getrandbits(64)
        if self._random.random() < self._shape.ipv6:
            return f"2001:db8:{number >> 48:x}:{number >> 32 & 0xFFFF:x}::{number & 0xFFFF:x}"
        return f"198.{18 + (number >> 16 & 1)}.{number >> 8 & 0xFF}.{number & 0xFF}"

    def _row(self, viewer: Viewer, time: float) -> Row:
        random, shape = self._random, self._shape
        row = self._values(viewer, time)
        if random.random() < shape.dirt:
            return Row(time, self._broken(row))
        if random.random() < shape.late:
            return Row(time, _line({**row, "clientIP": ""}), delay=random.uniform(600, 3600))
        if random.random() < shape.sparse:
            return Row(time, self._sparse(row))
        return Row(time, _line(row))

    def _values(self, viewer: Viewer, time: float) -> dict[str, Any]:
        """All keys of a row, in the order of the real ones."""
        random = self._random
        name, kind, size = self._file()
        cache = _CACHE.draw(random)
        first = 0 if random.random() < 0.02 else 1 + int(random.expovariate(1 / (20 if cache == "HIT" else 120)))
        return {
            "timestamp": _stamp(time),
            "startTimeMs": int(time * 1000),
            "tcpRTTus": 1_000 + int(random.expovariate(1 / 30_000)),
            "requestTimeMs": first + int(random.expovariate(1 / 30)),
            "timeToFirstByteMs": first,
            "resourceID": viewer.resource,
            "cacheAge": random.randrange(8) if cache == "HIT" else 0,
            "cacheStatus": cache,
            "clientCountry": viewer.country,
            "clientIP": viewer.address,
            "clientPort": random.randrange(1024, 65536),
            "clientASN": viewer.asn,
            "clientRequestAccept": "*/*",
            "clientRequestBytes": random.randrange(40, 180),
            "clientRequestCompleted": random.random() > 0.01,
            "clientRequestConnTimeout": False,
            "clientRequestContentType": "",
            "clientRequestHost": f"{viewer.resource}.rsc.cdn77.org",
            "clientRequestMethod": "GET",
            "clientRequestPath": self._path(viewer.stream, name),
            "clientRequestProtocol": viewer.protocol,
            "clientRequestRange": "",
            "clientRequestReferer": "https://player.example.org/live/",
            "clientRequestScheme": "HTTPS",
            "clientRequestServerPush": False,
            "clientRequestUserAgent": viewer.agent,
            "clientRequestVia": "",
            "clientRequestXForwardedFor": "",
            "clientSSLCipher": "TLS_AES_256_GCM_SHA384",
            "clientSSLFlags": 1,
            "clientSSLProtocol": "TLS13" if viewer.protocol != "HTTP11" else "TLS12",
            "locationID": viewer.location,
            "serverIP": "203.0.113.39",
            "serverPort": 443,
            "responseStatus": _STATUSES.draw(random),
            "responseBytes": size,
            "responseContentType": kind,
            "responseContentRange": "",
            "responseContentEncoding": "GZIP" if kind.endswith("mpegurl") else "",
        }

    def _path(self, stream: str, name: str) -> str:
        if self._random.random() >= self._shape.stray:
            return f"/{stream}/{name}"
        return self._random.choice(catalogue.STRAY_PATHS).format(stream=stream, STREAM=stream.upper())

    def _file(self) -> tuple[str, str, int]:
        name, kind = _FILES.draw(self._random)
        mean = 400_000 if kind.startswith("video") else 4_000
        return name.format(n=self._random.randrange(100_000)), kind, int(self._random.expovariate(1 / mean))

    def _broken(self, row: dict[str, Any]) -> bytes:
        """A line that is no row: no JSON, no object, or one without a readable time."""
        if self._random.random() < 0.6:
            return self._random.choice((*catalogue.BROKEN_LINES, b"   ")) + b"\n"
        stamp = self._random.choice((*catalogue.UNREADABLE_TIMES, _MISSING))
        rest = {key: value for key, value in row.items() if key != "timestamp"}
        return _line(rest if stamp is _MISSING else {**rest, "timestamp": stamp})

    def _sparse(self, row: dict[str, Any]) -> bytes:
        """A row in which something is missing, null, or of another type."""
        random = self._random
        row = {**row, "aKeyOfTomorrow": {"nested": [1, None, "x"]}}
        for key in random.sample(_LOSABLE, random.randrange(1, 6)):
            odd = random.random()
            if odd < 0.4:
                del row[key]
            else:
                row[key] = None if odd < 0.8 else random.choice(_ODD)
        return _line(row)


T = TypeVar("T")

_MISSING = object()


class _Shares(Generic[T]):
    """Things to draw from, each with its share."""

    def __init__(self, shares: Mapping[T, int]) -> None:
        self._things = list(shares)
        self._weights = list(accumulate(shares.values()))

    def draw(self, random: Random) -> T:
        """One of them."""
        return random.choices(self._things, cum_weights=self._weights)[0]


_COUNTRIES = _Shares(catalogue.COUNTRIES)
_AGENTS = _Shares(catalogue.AGENTS)
_CACHE = _Shares(catalogue.CACHE)
_STATUSES = _Shares(catalogue.STATUSES)
_FILES = _Shares({(name, kind): share for name, kind, share in catalogue.FILES})

_LOSABLE = (
    *("cacheStatus", "locationID", "clientIP", "clientCountry", "clientASN", "resourceID", "responseStatus"),
    *("responseBytes", "timeToFirstByteMs", "clientRequestPath", "clientRequestUserAgent", "requestTimeMs"),
)
_ODD: tuple[Any, ...] = ("", [], {"a": 1}, "none")


def _line(row: Mapping[str, Any]) -> bytes:
    return f"{json.dumps(row, ensure_ascii=False, separators=(',', ':'))}\n".encode()


def _stamp(time: float) -> str:
    whole = int(time)
    year, month, day, hour, minute, second, *_ = clock.gmtime(whole)
    return f"{year}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}.{int((time - whole) * 1000):03d}Z"
