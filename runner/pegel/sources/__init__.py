"""Sources: where bytes come from, and where we are in them.

A source knows nothing of records. It offers the bytes that are not consumed yet; the runner frames
them, tells the source how many were used up, and stores the positions that the source hands back in
the same commit as the numbers they stand for.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol

from pegel.formats import End
from pegel.seams import Clock, Files, FileStat
from pegel.units import Duration

BUILTIN = {
    "file": "pegel.sources.file:File",
    "stdin": "pegel.sources.stdin:Stdin",
    "s3": "pegel.sources.s3:S3",
}


@dataclass(frozen=True)
class Position:
    """Where a source is in one stream: what is stored, in the source's own words.

    Attributes:
        stream: Identifies the stream within its source, for ever.
        order: Number of the stream in the order of reading; decides ties between equal times.
        offset: First byte that is not consumed yet.
        cursor: All else that the source needs to find the stream again: small, JSON, no record text.
        done: Nothing more is expected from this stream.
        forget: The stream can no longer be met; its row may be deleted.
        removed: The stream was released, and what the source does then was done (or must not be done any more).
    """

    stream: str
    order: int
    offset: int
    cursor: Mapping[str, Any] = field(default_factory=dict)
    done: bool = False
    forget: bool = False
    removed: bool = False


@dataclass(frozen=True)
class Progress:
    """What has become of what a source handed over, as of a commit.

    Attributes:
        watermark: How far the source is in event time, in us; None before its first record.
        released: Streams that are done and whose whole effect is safe: windows closed, acknowledged by every remote
            sink, and in a snapshot of the state. Told again until a position says `removed`.
        tries: How often somebody has asked to try again what was put aside.
    """

    watermark: int | None = None
    released: Sequence[Position] = ()
    tries: int = 0


@dataclass(frozen=True)
class Piece:
    """Bytes from the first one that is not consumed yet, whole or with more to come.

    Attributes:
        partition: What has a watermark of its own: the configured path whose live file and archives are
            one log, the objects of one writer; empty for a piece without bytes that only carries positions.
        stream: The stream of the first byte.
        order: The number of that stream.
        offset: Of the first byte, in that stream.
        data: The bytes; at most the source's `piece_size` plus what was left over.
        end: What is known about the bytes that follow.
        seams: Offsets in `data` at which the next stream (the next file of a rotated log) begins.
        mark: The framer's mark that was consumed last.
        bound: Event time in us that nothing is older than which comes behind this piece, where the source knows of
            more that it has not begun; the watermark does not pass it.
        written: Wall clock in us when the bytes were written, where the source knows it: no record is younger.
        made: What another machine has found in the bytes, which are not here.
        partials: What that machine made of all pieces of a share, packed; with the last of them.
        joined: The next piece belongs to the same share: both are committed together.
    """

    partition: str
    stream: str
    order: int
    offset: int
    data: bytes
    end: End
    seams: Sequence[int] = ()
    mark: str = ""
    bound: int | None = None
    written: int | None = None
    made: Made | None = None
    partials: bytes = b""
    joined: bool = False


@dataclass(frozen=True)
class Parcel:
    """A whole stream that another machine can read as well: an object in a bucket.

    Attributes:
        key: What it is called there.
        etag: Which version of it is meant.
        size: In bytes, as it lies there.
        order: Number of the stream.
        offset: First byte of its content that is not consumed.
        mark: The framer's mark that was consumed last.
    """

    key: str
    etag: str
    size: int
    order: int
    offset: int = 0
    mark: str = ""


@dataclass(frozen=True)
class Part:
    """Bytes of a parcel, or why it cannot be read.

    Attributes:
        number: Of the parcel, among those that are read.
        last: Nothing follows.
    """

    number: int
    data: bytes = b""
    last: bool = False
    error: Exception | None = None


@dataclass(frozen=True)
class Made:
    """What another machine has found in a parcel.

    Attributes:
        consumed: Bytes of its content.
        records: Those that count.
        rejects: Those that do not, by reason.
        oldest: Earliest event time in us.
        newest: Latest event time in us.
        error: Why it could not be read; nothing of it counts then.
    """

    consumed: int = 0
    records: int = 0
    rejects: Mapping[str, int] = field(default_factory=dict)
    oldest: int | None = None
    newest: int | None = None
    error: Exception | None = None


@dataclass(frozen=True)
class Share:
    """What another machine has made of some parcels.

    Attributes:
        made: Of each parcel, in the order in which they were sent.
        partials: What all records add up to, packed.
    """

    made: Sequence[Made]
    partials: bytes


class Afar(Protocol):
    """Other machines that read parcels of one source for this one. Callable from the thread of the source."""

    @property
    def mode(self) -> Literal["away", "here", "wait"]:
        """Whether parcels are to be sent, to be read here, or to wait until somebody is there."""

    @property
    def trouble(self) -> str:
        """Why nobody is there, as a sentence; empty where somebody is."""

    @property
    def hands(self) -> int:
        """How many shares can be worked on at a time."""

    @property
    def most_bytes(self) -> int:
        """Bytes of parcels that may be away, or back and not yet offered."""

    def send(self, parcels: Sequence[Parcel]) -> Future[Share]:
        """Let somebody read parcels; the future raises a SourceError where nobody could."""


class Visitor(Protocol):
    """Reads parcels for another machine. Used by one thread."""

    def read(self, parcels: Sequence[Parcel]) -> Iterator[Part]:
        """Their content, one after another; what fails ends its own parcel only."""

    def close(self) -> None:
        """Give back what is open."""


@dataclass(frozen=True)
class LogFile:
    """A file that a source would read now.

    Attributes:
        live: It is written to; the others are archives.
    """

    name: str
    stat: FileStat
    packed: bool
    live: bool


@dataclass(frozen=True)
class SourceStatus:
    """How a source is, for people and for our own metrics.

    Attributes:
        state: `reading`, `idle` (all read), `waiting` (held back on purpose: the reason says why), `failing`.
        reason: A sentence where the state needs one.
        lag_bytes: Bytes known of but not consumed.
        partitions: Those that it knows of, read or not.
        counts: Running totals of what the source noticed since it was opened: identity decisions, lost
            bytes, quarantined archives, … by name.
        unread: Partitions of which something is there that was not offered; only asked of `ordered` sources.
    """

    state: Literal["reading", "idle", "waiting", "failing"]
    reason: str = ""
    lag_bytes: int = 0
    partitions: frozenset[str] = frozenset()
    counts: Mapping[str, int] = field(default_factory=dict)
    unread: frozenset[str] = frozenset()


@dataclass
class World:
    """The outside world that a source may touch: injected when it is opened."""

    clock: Clock
    files: Files
    wake: threading.Event
    """Set by a source's watcher when there may be something new, and by the runner to stop."""
    start: Literal["beginning", "end"] = "beginning"
    """Where to begin when there are no positions at all."""
    afar: Afar | None = None
    """Other machines that read for this one, where there are any."""


class Source(ABC):
    """Where bytes come from. Fields of the subclass are its options in the config.

    Used by one thread: `open`, then `poll` and `consume` in turn, then `close`. Nothing here may sleep,
    retry or start a thread; `poll` returns at once, or within a moment (0.1 s) where it waits for what was asked for.
    """

    guarantee: ClassVar[Literal["replayable", "acknowledged", "polled", "lossy"]]

    disorder: ClassVar[Duration] = Duration(5.0)
    """How much later than its time a record may be read and still be in time, where the config does not say."""

    idle_after: ClassVar[Duration] = Duration(60.0)
    """Silence after which it no longer holds windows open, where the config does not say."""

    ordered: ClassVar[bool] = False
    """Pieces say when they were written, and come in that order, whatever their partition. So one of which nothing
    is unread, and nothing was written for `idle_after`, is idle, also while the past is read."""

    losses: ClassVar[frozenset[str]] = frozenset()
    """Which of the counts of its status say that something is gone that was there, and perhaps was read once."""

    shared: ClassVar[Sequence[str]] = ()
    """Options that have to be the same on another machine that reads parcels of it; none where there are no parcels."""

    @property
    def releases(self) -> bool:
        """Whether it wants to know which streams are released (`Progress.released`)."""
        return False

    @abstractmethod
    def open(self, world: World, positions: Sequence[Position]) -> None:
        """Start at the committed positions (all of them, in `order`)."""

    def part(self, words: Sequence[str]) -> Source | None:  # noqa: ARG002 (the files of a log are named as files)
        """A source that reads only a part of what this one reads, and deletes nothing, for a back-fill.

        Args:
            words: What a command line says; for objects hours, or beginnings of keys.

        Returns:
            None where files have to be named instead.

        Raises:
            ValueError: A word names nothing.
        """
        return None

    @property
    def span(self) -> tuple[int, int] | None:
        """Of a part: from when up to when, in us, windows are whole; None where it does not say."""
        return None

    def put_aside(self) -> Sequence[str]:
        """Why something was put aside, as sentences that name it; asked when all was read."""
        return ()

    def learn(self, progress: Progress) -> None:  # noqa: B027 (most sources need not know)
        """Hear what was committed: at the start, and before the first poll after a commit that changed it."""

    def visitor(self, clock: Clock) -> Visitor:
        """Who reads parcels of it on another machine; only asked where there are parcels (`shared`)."""
        raise NotImplementedError(f"{clock} is asked for a source without parcels")

    def probe(self) -> Sequence[str]:
        """Try what is outside without changing anything: what is wrong, as sentences that say what to do.

        Called by `pegel check --connect` and `pegel doctor`, never while running; takes at most 10 s.
        """
        return ()

    def reads(self, partition: str) -> bool:  # noqa: ARG002 (most sources share nothing with another name)
        """Whether a stored partition of that name, of whatever source, would be read by this one."""
        return False

    def doubts(self, files: Files) -> Sequence[str]:  # noqa: ARG002 (most sources have nothing to look at)
        """What `pegel check` should say about the outside world, as sentences; nothing of it is an error."""
        return ()

    def found(self, files: Files) -> Sequence[LogFile]:  # noqa: ARG002 (most sources read no files)
        """The files that it would read if it began now: each log's archives, oldest first, then what is live.

        Raises:
            OSError: It cannot be looked at.
        """
        return ()

    @abstractmethod
    def poll(self) -> Piece | None:
        """Offer the next bytes, or None when there is nothing to read now.

        What was offered and not consumed is offered again in front of new bytes, once there are any (or
        once `end` has something new to say). Bounded: one piece is in memory at a time.

        Raises:
            SourceError: It cannot be read now; calling again later is right, and no position has moved.
        """

    @abstractmethod
    def consume(self, piece: Piece, count: int, mark: str) -> Sequence[Position]:
        """The framer used up the first `count` bytes of `piece`; returns every position that changed.

        Called exactly once for each piece, with 0 where nothing was used up. The positions are committed
        together with the numbers made from those bytes; a source that restarts from them offers exactly
        the bytes behind `count`.
        """

    def put_off(self, position: Position, reason: str) -> Position:  # noqa: ARG002 (a log is what it is)
        """A stream has ended, and nothing of it counted: what is stored in the place of its last position.

        Asked in the commit that has it, on the thread of the turn, perhaps more than once; a source that puts it
        aside takes note of that with its next `poll`.

        Args:
            position: The last one, which says `done`.
            reason: What was in the stream, as a sentence.
        """
        return position

    @abstractmethod
    def exhausted(self) -> bool:
        """True when all that exists now was offered and nothing is held back (`run --once` may stop)."""

    @abstractmethod
    def status(self) -> SourceStatus:
        """How it is; cheap, callable from any thread."""

    @abstractmethod
    def close(self) -> None:
        """Give back what is open; the positions stay where the last commit put them."""
