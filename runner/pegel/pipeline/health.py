"""Whether a runner is well: the rules, over facts that were read beside it.

Nothing here looks at the world: `pegel status` gathers the facts, and a test can invent them. Every complaint
says what is wrong and what to do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pegel.metrics.definition import Metric
from pegel.pipeline.holding import holder
from pegel.plan import Plan
from pegel.state.bulletin import Said, Trouble
from pegel.units import show_size

FAILS_LONG = 300.0
"""Seconds for which a sink or a source may fail: servers restart."""

HELD_LONG = 600.0
"""Seconds that windows may be behind the newest record."""

_CRON = 900.0
"""Seconds between two runs of cron mode that are always fine."""

_REJECTS = (0.01, 10)
"""Share and number of rejected records from which something is wrong with the format."""

_ROOM = 256 * 2**20
"""Bytes that should be free, beside what the next snapshot needs."""


@dataclass(frozen=True)
class Complaint:
    """One reason why a runner is not well.

    Attributes:
        part: What it is about: `runner`, `source ookla`, `metric users`, `sink influx`, `state`, `disk`.
        sentence: What is wrong.
        advice: What to do.
    """

    part: str
    sentence: str
    advice: str

    def __str__(self) -> str:
        return f"{self.part}: {self.sentence}; {self.advice}"


@dataclass(frozen=True)
class Vitals:
    """What is known of a runner at one moment; times in seconds since 1970.

    Attributes:
        plan: What it should run.
        facts: The report of its state; None if there is no state.
        process: That runs now; None if there is none.
        said: Its newest bulletin, or that of the last one.
        free: Bytes free where the state is.
        silent: Seconds without a record after which a source is silent for too long.
    """

    now: float
    plan: Plan
    facts: Mapping[str, Any] | None
    process: int | None = None
    said: Said | None = None
    free: int = 2**62
    silent: float = 6 * 3600.0
    counted: Mapping[str, Mapping[str, int]] = field(init=False)
    """Counters of the state by source: `records`, `rejects`."""

    def __post_init__(self) -> None:
        counted: dict[str, dict[str, int]] = {}
        for one in (self.facts or {}).get("counters", ()):
            source, name = one["labels"].get("source"), one["name"].removesuffix("_total")
            if source is not None and name in ("records", "rejects"):
                found = counted.setdefault(source, {"records": 0, "rejects": 0})
                found[name] += one["value"]
        object.__setattr__(self, "counted", counted)

    def as_json(self) -> dict[str, Any]:
        """All facts, for machines; times in seconds since 1970, those of the state in microseconds."""
        said = asdict(self.said) if self.said is not None else None
        return {"now": self.now, "process": self.process, "runner": said, "free": self.free, "state": self.facts}

    @property
    def service(self) -> bool:
        """Whether a process should run all the time."""
        return self.said is None or self.said.mode == "service"


def complaints(vitals: Vitals) -> list[Complaint]:
    """Every reason why the runner is not well, in the order of the flow; none if it is."""
    if vitals.facts is None:
        return [
            Complaint(
                "runner", "it has never run: there is no state yet", "start it: pegel run, or systemctl start pegel"
            )
        ]
    return [
        *_runner(vitals),
        *_troubles(vitals),
        *_sources(vitals),
        *_metrics(vitals),
        *_sinks(vitals),
        *_state(vitals),
    ]


def _runner(vitals: Vitals) -> Iterator[Complaint]:
    said = vitals.said
    if vitals.process is not None:
        return
    if said is None or vitals.service:
        gone = "it does not run" if said is None else _how_it_ended(said, vitals.now)
        yield Complaint("runner", gone, "start it: systemctl start pegel, or pegel run")
        return
    if said.ended is None:
        yield Complaint(
            "runner", _how_it_ended(said, vitals.now), "look into its log; the next run goes on exactly there"
        )
    elif said.result:
        yield Complaint("runner", f"the last run left something: {said.result}", "the next run tries again")
    pause = max(_CRON, 2 * (said.began - said.former) if said.former else 0.0)
    if vitals.now - said.began > pause:
        sentence = f"the last run was {ago(vitals.now - said.began)}"
        yield Complaint("runner", sentence, "does cron (or the timer) still start it?")


def _how_it_ended(said: Said, now: float) -> str:
    if said.ended is None:
        return f"process {said.pid} began {ago(now - said.began)} and died without a word"
    return f"it was stopped {ago(now - said.ended)}"


def _troubles(vitals: Vitals) -> Iterator[Complaint]:
    said = vitals.said
    for trouble in said.troubles if said is not None else ():
        lasting = vitals.now - trouble.since
        if trouble.kind == "state":
            sentence = f"it cannot be written since {span(lasting)}: {trouble.sentence}"
            yield Complaint("state", sentence, "nothing is lost: reading waits until there is room or the disk is well")
        elif trouble.kind == "config":
            sentence = f"the changed one is refused since {span(lasting)} and the old one goes on: {trouble.sentence}"
            yield Complaint("config", sentence, "mend it before the next restart, which it would not survive")
        elif lasting > (HELD_LONG if trouble.waiting else FAILS_LONG):
            yield _lasting(trouble, lasting)


def _lasting(trouble: Trouble, lasting: float) -> Complaint:
    part = f"{trouble.kind} {trouble.name}"
    if trouble.kind == "sink":
        sentence = f"nothing was stored for {span(lasting)}: {trouble.sentence}"
        return Complaint(part, sentence, "points wait and none is lost; pegel check --connect tries it")
    verb = "it waits" if trouble.waiting else "it cannot be read"
    return Complaint(part, f"{verb} for {span(lasting)}: {trouble.sentence}", "pegel doctor looks at its files")


def _sources(vitals: Vitals) -> Iterator[Complaint]:
    facts = vitals.facts or {}
    known = {one["name"]: one for one in facts["sources"]}
    for source in vitals.plan.sources:
        part = f"source {source.name}"
        newest = newest_record(known.get(source.name))
        if newest is None:
            yield _never_read(part, vitals)
        elif vitals.now - newest > vitals.silent:
            sentence = f"silent: its newest record is {span(vitals.now - newest)} old"
            yield Complaint(part, sentence, "does anything still write there? pegel doctor looks")
        yield from _put_aside(part, known.get(source.name))
        share, count = reject_share(vitals.counted.get(source.name))
        if share > _REJECTS[0] and count >= _REJECTS[1]:
            sentence = f"{share:.1%} of its records are rejected"
            yield Complaint(part, sentence, "the reasons are below; pegel explain shows what becomes of one record")


_STATE = {"archive": "damaged", "object": "put aside"}
_REMEDY = {
    "archive": "move it away (mended or not, its windows are closed); pegel backfill counts a good copy",
    "object": "mend or delete it, then pegel state retry: it is read again, or no longer named",
}
"""Of what was put aside: how it is, and what to do."""


def _never_read(part: str, vitals: Vitals) -> Complaint:
    """Nothing was read: with the reason, where the runner knows it."""
    sentence = "no record was ever read"
    for trouble in vitals.said.troubles if vitals.said is not None else ():
        if f"{trouble.kind} {trouble.name}" == part:
            return Complaint(part, f"{sentence}: {trouble.sentence}", "pegel doctor says what to do")
    return Complaint(part, sentence, "is the path right, and does anything write there? pegel doctor")


def _put_aside(part: str, source: Mapping[str, Any] | None) -> Iterator[Complaint]:
    found = (source or {}).get("put_aside", ())
    if found:
        first, more = found[0], f"; and {len(found) - 1} more" if len(found) > 1 else ""
        kind = first.get("kind", "archive")
        what = f"an {kind} is" if len(found) == 1 else f"{len(found)} {kind}s are"
        sentence = f"{what} {_STATE[kind]} and not counted: {first['file']} ({first['reason']}{more})"
        yield Complaint(part, sentence, _REMEDY[kind])


def newest_record(source: Mapping[str, Any] | None) -> float | None:
    """Time of the newest record of a source."""
    times = [one["newest"] for one in (source or {}).get("partitions", ()) if one["newest"] is not None]
    return max(times) / 1e6 if times else None


def reject_share(counted: Mapping[str, int] | None) -> tuple[float, int]:
    """Share and number of the records that were rejected."""
    if not counted or not counted["rejects"]:
        return 0.0, 0
    return counted["rejects"] / (counted["rejects"] + counted["records"]), counted["rejects"]


def _metrics(vitals: Vitals) -> Iterator[Complaint]:
    facts = vitals.facts or {}
    sources = {one["name"]: one for one in facts["sources"]}
    marks = {one["name"]: one["watermark"] for one in facts["metrics"] if one["until"] is None}
    for metric in vitals.plan.metrics:
        yield from _too_late(metric, vitals)
        mark = marks.get(metric.name)
        mine = [partition for name in metric.sources for partition in (sources.get(name) or {}).get("partitions", ())]
        mine = [one for one in mine if one["newest"] is not None]
        if mark is None or not mine or vitals.process is None:
            continue
        behind = max(one["newest"] for one in mine) / 1e6 - mark / 1e6
        if behind > HELD_LONG:
            held = holder(metric, vitals)
            sentence = f"its windows are {span(behind)} behind the newest record: they wait for {held.what}"
            yield Complaint(f"metric {metric.name}", sentence, held.advice)


def _too_late(metric: Metric, vitals: Vitals) -> Iterator[Complaint]:
    """Records of windows that take no corrections any more are in no number."""
    lost = sum(
        one["value"]
        for one in (vitals.facts or {}).get("counters", ())
        if one["name"] == "too_late_total" and one["labels"].get("metric") == metric.name
    )
    read = sum(vitals.counted.get(name, {}).get("records", 0) for name in metric.sources)
    if read and lost >= _REJECTS[1] and lost / read > _REJECTS[0]:
        sentence = f"{lost:,} records came too late and are not counted ({lost / read:.1%})"
        yield Complaint(f"metric {metric.name}", sentence, "a larger `disorder` of the source waits longer for them")


def _sinks(vitals: Vitals) -> Iterator[Complaint]:
    facts = vitals.facts or {}
    waiting = {one["name"]: one for one in facts["sinks"]}
    for sink in vitals.plan.sinks:
        one, part = waiting.get(sink.name), f"sink {sink.name}"
        if one is None:
            continue
        if one["waiting_bytes"] > sink.max_bytes / 2:
            sentence = f"{show_size(one['waiting_bytes'])} wait for it, of {show_size(sink.max_bytes)} at most"
            then = "reading stops" if sink.when_full == "block" else "the oldest points are dropped"
            yield Complaint(part, sentence, f"mend it before {then}: pegel check --connect")
        if one["dead_letters"]:
            reason = next((row["reason"] for row in one.get("reasons", ())), "")
            sentence = f"it refused {one['dead_letters']:,} points for good{': ' if reason else ''}{reason}"
            yield Complaint(part, sentence, "mend what it says, then pegel sinks retry (or discard)")
    configured = {sink.name for sink in vitals.plan.sinks}
    for name, one in waiting.items():
        if name not in configured and one["waiting_points"]:
            sentence = f"{one['waiting_points']:,} points wait for it, and it is not configured any more"
            yield Complaint(f"sink {name}", sentence, "put it back; after 72 h they are dropped")


def _state(vitals: Vitals) -> Iterator[Complaint]:
    facts = vitals.facts or {}
    newest = max((one["time"] for one in facts["snapshots"]), default=None)
    limit = max(3600.0, 3 * vitals.plan.runner.snapshot_interval)
    since = newest / 1e6 if newest is not None else (vitals.said.began if vitals.said else vitals.now)
    if vitals.process is not None and vitals.now - since > limit:
        sentence = f"no snapshot was taken for {span(vitals.now - since)}"
        yield Complaint("state", sentence, "the log says why; without one a damaged disk costs more")
    wanted = _ROOM + facts["bytes"]
    if vitals.free < wanted:
        sentence = f"only {show_size(vitals.free)} are free where the state is"
        yield Complaint("disk", sentence, f"make room: the next snapshot and a backlog want {show_size(wanted)}")


def span(seconds: float) -> str:
    """A stretch of time for people, in its two largest units: `3 h 5 min`."""
    rest, parts = max(0, round(seconds)), []
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, rest = divmod(rest, length)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


def ago(seconds: float) -> str:
    """How long ago something was."""
    return f"{span(seconds)} ago"
