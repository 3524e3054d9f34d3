"""Look-ups by whois that do not delay records: what is known is answered at once, the rest is asked elsewhere.

Batches ask from any number of threads; one other thread, which is not ours, talks to the server.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from pegel.enrichers import whois
from pegel.enrichers.addresses import base, base_length, is_public
from pegel.enrichers.networks import Network
from pegel.enrichers.prefixes import Found, Known, Memory, Prefixes, PrefixFile
from pegel.enrichers.whois import Answer, Origin, Prefix
from pegel.units import Duration

_PAUSE = 2.0
"""Seconds between two queries."""

_AFTER_FAILURE = 30.0
_LONGEST_BACK_OFF = 3600.0

_UNANSWERED = 600.0
"""Seconds for which an address that got no answer is not asked about again."""

_MOST_WAITING = 20_000
"""Addresses that wait to be asked about; more come back by themselves when they are seen again."""

_log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Whois:
    """Ask a whois server that answers in bulk as Team Cymru's does, about addresses that no file knows.

    Options:
        server: Name of the server. It learns the /24 (IPv6 /48) of every public address that no file knows.
        port: Its port.
        timeout: Longest time for a query.
        wait: Longest time that records wait for an answer; then their provider is unknown. While the server does
            not answer nothing waits.
        ttl: How long an answer counts.
        negative_ttl: How long it counts that nobody announces a network.
    """

    server: str = "whois.cymru.com"
    port: int = 43
    timeout: Duration = Duration(30.0)
    wait: Duration = Duration(2.0)
    ttl: Duration = Duration(86400.0)
    negative_ttl: Duration = Duration(3600.0)

    def __post_init__(self) -> None:
        if not self.server or not all(char.isalnum() or char in ".-:" for char in self.server):
            raise ValueError(f'server: "{self.server}" is no name of a server')
        if not 0 < self.port < 2**16:
            raise ValueError(f"port: {self.port} is no port; whois is 43")
        if not 0 <= self.wait <= 60:
            raise ValueError("wait: records may wait for 60s at most")
        if self.timeout <= 0 or self.timeout > 300:
            raise ValueError("timeout: write more than 0s and at most 5m")
        if min(self.ttl, self.negative_ttl) < 60:
            raise ValueError("ttl: an answer counts for a minute at least; the server asks not to be asked often")


class Inquiry:
    """What is known, what is wanted, and when the server may be asked.

    A prefix answers for all addresses in it, the longest first. A shorter one than the /24 (IPv6 /48) of an address
    may be wrong for it, since a part of a network may be announced by somebody else; so the /24 is asked about all
    the same, and its own answer counts from the moment it is there.
    """

    def __init__(
        self, options: Whois, clock: Callable[[], float] = time.time, ask: Callable[..., Answer] = whois.ask
    ) -> None:
        """Nothing is asked before somebody calls `tend`.

        Args:
            options: The server.
            clock: Seconds since 1970.
            ask: Talks to it.
        """
        self._options = options
        self._server = (options.server, options.port)
        self._clock = clock
        self._ask = ask
        self._news = threading.Condition()
        self._known = Prefixes()
        self._file: PrefixFile | None = None
        self._wanted: dict[bytes, None] = {}
        self._asked: frozenset[bytes] = frozenset()
        self._failures = 0
        self._not_before = 0.0
        self._late = False
        self._lied = False
        self._tended_by: int | None = None

    def settle_in(self, directory: Path) -> None:
        """Read what was known when the last runner stopped, and remember it there from now on."""
        self._file = self._file_in(directory)
        memory = self._file.load()
        self._know(memory)
        with self._news:
            self._failures = memory.failures
            self._not_before = memory.not_before

    def recall(self, directory: Path) -> None:
        """Read what a runner knows, and remember nothing."""
        self._know(self._file_in(directory).look())

    def _file_in(self, directory: Path) -> PrefixFile:
        return PrefixFile(directory / "whois.db", f"{self._options.server}:{self._options.port}")

    def _know(self, memory: Memory) -> None:
        now = self._clock()
        with self._news:
            for where, known in memory.prefixes.items():
                self._known.add(where, known, now)

    # -- threads that look up ---------------------------------------------------------------------------

    def find(self, addresses: Sequence[bytes]) -> list[Network | None]:
        """The network of each address as far as it is known; waits for others once, if that is worth it."""
        with self._news:
            found, missing = self._look(addresses)
            if missing and self._worth_waiting():
                self._wait_for(missing)
                found, _ = self._look(addresses)
        return [one.network if one else None for one in found]

    def _look(self, addresses: Sequence[bytes]) -> tuple[list[Found | None], set[bytes]]:
        """What is known, and the bases of those of which nothing is."""
        now = self._clock()
        found: list[Found | None] = []
        missing: set[bytes] = set()
        for address in addresses:
            known = self._known.find(address, now)
            found.append(known)
            if known is None or known.length < base_length(address):
                network = base(address)
                if is_public(network):
                    self._want(network)
                    missing |= {network} if known is None else set()
        return found, missing

    def _want(self, address: bytes) -> None:
        if address not in self._asked and address not in self._wanted and len(self._wanted) < _MOST_WAITING:
            self._wanted[address] = None
            self._news.notify_all()

    def _worth_waiting(self) -> bool:
        """Whether another thread asks, the last wait was not in vain, and the server may be asked soon."""
        tended = self._tended_by not in (None, threading.get_ident())
        return tended and self._pause() < self._options.wait and not self._late

    def _wait_for(self, missing: Collection[bytes]) -> None:
        """Wait for answers, but not for a server that fails.

        After one wait that was too short nobody waits until the server has answered again.
        """
        gone = self._news.wait_for(lambda: self._failures or self._is_settled(missing), self._options.wait)
        self._late = self._late or not gone

    def _is_settled(self, missing: Collection[bytes]) -> bool:
        return self._asked.isdisjoint(missing) and self._wanted.keys().isdisjoint(missing)

    # -- the thread that asks ---------------------------------------------------------------------------

    def tend(self, patience: float) -> None:
        """Ask once, if something is wanted and the server may be asked; waits at most `patience` for that."""
        bases = self._next(patience)
        if bases:
            answer = self._ask(self._server, bases, self._options.timeout)
            memory = self._settle(bases, answer)
            if self._file is not None:
                self._file.save(memory, self._clock())

    def _next(self, patience: float) -> Sequence[bytes]:
        """What is to be asked about now; empty if nothing is, or not yet."""
        with self._news:
            self._tended_by = threading.get_ident()
            if not self._wanted:
                self._news.wait(patience)
            else:
                self._news.wait(min(self._pause(), patience))
            if not self._wanted or self._pause():
                return ()
            bases = list(self._wanted)[: whois.MOST]
            for one in bases:
                del self._wanted[one]
            self._asked = frozenset(bases)
            return bases

    def _pause(self) -> float:
        """Seconds until the server may be asked; a clock that was set back must not make that days."""
        pause = self._not_before - self._clock()
        return pause if 0 < pause <= _LONGEST_BACK_OFF else 0.0

    def _settle(self, bases: Sequence[bytes], answer: Answer) -> Memory:
        """Know what was answered, and when to ask again; returns what is to be remembered."""
        now = self._clock()
        known = self._learnt(bases, answer, now)
        with self._news:
            for where, one in known.items():
                self._known.add(where, one, now)
            self._asked = frozenset()
            if answer.trouble:
                self._wanted = {one: None for one in bases if one not in answer.origins} | self._wanted
            self._pace(answer, now)
            memory = Memory(known, self._failures, self._not_before)
            self._news.notify_all()
        return memory

    def _learnt(self, bases: Sequence[bytes], answer: Answer, now: float) -> dict[Prefix, Known]:
        """Prefixes and what is known of them: for each base its own answer, and the prefix that it was given for."""
        known: dict[Prefix, Known] = {}
        for address in bases:
            mine = Prefix(address, base_length(address))
            origin = answer.origins.get(address)
            if origin is not None:
                known |= self._facts(mine, origin, now)
            elif not answer.trouble:
                known[mine] = Known(None, now + _UNANSWERED)
        return known

    def _facts(self, mine: Prefix, origin: Origin, now: float) -> dict[Prefix, Known]:
        nobody = Known(None, now + self._options.negative_ttl)
        if origin.network is None:
            return {mine: nobody}
        known = Known(origin.network, now + self._options.ttl)
        if origin.prefix.length > mine.length:
            return {mine: nobody, origin.prefix: known}  # of the rest of the /24 nothing is known
        return {mine: known, origin.prefix: known}

    def _pace(self, answer: Answer, now: float) -> None:
        """When the server may be asked again, and whether that is worth a line in the log."""
        name = f"{self._options.server}:{self._options.port}"
        if answer.trouble and not answer.origins:
            self._failures += 1
            pause = min(_AFTER_FAILURE * 2 ** min(self._failures - 1, 10), _LONGEST_BACK_OFF)
            if self._failures == 1:
                _log.warning("whois server %s: %s; until it answers, new addresses are unknown.", name, answer.trouble)
        else:
            pause = _AFTER_FAILURE if answer.trouble else _PAUSE
            if self._failures:
                _log.warning("whois server %s answers again.", name)
            self._failures, self._late = 0, bool(answer.trouble)
        self._not_before = now + pause
        if answer.unusable and not self._lied:
            self._lied = True
            _log.warning("whois server %s: %d lines answer no question and do not count.", name, answer.unusable)

    # -- by hand ----------------------------------------------------------------------------------------

    def probe(self) -> Sequence[str]:
        """Whether the server can be reached, as sentences about what is wrong."""
        trouble = whois.reach(self._server)
        if trouble:
            name = f"{self._options.server}:{self._options.port}"
            return [f"whois server {name} cannot be reached: {trouble}; open the port, or leave out `whois`"]
        return ()
