"""The screen of `pegel status`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pegel.cli.terminal import Terminal
from pegel.metrics.windows import Windows
from pegel.pipeline.health import Complaint, Vitals, ago, newest_record, span
from pegel.sinks.safe_text import clean
from pegel.units import show_moment, show_size

_MARGIN = 9


def lines(vitals: Vitals, wrong: Sequence[Complaint], terminal: Terminal) -> Iterator[str]:
    """The verdict with its reasons, then every part in the order of the flow."""
    yield terminal.bold(_verdict(vitals, wrong))
    for complaint in wrong:
        yield f"  ! {terminal.bold(complaint.part)}: {clean(complaint.sentence)}"
        yield terminal.dim(f"    {clean(complaint.advice)}")
    if vitals.facts is None:
        return
    yield ""
    for row in (*_runner(vitals), *_sources(vitals), *_metrics(vitals), *_sinks(vitals)):
        yield clean(row)


def _verdict(vitals: Vitals, wrong: Sequence[Complaint]) -> str:
    if wrong:
        return f"not healthy: {len(wrong)} reason{'s' if len(wrong) > 1 else ''}"
    return "healthy" if vitals.process is not None else "healthy (between two runs)"


def _row(name: str, text: str) -> str:
    return f"{name:{_MARGIN}}{text}"


def _runner(vitals: Vitals) -> Iterator[str]:
    facts, said = vitals.facts or {}, vitals.said
    if vitals.process is not None:
        since = f", since {show_moment(said.began * 1e6)} UTC" if said and said.pid == vitals.process else ""
        yield _row("runner", f"process {vitals.process}{since}")
    elif said is not None:
        ended = f"ended {ago(vitals.now - said.ended)}" if said.ended else "died"
        kind = "the last run" if said.mode == "once" else "the last process"
        yield _row("runner", f"{kind} began {show_moment(said.began * 1e6)} UTC and {ended}")
    newest = max((one["time"] for one in facts["snapshots"]), default=None)
    snapshot = f"newest snapshot {ago(vitals.now - newest / 1e6)}" if newest else "no snapshot yet"
    yield _row("state", f"{facts['state']}, {show_size(facts['bytes'])}, {snapshot}, {show_size(vitals.free)} free")


def _sources(vitals: Vitals) -> Iterator[str]:
    facts = vitals.facts or {}
    known = {one["name"]: one for one in facts["sources"]}
    if not vitals.plan.sources:
        yield ""
        yield _row("source", "none is configured; its own figures (pegel_*) are all that there is")
    for source in vitals.plan.sources:
        one = known.get(source.name, {})
        yield ""
        yield _row("source", f"{source.name}: {', '.join(_source(source.name, one, vitals))}")
        of_all = sum(vitals.counted.get(source.name, {}).values())
        for reason, count in _counted(facts, "rejects_total", source.name, "reason"):
            yield _row("", f"{count:,} rejected: {reason} ({count / of_all:.2%})")
        for what, count in _counted(facts, "noticed_total", source.name, "what"):
            yield _row("", f"{count:,} {what.replace('_', ' ')}")
        for stream in one.get("streams", ()):
            if not stream["done"]:
                yield _row("", f"at byte {stream['offset']:,} of {stream['cursor'].get('path') or stream['stream']}")


def _source(name: str, one: Mapping[str, Any], vitals: Vitals) -> Iterator[str]:
    newest = newest_record(one)
    yield f"{vitals.counted.get(name, {}).get('records', 0):,} records"
    yield (
        f"newest {ago(vitals.now - newest)} ({show_moment(newest * 1e6)} UTC)"
        if newest is not None
        else "none read yet"
    )
    if one.get("unread") is not None:
        yield f"{show_size(one['unread'])} unread" if one["unread"] else "all read"
    for trouble in vitals.said.troubles if vitals.said else ():
        if (trouble.kind, trouble.name) == ("source", name):
            verb = "waits" if trouble.waiting else "fails"
            yield f"{verb} since {show_moment(trouble.since * 1e6)} UTC: {trouble.sentence}"


def _counted(facts: Mapping[str, Any], name: str, source: str, label: str) -> Iterator[tuple[str, int]]:
    for one in facts["counters"]:
        if one["name"] == name and one["labels"].get("source") == source:
            yield one["labels"][label], one["value"]


def _metrics(vitals: Vitals) -> Iterator[str]:
    facts = vitals.facts or {}
    known = {one["name"]: one for one in facts["metrics"] if one["until"] is None}
    late = {one["labels"].get("metric"): one["value"] for one in facts["counters"] if one["name"] == "too_late_total"}
    yield from [""] if vitals.plan.metrics else []
    for metric in vitals.plan.metrics:
        one = known.get(metric.name)
        mark = one["watermark"] if one else None
        windows = Windows(metric.every, metric.over, metric.timezone)
        newest = None if mark is None else windows.pane_start(mark)
        closed = (
            f"newest closed window ended {show_moment(newest)} UTC" if newest is not None else "no window closed yet"
        )
        series = f", {one['series']:,} series" if one else ""
        lost = f", {late[metric.name]:,} records came too late" if metric.name in late else ""
        yield _row("metric", f"{metric.name}: {closed}{series}{lost}")


def _sinks(vitals: Vitals) -> Iterator[str]:
    facts = vitals.facts or {}
    known = {one["name"]: one for one in facts["sinks"]}
    dropped = {
        one["labels"].get("sink"): one["value"] for one in facts["counters"] if one["name"] == "outbox_dropped_total"
    }
    yield from [""] if vitals.plan.sinks else []
    for sink in vitals.plan.sinks:
        one = known.get(sink.name)
        yield _row("sink", f"{sink.name}: {_backlog(one, vitals.now)}")
        for trouble in vitals.said.troubles if vitals.said else ():
            if (trouble.kind, trouble.name) == ("sink", sink.name):
                yield _row("", f"fails for {span(vitals.now - trouble.since)}: {trouble.sentence}")
        for row in one["reasons"] if one else ():
            yield _row("", f"{row['points']:,} refused for good: {row['reason']}")
        if sink.name in dropped:
            yield _row("", f"{dropped[sink.name]:,} dropped, as its outbox was too old or too big")


def _backlog(one: Mapping[str, Any] | None, now: float) -> str:
    if not one or not one["waiting_points"]:
        return "nothing waits"
    oldest = span(now - one["oldest"] / 1e6)
    return f"{one['waiting_points']:,} points wait ({show_size(one['waiting_bytes'])}), the oldest for {oldest}"
