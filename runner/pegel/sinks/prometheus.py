"""The sink `prometheus`: a page that a Prometheus server fetches."""

from __future__ import annotations

import gzip
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pegel.errors import Permanent
from pegel.listening import Address, Answer, Asked, Endpoint
from pegel.secret import Secret
from pegel.sinks import Point, Sink, exposition
from pegel.sinks.exposition import Family, Labels, Sample
from pegel.units import Duration

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

SCRAPERS = 16
"""How many are remembered."""

GONE = 100_000
"""How many counters that went away are remembered, with their totals."""

_Series = tuple[str, Labels]

_SEEN = (0, 0.0)
"""The birth of a counter that is new to no scraper."""


@dataclass(kw_only=True)
class Prometheus(Sink):
    """Serve the newest committed values at an address, for a Prometheus server to scrape.

    A gauge is that of the newest closed window and goes away when there was none for five windows. A counter or a
    histogram is everything since the beginning, the open windows included: it never falls, also not after a
    crash. A counter that is new is 0 in the next answer to each scraper, so that `increase()` sees its first
    step; a scraper that was never here before takes totals as they are. A counter that was idle for the `series_ttl`
    of its metric goes away; when it comes back, its former total comes first in the place of the 0. The runner's own
    metrics (`pegel_*`) are on the page too.

    Options:
        listen: Address and port. Beyond loopback everybody who reaches it may read, unless there is a token.
        path: Where the page is.
        hosts: Names by which scrapers may call this machine; a request for another host is refused. The address
            itself is one of them, and on loopback `localhost`.
        token: What a scraper has to bring as `Authorization: Bearer ...`.

    Example:
        [[sinks]]
        type = "prometheus"
        listen = "127.0.0.1:9464"
    """

    early_interval = Duration(1.0)

    listen: str = "127.0.0.1:9464"
    path: str = "/metrics"
    hosts: Sequence[str] = ()
    token: Secret | None = None
    _address: Address = field(init=False, repr=False, compare=False)
    _page: _Page = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            self._address = Address.parse(self.listen)
        except ValueError as error:
            raise ValueError(f"listen: {error}") from None
        if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", self.path):
            raise ValueError(f'path: "{self.path}" is no path; write something like "/metrics"')
        self._page = _Page()

    @property
    def view(self) -> bool:
        return True

    def endpoints(self) -> Sequence[Endpoint]:
        return [Endpoint(self._address, self.path, self._page.answer, hosts=self.hosts, token=self.token)]

    def encode(self, points: Sequence[Point]) -> bytes:
        return exposition.encode(points)

    def send(self, payload: bytes) -> None:  # noqa: ARG002 - the contract's
        raise Permanent("a page is fetched, nothing is sent to it")

    def show(self, points: Sequence[Point]) -> None:
        self._page.turn_to(exposition.families(points))

    def show_again(self, points: Sequence[Point]) -> None:
        self._page.turn_to(exposition.families(points), known=True)


class _Page:
    """The newest snapshot, and which counters each scraper has seen."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._families: list[Family] | None = None
        self._number = 0
        self._born: dict[_Series, tuple[int, float]] = {}
        self._totals: dict[_Series, float] = {}
        self._gone: dict[_Series, float] = {}
        self._scrapers = _Scrapers()

    def turn_to(self, families: list[Family], known: bool = False) -> None:
        """Show another snapshot from now on; `known` if scrapers have seen its counters before they were held back."""
        totals = _totals(families)
        with self._lock:
            if self._families is not None:  # who scraped before this start has seen those of the first one already
                self._number += 1
            self._remember_gone(totals)
            self._families = families
            self._born = {one: self._born.get(one) or self._birth(one, total, known) for one, total in totals.items()}
            self._totals = totals

    def _remember_gone(self, totals: Mapping[_Series, float]) -> None:
        """Counters that are on the page no longer may come back with the total that they had."""
        for series in self._totals.keys() - totals.keys():
            self._gone[series] = self._totals[series]
        for series in list(self._gone)[: max(0, len(self._gone) - GONE)]:
            del self._gone[series]

    def _birth(self, series: _Series, total: float, known: bool) -> tuple[int, float]:
        """The first snapshot with a counter, and what it begins with: where it was before, if it goes on from there."""
        former = self._gone.pop(series, 0)
        return _SEEN if known else (self._number, former if former <= total else 0)

    def answer(self, asked: Asked) -> Answer:
        """The page in the format that is asked for."""
        with self._lock:
            families, number, born = self._families, self._number, self._born
            last = self._scrapers.last(asked, number)
            if asked.method == "GET":
                self._scrapers.saw(asked, number)
        if families is None:
            return Answer(b"nothing is committed yet\n", 503, {"content-type": "text/plain; charset=utf-8"})
        fresh = {} if last == number else {one: begin for one, (since, begin) in born.items() if since > last}
        shown = [_beginning(family, fresh) for family in families] if fresh else families
        kind = _wanted(asked.headers)
        body = exposition.openmetrics(shown) if kind == OPENMETRICS else exposition.text(shown)
        headers = {"content-type": kind, "vary": "accept, accept-encoding"}
        if "gzip" in asked.headers.get("accept-encoding", ""):
            return Answer(gzip.compress(body, 1, mtime=0), 200, {**headers, "content-encoding": "gzip"})
        return Answer(body, 200, headers)


class _Scrapers:
    """Who has seen which snapshot last, by name and address; those that did not come for longest are forgotten."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], int] = {}

    def last(self, asked: Asked, newest: int) -> int:
        """The last one that this scraper has seen.

        One whose address is new is another of its kind, or the same in a new container. The first one of all scraped
        before this start.
        """
        who = _name(asked)
        alike = [number for (agent, _), number in self._last.items() if agent == who[0]]
        return self._last.get(who, max(alike, default=newest if self._last else 0))

    def saw(self, asked: Asked, number: int) -> None:
        """It was shown this one."""
        self._last.pop(_name(asked), None)
        self._last[_name(asked)] = number
        if len(self._last) > SCRAPERS:
            del self._last[next(iter(self._last))]


def _name(asked: Asked) -> tuple[str, str]:
    return asked.headers.get("user-agent", ""), asked.client


def _totals(families: Sequence[Family]) -> dict[_Series, float]:
    """What every counter stands at."""
    counters = [one for one in families if one.type == "counter"]
    return {(one.name, labels): samples[0].value for one in counters for labels, samples in one.series.items()}


def _beginning(family: Family, fresh: Mapping[_Series, float]) -> Family:
    """A family whose new counters stand where they begin."""
    if family.type != "counter":
        return family
    series = {
        labels: [Sample(one.name, labels, fresh.get((family.name, labels), one.value)) for one in samples]
        for labels, samples in family.series.items()
    }
    return Family(family.name, family.type, family.help, series)


def _wanted(headers: Mapping[str, str]) -> str:
    """OpenMetrics for those who name it first, as Prometheus does; the plain text for everybody else."""
    best, kind = 0.0, TEXT
    for part in headers.get("accept", "").split(","):
        name, *parameters = [one.strip() for one in part.split(";")]
        known = {"application/openmetrics-text": OPENMETRICS, "text/plain": TEXT}.get(name)
        quality = next((one[2:] for one in parameters if one.startswith("q=")), "1")
        weight = float(quality) if re.fullmatch(r"[01](\.[0-9]{0,3})?", quality) else 0.0
        if known is not None and weight > best:
            best, kind = weight, known
    return kind
