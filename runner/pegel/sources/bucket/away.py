"""Objects that other machines read: sent in shares, oldest first, and offered in the same order.

What they bring is looked at here like what is read here: order, what is put aside, and what is asked for again are
decided on this machine alone.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace

from pegel.sources import Afar, Made, Parcel, Piece, Share
from pegel.sources.bucket.fetching import Download, Fetcher
from pegel.sources.bucket.pump import Pump

_SHARE = 8 << 20
"""Bytes of objects in a share, about: what is asked for and merged one by one costs milliseconds for each."""

_MOST = 256
"""Objects in a share, however small they are."""

_AHEAD = 2
"""Shares for each hand: the next one is there when one is done."""


@dataclass(eq=False)
class Sent:
    """Objects that are read together elsewhere.

    Attributes:
        turn: Number of the request.
        task: None until it is asked for (again).
    """

    downloads: list[Download]
    turn: int = 0
    task: asyncio.Task[Share] | None = None

    @property
    def size(self) -> int:
        """Bytes of the objects."""
        return sum(one.size for one in self.downloads)

    def share(self) -> Share:
        """What came back.

        Raises:
            SourceError: Nobody could read them.
        """
        assert self.task is not None
        return self.task.result()


class Away:
    """The shares of a source that are away, or back and not offered yet."""

    def __init__(self, pump: Pump, afar: Afar | None, fetcher: Fetcher) -> None:
        """Nothing is sent before `tick`.

        Args:
            pump: Runs what waits for an answer.
            afar: Who reads; nobody where there are no other machines.
            fetcher: Knows what there is to read.
        """
        self._pump = pump
        self._afar = afar
        self._fetcher = fetcher
        self._sent: deque[Sent] = deque()
        self._pieces: deque[tuple[Piece, Download]] = deque()
        self._offered: Download | None = None

    @property
    def reads_here(self) -> bool:
        """Whether objects are to be read on this machine."""
        return self._afar is None or (self._afar.mode == "here" and self.empty)

    @property
    def trouble(self) -> str:
        """Why what waits cannot be read; empty where it can, or nothing waits."""
        nobody = self._afar is not None and self._afar.mode == "wait" and not self._fetcher.empty
        return self._afar.trouble if self._afar is not None and nobody else ""

    @property
    def empty(self) -> bool:
        """Whether nothing is away, nor back and not offered."""
        return not self._sent and not self._pieces

    @property
    def busy(self) -> bool:
        """Whether anything is on its way."""
        return any(one.task is not None and not one.task.done() for one in self._sent)

    def tick(self) -> None:
        """Send what may be sent; where nobody is there any more, it waits again with the others."""
        if self._afar is None:
            return
        if self._afar.mode != "away":
            self._recall()
        elif self._fetcher.front() is None:
            for sent in self._sent:
                if sent.task is None:
                    self._send(sent, self._afar)
            self._send_more(self._afar)

    def _send_more(self, afar: Afar) -> None:
        held = sum(one.size for one in self._sent)
        while self._fetcher.waiting and len(self._sent) < _AHEAD * afar.hands and held < afar.most_bytes:
            # less and less towards the end, so that nobody has a big one while the others have none
            fair = min(self._fetcher.lag, afar.most_bytes) // (_AHEAD * afar.hands)
            self._sent.append(Sent(self._fetcher.take(min(fair, _SHARE), _MOST)))
            self._send(self._sent[-1], afar)
            held += self._sent[-1].size

    def _send(self, sent: Sent, afar: Afar) -> None:
        sent.turn = self._fetcher.prove()
        for download in sent.downloads:
            download.turn = sent.turn
        sent.task = self._pump.start(_back(afar.send([_parcel(download) for download in sent.downloads])))

    def _recall(self) -> None:
        for sent in reversed(self._sent):
            if sent.task is not None:
                sent.task.add_done_callback(_look_at)
                sent.task.cancel()
            self._fetcher.put_back(sent.downloads)
        self._sent.clear()

    def front(self) -> Sent | None:
        """The share whose turn it is, once it is back."""
        sent = self._sent[0] if self._sent else None
        return sent if sent is not None and sent.task is not None and sent.task.done() else None

    def again(self, rest: Sequence[Download]) -> None:
        """Of the share at the front these objects are to be read again, as they are by now."""
        self._sent.popleft()
        if rest:
            self._sent.appendleft(Sent([self._fetcher.renewed(one) for one in rest]))

    def open(self, read: Sequence[tuple[Download, Made]], partials: bytes, piece: Callable[[Download], Piece]) -> None:
        """The share at the front is back, and these of its objects were read."""
        self._sent.popleft()
        for number, (download, made) in enumerate(read, 1):
            joined = number < len(read)
            whole = replace(piece(download), made=made, partials=b"" if joined else partials, joined=joined)
            self._pieces.append((whole, download))

    def offer(self) -> Piece | None:
        """The next piece that is back."""
        if not self._pieces:
            return None
        piece, self._offered = self._pieces.popleft()
        return piece

    def offered(self) -> Download:
        """The object of the piece that was offered last."""
        assert self._offered is not None
        return self._offered


async def _back(share: Future[Share]) -> Share:
    return await asyncio.wrap_future(share)


def _look_at(task: asyncio.Task[Share]) -> None:
    """Look at what a task ended with that nobody waits for, so that it is not reported as forgotten."""
    if not task.cancelled():
        task.exception()


def _parcel(download: Download) -> Parcel:
    entry = download.entry
    return Parcel(entry.key, download.etag, download.size, entry.order, entry.offset, entry.mark)
