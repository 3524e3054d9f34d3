"""A worker's work: objects are read, parsed, enriched and folded as the runner itself would do it."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from pegel.formats import End
from pegel.metrics.compiled import CompiledMetric, compile_metric
from pegel.metrics.partials import Partials
from pegel.pipeline import registry
from pegel.pipeline.stage import Chunk, Folded, SourceStage, chunk, pack
from pegel.plan import Plan, SourcePlan
from pegel.scale.errands import Answer, Declined, Done, Errand, Lesson, Place, Untaught
from pegel.scale.likeness import likeness, unlike
from pegel.seams import Clock
from pegel.sources import Made, Parcel, Part, Piece, Share, Visitor
from pegel.table import Engine

_TOGETHER = 32 << 20
"""Bytes of content that are folded together at most, about: more make fewer partials and take more memory."""

_REMEMBERED = 3600.0
"""Seconds for which keys are known that nobody uses."""

_UNKNOWN = bytes(16)
"""Stands for a key that is not known; nothing is kept of what was made with it."""


class Rings:
    """Keys of distinct members that this worker was told, in memory alone, and forgotten when nobody uses them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._guard = threading.Lock()
        self._keys: dict[tuple[str, Place], tuple[bytes, float]] = {}

    def learn(self, lesson: Lesson) -> None:
        """Know keys from now on."""
        now = self._clock.monotonic()
        with self._guard:
            self._keys = {place: held for place, held in self._keys.items() if now - held[1] < _REMEMBERED}
            self._keys.update({(lesson.ring, place): (key, now) for place, key in lesson.keys.items()})

    def get(self, ring: str, place: Place) -> bytes | None:
        """A key, None if it is not known."""
        now = self._clock.monotonic()
        with self._guard:
            held = self._keys.get((ring, place))
            if held is None or now - held[1] >= _REMEMBERED:
                return None
            self._keys[ring, place] = held[0], now
            return held[0]


@dataclass
class _Asked:
    """The keys of one errand; it notes those that are missing."""

    rings: Rings
    ring: str
    names: Sequence[str]
    missing: set[Place] = field(default_factory=set)

    def get(self, metric: int, epoch: int) -> bytes:
        place = (self.names[metric], epoch)
        key = self.rings.get(self.ring, place)
        if key is None:
            self.missing.add(place)
        return _UNKNOWN if key is None else key


@dataclass
class _Sum:
    """What chunks add up to: partials by metric, and what was found in each parcel."""

    metrics: Mapping[int, CompiledMetric]
    made: dict[int, Made] = field(default_factory=dict)
    parts: dict[int, list[Partials]] = field(default_factory=lambda: defaultdict(list))

    def add(self, numbers: Sequence[int], folded: Folded) -> None:
        """Add a fold of chunks that come from parcels of these numbers."""
        for number, one in zip(numbers, folded.chunks, strict=True):
            known = self.made.get(number, Made())
            self.made[number] = Made(
                consumed=known.consumed + one.chunk.consumed,
                records=known.records + one.records,
                rejects=Counter(known.rejects) + one.rejects,
                oldest=min((t for t in (known.oldest, one.oldest) if t is not None), default=None),
                newest=max((t for t in (known.newest, one.newest) if t is not None), default=None),
            )
        for metric, partials in folded.partials.items():
            self.parts[metric].append(partials)

    def include(self, other: _Sum) -> None:
        """Add what another one has."""
        self.made.update(other.made)
        for metric, parts in other.parts.items():
            self.parts[metric] += parts

    def packed(self) -> bytes:
        """The partials, by the names of their metrics."""
        merged = {number: self.metrics[number].merge(*parts) for number, parts in self.parts.items()}
        return pack({self.metrics[number].metric.name: partials for number, partials in merged.items()})


class Workshop:
    """Does errands for runners that have the same configuration. Callable from any thread."""

    def __init__(self, plan: Plan, clock: Clock, directory: Path, together: int = _TOGETHER) -> None:
        """Compile all that there is to fold.

        Args:
            plan: What this machine would run.
            clock: Time.
            directory: Where the engine may spill and enrichers keep what they like.
            together: Bytes of content that are folded together at most, about.
        """
        self._clock = clock
        self._most = together
        self._engine = Engine(str(directory), plan.runner.memory)
        self._rings = Rings(clock)
        for enricher in {id(one): one for source in plan.sources for one in source.enrichers}.values():
            enricher.settle_in(directory)
        self._benches = {source.name: _Bench.of(plan, source) for source in plan.sources if source.source.shared}
        self._own = threading.local()
        self._visitors: list[Visitor] = []

    @property
    def sources(self) -> list[str]:
        """Those of which objects can be read."""
        return list(self._benches)

    def learn(self, lesson: Lesson) -> None:
        """Know keys from now on."""
        self._rings.learn(lesson)

    def carry_out(self, errand: Errand, worker: str = "") -> Answer:
        """Do an errand, or say why not.

        Args:
            errand: What is wanted.
            worker: What this machine is called by those who tell it keys.
        """
        bench = self._benches.get(errand.source)
        if bench is None:
            return Declined(f"its configuration has no source {errand.source} with objects")
        different = unlike(bench.likeness, errand.likeness)
        if different:
            return Declined(
                f"its configuration makes something else of source {errand.source}; different are: "
                f"{', '.join(different)}; give all machines the same configuration and version"
            )
        keys = _Asked(self._rings, errand.ring, bench.names)
        total = self._fold(bench.stage.with_keys(keys), errand)
        if keys.missing:
            return Untaught(sorted(keys.missing), worker)
        return Done(Share([total.made[number] for number in range(len(errand.parcels))], total.packed()))

    def _fold(self, stage: SourceStage, errand: Errand) -> _Sum:
        """Read all parcels, and fold those that are whole."""
        total = _Sum(stage.metrics)
        numbers: list[int] = []
        waiting: list[Chunk] = []
        for number, parts in groupby(self._visitor(stage).read(errand.parcels), lambda part: part.number):
            reading = _Reading(stage, errand, number, self._most, self._together)
            if not reading.whole(parts):
                total.made[number] = Made(error=reading.error)
                continue
            total.include(reading.folded)
            numbers += [number] * len(reading.chunks)
            waiting += reading.chunks
            if sum(one.consumed for one in waiting) >= self._most:
                total.add(numbers, self._together(stage, waiting))
                numbers, waiting = [], []
        if waiting:
            total.add(numbers, self._together(stage, waiting))
        return total

    def _together(self, stage: SourceStage, chunks: Sequence[Chunk]) -> Folded:
        with self._engine.batch() as batch:
            return stage.fold(batch, chunks)

    def _visitor(self, stage: SourceStage) -> Visitor:
        """Who reads for this thread: connections stay open from one errand to the next."""
        name = f"visitor of {stage.plan.name}"
        found: Visitor | None = getattr(self._own, name, None)
        if found is None:
            found = stage.plan.source.visitor(self._clock)
            setattr(self._own, name, found)
            self._visitors.append(found)
        return found

    def close(self) -> None:
        """Give everything back, once no thread works any more."""
        for visitor in self._visitors:
            visitor.close()
        self._engine.close()


@dataclass(frozen=True)
class _Bench:
    """What is ready for the objects of one source."""

    stage: SourceStage
    names: Sequence[str]
    likeness: Mapping[str, str]

    @classmethod
    def of(cls, plan: Plan, source: SourcePlan) -> _Bench:
        metrics = [
            compile_metric(metric, *registry.columns_of(plan, metric))
            for metric in plan.metrics
            if source.name in metric.sources
        ]
        names = [metric.metric.name for metric in metrics]
        stage = SourceStage(source, dict(enumerate(metrics)), _NoKeys())
        return cls(stage, names, likeness(source, metrics, plan))


class _NoKeys:
    def get(self, metric: int, epoch: int) -> bytes:  # noqa: ARG002 - the signature of a stage's keys
        return _UNKNOWN


class _Reading:
    """One parcel: its chunks, and the folds of those that were too many to be held until its end.

    Attributes:
        chunks: Those that are not folded.
        error: Why it could not be read; nothing of it counts then.
    """

    def __init__(
        self,
        stage: SourceStage,
        errand: Errand,
        number: int,
        most: int,
        fold: Callable[[SourceStage, Sequence[Chunk]], Folded],
    ) -> None:
        self._stage = stage
        self._errand = errand
        self._number = number
        self._most = most
        self._parcel: Parcel = errand.parcels[number]
        self._fold = fold
        self.folded = _Sum(stage.metrics)
        self.chunks: list[Chunk] = []
        self.error: Exception | None = None

    def whole(self, parts: Iterator[Part]) -> bool:
        """Frame all of it; false if it cannot be read."""
        rest, mark, place = b"", self._parcel.mark, self._parcel.offset
        for part in parts:
            if part.error is not None:
                self.error = part.error
                return False
            data, end = rest + part.data if rest else part.data, End.FINAL if part.last else End.MORE
            frames = self._stage.plan.format.split(data, end, mark)
            piece = Piece("", self._parcel.key, self._parcel.order, place, data, end, mark=mark)
            self.chunks.append(chunk(self._stage.plan.name, piece, frames, (), self._errand.now))
            rest, mark, place = data[frames.consumed :], frames.mark, place + frames.consumed
            if sum(one.consumed for one in self.chunks) >= self._most:
                self.folded.add([self._number] * len(self.chunks), self._fold(self._stage, self.chunks))
                self.chunks = []
        return True
