"""Old archives into the sinks of a runner, beside it.

A back-fill is a runner of its own: its own state directory below the live one, the same source, metrics and sinks,
and files that were named instead of a log. It counts only windows that nobody else counts. Those before the first
window that the live runner has ever shown are claimed in the live state, which from then on leaves them alone;
those that another back-fill has counted stay with it. So every window has one owner who saw all of its records, and
a point is only ever replaced by a better one of the same owner.

Where nothing is live yet, what the runner will read at its first start is left to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pegel.errors import StateError
from pegel.metrics.definition import Metric
from pegel.metrics.windows import Windows
from pegel.pipeline.glance import Glance, Glances, in_order
from pegel.pipeline.runner import Hands, Runner
from pegel.plan import Plan, SourcePlan
from pegel.seams import Clock, Files, SystemClock, SystemFiles
from pegel.sources import Source
from pegel.sources.file import File
from pegel.sources.given import Given
from pegel.sources.inflate import Limits
from pegel.state import State, claims
from pegel.state.lock import DirectoryLock
from pegel.state.report import report
from pegel.state.store import make_private
from pegel.table import Engine
from pegel.units import Duration

_NEVER = Duration(float("inf"))

FOLDER = "backfill"
"""Below the live state directory."""


@dataclass(frozen=True)
class Skipped:
    """A file that is not read, and why.

    Attributes:
        broken: It should have been, and somebody has to mend it.
    """

    path: str
    reason: str
    broken: bool = False


@dataclass(frozen=True)
class Prepared:
    """A back-fill that may begin or go on.

    Attributes:
        plan: What its runner runs.
        live: State directory of the runner beside which it runs.
        files: What is read, oldest first; nothing where objects of a bucket are.
        part: The part of a bucket that is read, in the words of the command; empty where files are.
        skipped: What is not.
        ends: Where its windows end, by metric, in us.
        resumed: It had begun before.
        partial: Other sources that a metric reads, of which nothing is in the files.
    """

    plan: Plan
    live: Path
    files: Sequence[Glance]
    skipped: Sequence[Skipped]
    ends: Mapping[str, int]
    resumed: bool
    partial: Mapping[str, Sequence[str]]
    part: Sequence[str] = ()

    @property
    def source(self) -> Source:
        """What reads it."""
        return self.plan.sources[0].source

    def runner(self, clock: Clock | None = None, files: Files | None = None, hands: Hands | None = None) -> Runner:
        """A runner for it; not open yet."""
        return Runner(self.plan, clock=clock, files=files, beside=self.live, hands=hands)


def folder(live: Path, name: str) -> Path:
    """The state directory of a back-fill."""
    return live / FOLDER / name


def prepare(
    plan: Plan,
    source: str,
    name: str,
    paths: Sequence[str],
    *,
    before: int | None = None,
    clock: Clock | None = None,
    files: Files | None = None,
) -> Prepared:
    """Look into the files, claim the windows, and say what will be read.

    Args:
        plan: That of the live runner.
        source: Whose log the files are.
        name: Of the back-fill.
        paths: The files, in any order; of a bucket hours, or beginnings of keys.
        before: Only windows that end up to here, in us.
        clock: Time.
        files: The file system.

    Raises:
        StateError: A state cannot be used, or another back-fill has to be finished first.
        ValueError: A word names no part of the bucket.
    """
    live, state = plan.runner.state, folder(plan.runner.state, name)
    one = next(each for each in plan.sources if each.name == source)
    part = one.source.part(paths)
    metrics = [replace(metric, sources=[source]) for metric in plan.metrics if source in metric.sources]
    with _alone(live):
        others = _others(live, name, metrics)
        named = paths if part is None else ()
        if part is not None and part.span is not None:
            before = min(part.span[1], part.span[1] if before is None else before)
        found, ends = _looked(plan, one, metrics, named, before, clock or SystemClock(), files or SystemFiles())
        resumed = (state / "state.db").exists()
        _settle(state, _owned(metrics, others, ends, part))
    reasons = [(glance, _reason_to_skip(glance, metrics, ends, one)) for glance in in_order(found)]
    kept = [glance for glance, reason in reasons if not reason]
    skipped = [Skipped(glance.path, reason, bool(glance.problem)) for glance, reason in reasons if reason]
    reader = part or _given(one, kept)
    run = _plan(plan, one, metrics, reader, state)
    words = () if part is None else paths
    return Prepared(run, live, kept, skipped, ends, resumed, _partial(plan.metrics, source), words)


@contextmanager
def _alone(live: Path) -> Iterator[None]:
    """While it lasts no other back-fill may claim windows: each would think that nobody else has begun.

    Raises:
        StateError: Another one is about to.
    """
    make_private(live / FOLDER)
    try:
        lock = DirectoryLock(live / FOLDER)
    except StateError as error:
        raise StateError(f"{error}: another back-fill begins there; try again in a moment") from error
    try:
        yield
    finally:
        lock.release()


def _looked(
    plan: Plan,
    one: SourcePlan,
    metrics: Sequence[Metric],
    paths: Sequence[str],
    before: int | None,
    clock: Clock,
    files: Files,
) -> tuple[list[Glance], dict[str, int]]:
    """What the files begin with, and where the windows end, by metric."""
    live = plan.runner.state
    engine = Engine(str(live / FOLDER / "spill"), plan.runner.memory)
    try:
        glances = Glances(one, engine, files, clock)
        found = [glances.look(path) for path in paths]
        if not (live / "state.db").exists():
            State(live).close()
        return found, _claimed(live, metrics, _begins(one, metrics, glances, files, clock), before)
    finally:
        engine.close()


def _partial(metrics: Sequence[Metric], source: str) -> dict[str, list[str]]:
    """Metrics that read other sources, too: their windows get only what this one has."""
    shared = [metric for metric in metrics if source in metric.sources and len(metric.sources) > 1]
    return {metric.name: [name for name in metric.sources if name != source] for metric in shared}


def finish(runner: Runner) -> None:
    """Remember that all was read and every window closed."""
    with runner.state.transaction():
        runner.state.remember(claims.FINISHED, round(runner.clock.wall() * 1e6))


# -- whose windows are whose ---------------------------------------------------------------------------------------


def _claimed(live: Path, metrics: Sequence[Metric], begins: Mapping[str, int], before: int | None) -> dict[str, int]:
    """Where the windows of this back-fill end, by metric; whatever comes before is the live runner's no longer."""
    ends = claims.claim(live, {**begins, **_closed(live, metrics)})
    if before is None:
        return ends
    return {metric.name: min(ends[metric.name], windows_of(metric).pane_start(before)) for metric in metrics}


def _closed(live: Path, metrics: Sequence[Metric]) -> dict[str, int]:
    """Up to where the live runner has closed windows: of a metric that it never showed, these are nobody's."""
    marks: dict[str, int] = {}
    for one in report(live)["metrics"]:
        if one["watermark"] is not None:
            marks[one["name"]] = max(one["watermark"], marks.get(one["name"], one["watermark"]))
    return {one.name: windows_of(one).pane_start(marks[one.name]) for one in metrics if one.name in marks}


def _begins(
    source: SourcePlan, metrics: Sequence[Metric], glances: Glances, files: Files, clock: Clock
) -> dict[str, int]:
    """The first window of each metric that the live runner may show if it has not begun yet."""
    found = () if source.start == "end" else source.source.found(files)
    times = [one.begins for one in (glances.look(file.name) for file in found) if one.begins is not None]
    if times:
        earliest = min(times) - round(source.disorder * 1e6)  # what was looked at may not be in order
        return {one.name: windows_of(one).pane_start(earliest) for one in metrics}
    now = round(clock.wall() * 1e6)
    return {one.name: windows_of(one).pane_end(windows_of(one).pane_start(now)) for one in metrics}


def _others(live: Path, name: str, metrics: Sequence[Metric]) -> dict[str, list[claims.Span]]:
    """What other back-fills have counted, by metric.

    Raises:
        StateError: One of them is not finished, so that nobody knows yet what it will count.
    """
    found: dict[str, list[claims.Span]] = {}
    for path in sorted((live / FOLDER).glob("*/state.db")):
        if path.parent.name == name:
            continue
        counted = claims.counted(path.parent)
        if counted is None:
            raise StateError(
                f"the back-fill {path.parent.name} is not finished; finish it first (--id {path.parent.name}),"
                f" or remove {path.parent}"
            )
        for metric in metrics:
            if metric.name in counted:
                first, watermark = counted[metric.name]
                found.setdefault(metric.name, []).append((first, windows_of(metric).pane_start(watermark)))
    return found


def _owned(
    metrics: Sequence[Metric], others: Mapping[str, Sequence[claims.Span]], ends: Mapping[str, int], part: Source | None
) -> dict[str, list[claims.Span]]:
    """Windows that are not this back-fill's, by metric: others', later ones, and those before a part of a bucket."""
    owned = {}
    for metric in metrics:
        spans = [*others.get(metric.name, ()), (ends[metric.name], claims.EVER)]
        if part is not None and part.span is not None:
            spans.append((-claims.EVER, _first_whole(metric, part.span[0])))
        owned[metric.name] = spans
    return owned


def _settle(state: Path, owned: Mapping[str, Sequence[claims.Span]]) -> None:
    """Tell a back-fill's state whose windows are not its own; one that was finished goes on now."""
    own = State(state)
    try:
        with own.transaction():
            for metric, spans in owned.items():
                own.remember(claims.foreign_key(metric), claims.to_text(spans))
            own.remember(claims.FINISHED, None)
    finally:
        own.close()


# -- which files are read ------------------------------------------------------------------------------------------


def _reason_to_skip(one: Glance, metrics: Sequence[Metric], ends: Mapping[str, int], source: SourcePlan) -> str:
    """Why a file is not read; empty if it is."""
    if one.problem:
        return f"cannot be read: {one.problem}"
    if one.empty:
        return "is empty"
    if one.begins is None:
        return ""
    earliest = one.begins - round(source.disorder * 1e6)
    if all(ends[metric.name] <= windows_of(metric).pane_start(earliest) for metric in metrics):
        return "begins where the runner itself counts"
    return ""


def _first_whole(metric: Metric, time: int) -> int:
    """The start of the first window with all that is from a time on."""
    windows = windows_of(metric)
    start = windows.pane_start(time)
    return start if start == time else windows.pane_end(start)


def windows_of(metric: Metric) -> Windows:
    """The windows of a metric."""
    return Windows(metric.every, metric.over, metric.timezone)


def _given(one: SourcePlan, kept: Sequence[Glance]) -> Given:
    """What reads files."""
    log = one.source
    limits = Limits(log.max_unpacked, log.max_ratio, log.max_members) if isinstance(log, File) else Limits()
    begins = {each.path: each.begins for each in kept if each.begins is not None}
    return Given(name=one.name, paths=[each.path for each in kept], begins=begins, limits=limits)


def _plan(plan: Plan, one: SourcePlan, metrics: Sequence[Metric], reader: Source, state: Path) -> Plan:
    """The live plan with another reader in the place of the source; a view shows what is now, so it gets nothing."""
    return replace(
        plan,
        runner=replace(plan.runner, state=state),
        sources=[replace(one, source=reader, start="beginning", renamed_from=None)],
        metrics=metrics,
        # values of open windows are for people who watch; here they would only be sent twice
        sinks=[replace(sink, early_interval=_NEVER) for sink in plan.sinks if not sink.sink.view],
    )
