"""Downloads: several objects at a time, in parts, oldest first, never more bytes than are allowed.

Parts arrive in any order; who reads takes them in the order of the objects. What fails stays failed until it is
the one that is waited for, then it is asked for again.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pegel.sources.bucket import Store, StoreError
from pegel.sources.bucket.ledger import Entry
from pegel.sources.bucket.pump import Pump

_AHEAD = 4
"""Objects that are begun for each request at a time: small ones take less time than it takes to ask for them."""


@dataclass(eq=False)
class Download:
    """One version of an object on its way.

    Attributes:
        turn: What the number of its first request is behind.
        refusals: How often it was said that it may not be read.
    """

    entry: Entry
    etag: str
    size: int
    part: int
    turn: int
    refusals: int = 0
    _next: int = 0
    _gone: int = 0
    _tasks: dict[int, asyncio.Task[bytes]] = field(default_factory=dict)

    @property
    def parts(self) -> int:
        """How many requests it takes."""
        return -(-self.size // self.part)

    @property
    def held(self) -> int:
        """Bytes that are on their way, or here and not read."""
        return sum(end - start for start, end in map(self.span, self._tasks))

    def span(self, number: int) -> tuple[int, int]:
        """First byte of a part, and the one behind its last."""
        return number * self.part, min(self.size, (number + 1) * self.part)

    def wanted(self) -> int | None:
        """The first part that has to be asked for (again), None if all were."""
        failed = next((number for number in range(self._gone, self._next) if number not in self._tasks), None)
        return failed if failed is not None else self._next if self._next < self.parts else None

    def put(self, number: int, task: asyncio.Task[bytes]) -> None:
        """A part was asked for."""
        self._tasks[number] = task
        self._next = max(self._next, number + 1)

    def data(self, number: int) -> bytes | None:
        """A part, None while it is on its way.

        Raises:
            StoreError: It failed; the next tick asks for it again.
        """
        task = self._tasks.get(number)
        if task is None or not task.done():
            return None
        error = task.exception()
        if error is not None:
            del self._tasks[number]
            raise error
        return task.result()

    def drop(self, number: int) -> None:
        """Parts before this one were read."""
        while self._gone < min(number, self.parts):
            self._tasks.pop(self._gone, None)
            self._gone += 1

    def cancel(self) -> None:
        """Give up all that was asked for."""
        for task in self._tasks.values():
            task.cancel()
        self._tasks = {}


class Fetcher:
    """The downloads of a source.

    Attributes:
        lag: Bytes that are known of and not read.
        proved: Number of the newest request that brought something: a right that others lack is there.
    """

    def __init__(self, pump: Pump, store: Store, *, parallel: int, most_bytes: int, part: int) -> None:
        """Nothing is asked for before `tick`.

        Args:
            pump: Runs the requests.
            store: Where the objects are.
            parallel: Requests at a time; fewer while the server asks for that.
            most_bytes: Bytes that are on their way, or here and not yet read.
            part: Bytes of a request.
        """
        self._pump = pump
        self._store = store
        self._most = parallel
        self._allowed = float(parallel)
        self._budget = most_bytes
        self._part = part
        self._running = 0
        self._turns = 0
        self._waiting: deque[Entry] = deque()
        self._begun: deque[Download] = deque()
        self._partitions: Counter[str] = Counter()
        self.lag = 0
        self.proved = 0

    def add(self, entries: Iterable[Entry]) -> None:
        """Objects to read, behind those that wait already."""
        for entry in entries:
            self._waiting.append(entry)
            self._partitions[entry.place.partition] += 1
            self.lag += entry.size

    def take(self, most_bytes: int, most: int) -> list[Download]:
        """Give away objects that wait, oldest first: one, and as many more as have so many bytes together.

        They count as unread until `next` is told of them, or wait again after `put_back`.
        """
        taken: list[Download] = []
        held = 0
        while self._waiting and len(taken) < most and (not taken or held + self._waiting[0].size <= most_bytes):
            taken.append(self._download(self._waiting.popleft()))
            held += taken[-1].size
        return taken

    def put_back(self, taken: Sequence[Download]) -> None:
        """Objects that were given away are the next ones again, as they are by now."""
        self._waiting.extendleft(self.renewed(download).entry for download in reversed(taken))

    def renewed(self, download: Download) -> Download:
        """The object of a download as it is by now; nothing of it was asked for."""
        self.lag += download.entry.size - download.size
        return self._download(download.entry)

    def prove(self, turn: int | None = None) -> int:
        """Number what somebody else is asked for, or note that something of this number was brought."""
        if turn is None:
            self._turns += 1
            return self._turns
        self.proved = max(self.proved, turn)
        return turn

    @property
    def waiting(self) -> int:
        """Objects that were not begun."""
        return len(self._waiting)

    @property
    def partitions(self) -> frozenset[str]:
        """Partitions of which something waits or is being read."""
        return frozenset(self._partitions)

    @property
    def empty(self) -> bool:
        """Whether nothing waits."""
        return not self._waiting and not self._begun

    @property
    def busy(self) -> bool:
        """Whether anything is on its way."""
        return self._running > 0

    def front(self) -> Download | None:
        """The object whose turn it is."""
        return self._begun[0] if self._begun else None

    def tick(self, *, begin: bool = True) -> None:
        """Ask for what may be asked for, oldest first; without `begin` only for objects that were begun."""
        held = sum(download.held for download in self._begun)
        for download in self._begun:
            held = self._ask_for(download, held)
        while (
            begin
            and self._waiting
            and len(self._begun) < _AHEAD * self._most
            and self._may(held, self._waiting[0].size)
        ):
            self._begun.append(self._download(self._waiting.popleft()))
            held = self._ask_for(self._begun[-1], held)

    def _download(self, entry: Entry) -> Download:
        return Download(entry, entry.etag, entry.size, self._part, self._turns)

    def _ask_for(self, download: Download, held: int) -> int:
        """Ask for the parts of an object that fit; returns the bytes that are held then."""
        number = download.wanted()
        while number is not None:
            start, end = download.span(number)
            if not self._may(held, end - start):
                break
            self._turns += 1
            self._running += 1
            task = self._pump.start(self._fetch(download, number, self._turns))
            task.add_done_callback(self._ended)
            download.put(number, task)
            held += end - start
            number = download.wanted()
        return held

    def _may(self, held: int, size: int) -> bool:
        """Whether one more request fits; the first one always does."""
        return self._running < int(self._allowed) and (not held or held + min(size, self._part) <= self._budget)

    def _ended(self, _task: asyncio.Task[bytes]) -> None:
        self._running -= 1

    async def _fetch(self, download: Download, number: int, turn: int) -> bytes:
        try:
            data = await self._store.read(download.entry.key, download.etag, *download.span(number))
        except StoreError as error:
            if error.slow:
                self._allowed = max(1.0, self._allowed / 2)
            raise
        self._allowed = min(float(self._most), self._allowed + 1 / self._most)
        self.proved = max(self.proved, turn)
        return data

    def next(self, download: Download, *, again: bool = False) -> None:
        """An object is done with; or the one at the front is read again from its beginning, as it is by now."""
        download.cancel()
        if self._begun and self._begun[0] is download:
            self._begun.popleft()
        if again:
            self._begun.appendleft(self.renewed(download))
            return
        self.lag -= download.size
        partition = download.entry.place.partition
        self._partitions[partition] -= 1
        if not self._partitions[partition]:
            del self._partitions[partition]
