"""Why a source has no new record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pegel.enrichers.filter import Filter
from pegel.pipeline.explaining import REASONS
from pegel.pipeline.health import Vitals, ago, newest_record, span
from pegel.pipeline.stops import Stop, explain
from pegel.plan import SourcePlan
from pegel.state.bulletin import Trouble
from pegel.units import show_size

_CLOCKS = (
    "compare the last line with `date -u`: the clock of the machine that writes it, or times without an offset that"
    " are not UTC"
)


def source_stop(source: SourcePlan, facts: Mapping[str, Any] | None, vitals: Vitals, since: float) -> Stop:
    """Why a source has had no record that is younger than `since`."""
    part = f"source {source.name}"
    trouble = _trouble(source.name, vitals)
    if trouble is not None:
        return Stop("problem", part, _since(trouble, vitals.now), "what to do is said above, beside its files")
    partitions = (facts or {}).get("partitions", ())
    active = max((one["active"] for one in partitions), default=None)
    if active is not None and active / 1e6 >= since:
        return _lines_without_records(source, facts or {}, vitals)
    unread = (facts or {}).get("unread")
    if unread:
        return _not_read(part, unread, vitals)
    if active is None:
        return Stop(
            "problem", part, "nothing was ever read from it", "is the path right, and does anything write there?"
        )
    sentence = f"nothing new was written for {span(vitals.now - active / 1e6)}, and all of it is read"
    return Stop("note", part, sentence, "does the application run, and does it still write to this file?")


def _lines_without_records(source: SourcePlan, facts: Mapping[str, Any], vitals: Vitals) -> Stop:
    """It is read, and no new record comes of it."""
    part, newest = f"source {source.name}", newest_record(facts)
    if newest is not None and facts.get("unread"):
        sentence = f"it reads old records (of {ago(vitals.now - newest)}), {show_size(facts['unread'])} are to come"
        return Stop("note", part, sentence, "a backlog: pegel status --watch shows whether it gets less")
    worst = _worst_reject(source.name, vitals)
    if worst is not None:
        reason, count, of_all = worst
        what = "no line is a record" if newest is None else f"no line was a record for {span(vitals.now - newest)}"
        words = f"{count:,} of {of_all:,} rejected ones are `{reason}` ({REASONS.get(reason, 'by its format')})"
        advice = _CLOCKS if reason == "future" else explain(source, vitals.plan)
        return Stop("problem", part, f"it is read, and {what}: {words}", advice)
    dropping = [one.where for one in source.enrichers if isinstance(one, Filter)]
    if dropping:
        sentence = f"it is read, and its filter lets nothing pass: `where = {dropping[0]}`"
        return Stop("problem", part, sentence, explain(source, vitals.plan))
    if newest is None:
        return Stop("problem", part, "it is read, and no line is whole yet", "does what writes it end its lines?")
    sentence = f"it is read, and what comes has times of {ago(vitals.now - newest)}"
    return Stop("problem", part, sentence, _CLOCKS)


def _not_read(part: str, unread: int, vitals: Vitals) -> Stop:
    """There is something to read, and nobody reads it."""
    full = [
        sink for sink in vitals.plan.sinks if sink.when_full == "block" and _waiting(sink.name, vitals) > sink.max_bytes
    ]
    sentence = f"{show_size(unread)} are written and not read"
    if full:
        names = ", ".join(one.name for one in full)
        return Stop("problem", part, f"{sentence}: the outbox of {names} is full", f"mend the sink {names}: see below")
    return Stop("problem", part, sentence, "the runner does not come on; what does its log say?")


def _waiting(sink: str, vitals: Vitals) -> int:
    rows = (vitals.facts or {}).get("sinks", ())
    return next((int(one["waiting_bytes"]) for one in rows if one["name"] == sink), 0)


def _trouble(name: str, vitals: Vitals) -> Trouble | None:
    """What the runner says of it, or of the state: without that nothing can be read."""
    found = vitals.said.troubles if vitals.said is not None else ()
    return next((one for one in found if (one.kind, one.name) in (("source", name), ("state", ""))), None)


def _since(trouble: Trouble, now: float) -> str:
    lasting = f"for {span(now - trouble.since)}: {trouble.sentence}"
    if trouble.kind == "state":
        return f"the state cannot be written, {lasting}"
    return f"it waits {lasting}" if trouble.waiting else f"it fails {lasting}"


def _worst_reject(source: str, vitals: Vitals) -> tuple[str, int, int] | None:
    """The reason why most of its lines were rejected, how many, and how many for any reason."""
    rows = (vitals.facts or {}).get("counters", ())
    mine = {
        str(one["labels"]["reason"]): int(one["value"])
        for one in rows
        if one["name"] == "rejects_total" and one["labels"].get("source") == source
    }
    if not mine:
        return None
    reason = max(mine, key=lambda one: mine[one])
    return reason, mine[reason], sum(mine.values())
