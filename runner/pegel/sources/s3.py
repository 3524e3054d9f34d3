"""Objects in a bucket."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from pegel.errors import SourceError
from pegel.formats import End
from pegel.seams import Clock, SystemClock
from pegel.secret import Secret
from pegel.sources import Piece, Position, Progress, Source, SourceStatus, World
from pegel.sources.bucket import Changed, Missing, Refused, Store, StoreError
from pegel.sources.bucket.away import Away, Sent
from pegel.sources.bucket.client import Bucket
from pegel.sources.bucket.fetching import Download, Fetcher
from pegel.sources.bucket.layout import Layout, Place
from pegel.sources.bucket.ledger import QUARANTINED, Ledger
from pegel.sources.bucket.looking import Look, Looker
from pegel.sources.bucket.options import address, check, credentials, trust
from pegel.sources.bucket.probing import Probe
from pegel.sources.bucket.pump import Pump
from pegel.sources.bucket.ranges import Range
from pegel.sources.bucket.removing import DryRemover, Remover
from pegel.sources.bucket.unpacking import Content
from pegel.sources.bucket.visiting import BucketVisitor
from pegel.sources.inflate import DamagedError, Limits, UnreadyError
from pegel.units import Duration, Size

_MOMENT = 0.05
"""Seconds that a poll waits for what is on its way."""

_FIRST_DELAY, _LONGEST_DELAY = 0.5, 30.0
"""Seconds until what failed is asked for again."""

_LONGEST_PROBE = 3.0
"""Seconds that a request of a probe may take."""

_KEPT = 24 * 3600 * 10**6
"""Microseconds for which rows are kept beyond the look-back, so that it can be lengthened."""

_UNSEEN = "what was not listed yet"
"""Stands for the partitions that nobody knows of before a look."""

_FEW = 64
"""Objects that are left when the next part of a long listing is asked for."""

_BEFORE = SourceStatus("waiting", partitions=frozenset([_UNSEEN]), unread=frozenset([_UNSEEN]))
"""How a source is that has not been asked anything."""


@dataclass(kw_only=True)
class S3(Source):
    """Read the objects of a bucket behind any S3 interface, each exactly once, without queue or notification.

    The bucket is listed at an interval. What is new is read oldest first, several objects at a time, and the
    numbers, the position and the fact that an object was counted are one commit. An object is known by its key,
    its ETag and its size: one that comes late counts as long as it is within the look-back, one that is delivered
    again does not. Objects may be plain or gzip, of any size.

    What can never be read (not gzip in spite of its name, cut, a bomb, a page, anything of which nothing is a
    record, an object that was replaced after it had been counted) is put aside with a reason; `pegel state` shows
    it and `pegel state retry` tries again.
    Whatever else fails is tried again, and nothing is passed over.

    With `delete = true` an object is deleted once all windows that it touched have closed, every remote sink has
    acknowledged them, and a snapshot of the state has them; unless it has been replaced meanwhile.

    Options:
        bucket: Name of the bucket.
        prefix: Begins the keys that are read; before a layout a slash follows it, whether it is written or not.
        endpoint: Scheme, host and port of the server; Amazon's for the region if empty.
        region: Of the server; part of every signature.
        style: Where a request names the bucket: `path` (HOST/BUCKET) or `virtual` (BUCKET.HOST).
        access_key: Name of the key that signs requests; `access_key_file` names a file that holds it.
        secret_key: The key that signs requests; `secret_key_file` names a file that holds it, and is read again
            when it changes.
        session_token: What comes with a key that expires; `session_token_file` likewise.
        anonymous: Sign nothing: the bucket is open to all.
        layout: What follows the prefix in a key, as strftime writes it, such as `%Y%m%d/%H/`; empty where keys
            say no time: then all keys are listed at every look, and the state keeps a row for each for ever.
        names: The rest of a key, such as `rtl.{partition}+{sequence}.ndjson.gz`: objects with the same
            `{partition}` come from one writer, which numbers them by `{sequence}`; `{any}` is anything.
        start_after: Keys up to this one are never read.
        look_back: How far before the watermark objects are looked for, and before now at the first start; of use
            with a layout. What is older is for `pegel backfill`.
        poll_interval: Time between two listings.
        delete: Delete objects whose effect is safe. No other runner may read them then.
        dry_run: With `delete`: only say in the log what would be deleted.
        parallel: Requests at a time.
        max_in_flight: Bytes of objects that are on their way, or here and not yet read.
        part_size: Bytes of a request; a bigger object is read in parts.
        piece_size: Bytes offered at a time.
        timeout: Time without a byte after which a request has failed; so has one that brings less than 4 KiB a second.
        max_unpacked: Bytes that one object may have when unpacked.
        max_ratio: Unpacked bytes per packed byte, beyond 1 MiB.
        max_members: Gzip members in one object.
        ca_file: Certificates of the authorities to trust in the place of the system's (PEM).
        insecure_skip_verify: Believe any certificate; needs `i_know = true` beside it.
        i_know: See insecure_skip_verify.
        allow_link_local: The address may be a link-local one, where clouds hand out credentials.

    Example:
        [[sources]]
        name = "edge"
        type = "s3"
        endpoint = "https://s3.example.net"
        region = "eu-1"
        bucket = "logs"
        prefix = "edge/"
        layout = "%Y%m%d/%H/"
        access_key = "${AWS_ACCESS_KEY_ID}"
        secret_key = "${AWS_SECRET_ACCESS_KEY}"
        format = { type = "ndjson", columns = { timestamp = "varchar", status = "bigint" } }
        time = { column = "timestamp", format = "iso8601" }
    """

    guarantee = "replayable"
    losses = frozenset({"lost_objects", "vanished_objects"})
    disorder = Duration(90.0)
    idle_after = Duration(300.0)
    ordered = True
    shared = ("bucket", "max_unpacked", "max_ratio", "max_members")

    bucket: str
    prefix: str = ""
    endpoint: str = ""
    region: str = "us-east-1"
    style: Literal["path", "virtual"] = "path"
    access_key: Secret | None = None
    secret_key: Secret | None = None
    session_token: Secret | None = None
    anonymous: bool = False
    layout: str = ""
    names: str = ""
    start_after: str = ""
    look_back: Duration = Duration(7200.0)
    poll_interval: Duration = Duration(60.0)
    delete: bool = False
    dry_run: bool = False
    parallel: int = 8
    max_in_flight: Size = Size(32 * 2**20)
    part_size: Size = Size(8 * 2**20)
    piece_size: Size = Size(8 * 2**20)
    timeout: Duration = Duration(30.0)
    max_unpacked: Size = Size(16 * 2**30)
    max_ratio: int = 200
    max_members: int = 1_000_000
    ca_file: Path | None = None
    insecure_skip_verify: bool = False
    i_know: bool = False
    allow_link_local: bool = False

    connect: Callable[[Clock], Store] | None = field(default=None, init=False, repr=False, compare=False)
    """Gives the bucket, in the place of the one that the options name: a seam for tests."""
    _part: Range | None = field(default=None, init=False, repr=False, compare=False)
    _status: SourceStatus = field(default=_BEFORE, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check(self)
        self._layout = Layout(self.prefix, self.layout, self.names)

    # -- life ---------------------------------------------------------------------------------------------

    def open(self, world: World, positions: Sequence[Position]) -> None:
        self._world = world
        self._counts: Counter[str] = Counter()
        self._ledger = Ledger(self.bucket, self._layout, positions, self._counts)
        self._pump = Pump()
        self._store = self._connected(world.clock)
        self._fetcher = Fetcher(
            self._pump, self._store, parallel=self.parallel, most_bytes=self.max_in_flight, part=self.part_size
        )
        self._away = Away(self._pump, world.afar, self._fetcher)
        remover = DryRemover if self.dry_run else Remover
        self._remover = remover(self._pump, self._store, self._ledger, world.clock, self._counts)
        self._looker = Looker(lambda: self._store, self._layout, self._ledger)
        self._looking: asyncio.Task[Look] | None = None
        self._look_at = float("-inf")
        self._go_on = ""
        self._seen_all = False
        self._unseen, self._status = frozenset([_UNSEEN]), _BEFORE
        self._skip = world.start == "end" and self._ledger.empty
        self._watermark: int | None = None
        self._tries = 0
        self._content: Content | None = None
        self._rest = b""
        self._mark = ""
        self._look_trouble = ""
        self._read_trouble = ""
        self._failures = 0
        self._read_at = float("-inf")
        self._put_off: deque[Position] = deque()
        self._fetcher.add(sorted(self._ledger.unread(), key=lambda one: one.order))

    def _connected(self, clock: Clock) -> Store:
        return self.connect(clock) if self.connect is not None else self.client(clock, self.timeout)

    def client(self, clock: Clock, timeout: float) -> Bucket:
        """The bucket that the options name; nothing is connected yet."""
        return Bucket(address(self), credentials(self), clock.wall, trust(self), timeout)

    def visitor(self, clock: Clock) -> BucketVisitor:
        return BucketVisitor(
            self._connected(clock),
            self._limits,
            piece=self.piece_size,
            parallel=self.parallel,
            most_bytes=self.max_in_flight,
            part=self.part_size,
        )

    @property
    def _limits(self) -> Limits:
        return Limits(self.max_unpacked, self.max_ratio, self.max_members)

    @property
    def releases(self) -> bool:
        return self.delete

    def probe(self) -> Sequence[str]:
        clock, pump = SystemClock(), Pump()
        bucket = self.client(clock, min(self.timeout, _LONGEST_PROBE))
        try:
            tried = Probe(bucket, self._layout, self.start_after, self.delete and not self.dry_run)
            return pump.finish(tried.run(clock.wall()))
        finally:
            pump.close(bucket.close())

    def part(self, words: Sequence[str]) -> S3:
        limited = replace(self, delete=False, dry_run=False)
        limited.connect = self.connect
        limited._part = Range.read(words, self._layout)  # noqa: SLF001 - another of its own class
        return limited

    @property
    def span(self) -> tuple[int, int] | None:
        return None if self._part is None else self._part.span

    def put_off(self, position: Position, reason: str) -> Position:
        aside = self._ledger.put_off(position, reason, self._tries)
        if aside is not position:
            self._put_off.append(aside)
        return aside

    def put_aside(self) -> Sequence[str]:
        self._take_aside()
        return [f"{key}: {reason}" for key, reason in self._ledger.aside()]

    def reads(self, partition: str) -> bool:
        return partition.startswith(f"{self.bucket}/{self._layout.prefix}")

    def learn(self, progress: Progress) -> None:
        self._watermark = progress.watermark
        self._take_aside()
        if progress.tries > self._tries:
            self._tries = progress.tries
            again = self._ledger.retry(progress.tries)
            self._fetcher.add(sorted(again, key=lambda one: one.order))
        if self.delete:
            self._remover.add(progress.released)

    def close(self) -> None:
        self._pump.close(self._store.close())

    # -- reading ------------------------------------------------------------------------------------------

    def poll(self) -> Piece | None:
        self._work(0.0)
        piece = self._offer()
        if piece is None and self._waits:
            self._work(_MOMENT)
            piece = self._offer()
        if piece is None and self._ledger.dirty and not self._skip:
            piece = self._carrier()
        self._status = self._current_status()
        if piece is None and self._trouble and not self._waits:
            raise SourceError(self._trouble)
        return piece

    @property
    def _trouble(self) -> str:
        """What has failed and did not succeed since."""
        return self._read_trouble or self._away.trouble or self._look_trouble

    @property
    def _waits(self) -> bool:
        """Whether anything is on its way."""
        return self._looking is not None or self._fetcher.busy or self._away.busy or self._remover.busy

    def _take_aside(self) -> None:
        while self._put_off:
            self._ledger.take_aside(self._put_off.popleft())

    def _work(self, seconds: float) -> None:
        """Let requests go on, and begin others."""
        self._take_aside()
        self._begin_to_look()
        self._ask()
        if self._waits:
            self._pump.run(seconds)
        self._end_of_look()
        self._ask()

    def _ask(self) -> None:
        if self._world.clock.monotonic() >= self._read_at:
            self._away.tick()
            self._fetcher.tick(begin=self._away.reads_here)
        self._remover.tick()

    def _offer(self) -> Piece | None:
        """What comes next, from here or from afar; what is away is younger than what was begun here."""
        return self._from_here() or self._from_afar()

    def _from_here(self) -> Piece | None:
        """The next bytes of the object at the front; those before it that have none are settled."""
        while (download := self._fetcher.front()) is not None:
            if self._content is None or self._content.download is not download:
                self._content = Content(download, self._limits, self.piece_size)
                self._rest, self._mark = b"", download.entry.mark
            try:
                data = self._content.read()
            except (DamagedError, UnreadyError) as error:
                self._put_aside(download, str(error))
                continue
            except StoreError as error:
                if self._is_settled(download, error):
                    continue
                self._fail(str(error))
                return None
            if data is None:
                return None
            self._read_trouble, self._failures = "", 0
            if data or self._rest:
                return self._piece(download, self._rest + data, last=self._content.last)
            self._take_version(download)
            self._ledger.finish(download.entry)
            self._fetcher.next(download)
        return None

    def _piece(self, download: Download, data: bytes, *, last: bool) -> Piece:
        entry = download.entry
        return Piece(
            partition=self._partition(entry.place),
            stream=self._ledger.stream(entry.key),
            order=entry.order,
            offset=entry.offset,
            data=data,
            end=End.FINAL if last else End.MORE,
            mark=self._mark,
            written=entry.written,
        )

    def _from_afar(self) -> Piece | None:
        """The next object that another machine has read."""
        piece = self._away.offer()
        while piece is None and (sent := self._away.front()) is not None:
            self._take_share(sent)
            piece = self._away.offer()
        return piece

    def _take_share(self, sent: Sent) -> None:
        """A share is back: what could not be read is settled, or all the rest is asked for again."""
        try:
            share = sent.share()
        except SourceError as error:
            self._away.again(sent.downloads)
            self._fail(str(error))
            return
        pairs = list(zip(sent.downloads, share.made, strict=True))
        proved = any(made.error is None for _, made in pairs)
        if proved:
            self._fetcher.prove(sent.turn)
        errors = [(download, made.error) for download, made in pairs if made.error is not None]
        left = [(download, error) for download, error in errors if not self._is_over(download, error, proved=proved)]
        if left:
            kept = {id(download) for download, _ in left}
            self._away.again([one for one, made in pairs if made.error is None or id(one) in kept])
            self._fail(str(left[0][1]))
            return
        self._read_trouble, self._failures = "", 0
        read = [(download, made) for download, made in pairs if made.error is None]
        self._away.open(read, share.partials, lambda download: self._piece(download, b"", last=True))

    def _is_over(self, download: Download, error: Exception, *, proved: bool) -> bool:
        """Whether an object that another machine could not read is done with."""
        if isinstance(error, StoreError):
            stale = isinstance(error, Changed) and download.entry.etag != download.etag and not download.entry.offset
            return not stale and self._is_settled(download, error, proved=proved)
        self._put_aside(download, str(error))
        return True

    def _carrier(self) -> Piece:
        """A piece without bytes, for rows that have changed."""
        return Piece("", "", 0, 0, b"", End.MORE)

    def consume(self, piece: Piece, count: int, mark: str) -> Sequence[Position]:
        download = self._away.offered() if piece.made is not None else self._fetcher.front()
        if piece.partition and download is not None:
            self._take_version(download)
            self._rest, self._mark = piece.data[count:], mark
            download.entry.mark = mark
            whole = piece.end is End.FINAL
            if count or whole:
                self._ledger.advance(download.entry, piece.offset + count, whole=whole)
            if whole:
                self._fetcher.next(download)
        return self._ledger.changed() if not self._skip else ()

    def _take_version(self, download: Download) -> None:
        """What counts is the version that was read, whatever a listing has seen since."""
        download.entry.etag, download.entry.size = download.etag, download.size

    def _fail(self, sentence: str) -> None:
        """The object at the front cannot be had now; the next attempts are farther and farther apart."""
        self._read_trouble = sentence
        delay = min(_FIRST_DELAY * 2 ** min(self._failures, 10), _LONGEST_DELAY)
        self._failures += 1
        self._read_at = self._world.clock.monotonic() + delay

    # -- what goes wrong ----------------------------------------------------------------------------------

    def _put_aside(self, download: Download, reason: str) -> None:
        self._take_version(download)
        self._ledger.quarantine(download.entry, QUARANTINED + reason, tries=self._tries)
        self._fetcher.next(download)

    def _is_settled(self, download: Download, error: StoreError, *, proved: bool = False) -> bool:
        """Whether the object at the front is done with; if not, it is asked for again later."""
        entry = download.entry
        if isinstance(error, Missing):
            self._lose(download)
        elif isinstance(error, Changed) and entry.etag != download.etag and not entry.offset:
            self._fetcher.next(download, again=True)
        elif isinstance(error, Changed):
            if entry.offset:
                self._put_aside(download, "it was replaced while it was read; the rest of it cannot be counted")
            else:
                self._ledger.release([entry])
                self._fetcher.next(download)
                self._look_soon()
        elif isinstance(error, Refused) and (proved or self._is_its_own(download)):
            self._put_aside(download, f"others can be read, and this one cannot: {error}")
        else:
            return False
        return True

    def _is_its_own(self, download: Download) -> bool:
        """Whether a right that is missing is missing for this object only: again, after others could be read."""
        download.refusals += 1
        return download.refusals > 1 and self._fetcher.proved > download.turn + 1

    def _lose(self, download: Download) -> None:
        """An object was deleted by somebody else."""
        self._counts["vanished_objects"] += 1
        if download.entry.offset:
            self._take_version(download)
            self._ledger.finish(download.entry, "lost: it was deleted before all of it was read")
            self._counts["lost_objects"] += 1
        else:
            self._ledger.release([download.entry])
        self._fetcher.next(download)

    # -- looking ------------------------------------------------------------------------------------------

    def _look_soon(self) -> None:
        self._look_at = min(self._look_at, self._world.clock.monotonic() + 1.0)

    def _begin_to_look(self) -> None:
        now = self._world.clock.monotonic()
        if self._looking is None and now >= self._look_at and self._fetcher.waiting <= _FEW:
            after = self._go_on or self._first_key()
            look = Look(after, skip=self._skip, part=self._part)
            self._looking = self._pump.start(self._looker.run(look))

    def _first_key(self) -> str:
        """Behind which key a look begins."""
        if self._part is not None:
            return max(self.start_after, self._part.first(self._layout))
        known = [self.start_after]
        if self._ledger.floor is not None:
            known.append(self._layout.before(self._ledger.floor))
        known.append(self._layout.before(self._oldest(self._watermark)))
        return max(known)

    def _oldest(self, watermark: int | None) -> int:
        """Since when late objects are looked for, in us."""
        now = round(self._world.clock.wall() * 1e6)
        return (now if watermark is None else min(now, watermark)) - round(self.look_back * 1e6)

    def _end_of_look(self) -> None:
        if self._looking is None or not self._looking.done():
            return
        task, self._looking = self._looking, None
        error = task.exception()
        if error is not None:
            if not isinstance(error, StoreError):
                raise error
            self._look_trouble = str(error)
            self._look_at = self._world.clock.monotonic() + _FIRST_DELAY
            return
        self._look_trouble, self._unseen = "", frozenset()
        look = task.result()
        self._go_on = look.go_on
        if self._skip:
            for entry in look.fresh:
                self._ledger.finish(entry, "skipped: it was there before the first start")
            self._skip = not look.complete
        else:
            for entry in look.fresh:
                self._ledger.number(entry)
            self._fetcher.add(look.fresh)
        if look.complete:
            self._seen_all = True
            self._look_at = self._world.clock.monotonic() + self.poll_interval
            self._prune()

    def _prune(self) -> None:
        """Give up rows of hours that no look-back reaches."""
        if self._layout.dated and self._watermark is not None and self._part is None:
            self._ledger.forget_before(self._layout.start(self._oldest(self._watermark) - _KEPT))

    # -- how it is ----------------------------------------------------------------------------------------

    def exhausted(self) -> bool:
        idle = self._fetcher.empty and self._away.empty and not self._go_on and not self._ledger.dirty
        return self._seen_all and idle and not self._trouble

    def status(self) -> SourceStatus:
        return self._status

    def _current_status(self) -> SourceStatus:
        found = frozenset(f"{self.bucket}/{self._layout.prefix}{one}" for one in self._fetcher.partitions)
        unread = found | self._unseen
        state: Literal["reading", "idle", "waiting", "failing"] = "idle" if self.exhausted() else "reading"
        reason = ""
        if self._trouble:
            state, reason = "failing", self._trouble
        return SourceStatus(state, reason, self._fetcher.lag, unread, dict(self._counts), unread)

    def _partition(self, place: Place) -> str:
        return f"{self.bucket}/{self._layout.prefix}{place.partition}"
