"""`[[sources]]`: each with its format, its time and the columns that metrics may use."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from pegel import eventtime
from pegel.config import words
from pegel.config.components import component
from pegel.config.document import Node
from pegel.config.entries import SourceEntry, TimeEntry
from pegel.config.names import check_part, check_unique, check_word
from pegel.config.options import build, options
from pegel.config.problems import Problem, did_you_mean, listed
from pegel.enrichers import Enricher
from pegel.formats import BUILTIN as FORMATS
from pegel.formats import Format
from pegel.metrics.definition import Metric
from pegel.plan import SinkPlan, SourcePlan, TimeOptions, takes
from pegel.sources import BUILTIN as SOURCES
from pegel.sources import Source
from pegel.sql import ExpressionError, bind
from pegel.table import Columns, literal

_DIRECTIVE = re.compile(r"%-?([A-Za-z])")
_ODD_DIRECTIVE = re.compile(r"%-?[^\x00-\x7f]")
_DATES = [
    *({year, month, "d"} for year in "Yy" for month in "mbB"),
    *({"Y", "j"}, {"y", "j"}, {"G", "V", "u"}, {"x"}, {"c"}),
]
"""Directives that give a whole date together."""


@dataclass
class SourceDraft:
    """A source on its way into the plan.

    Attributes:
        node: Its table.
        name: As written, even if the rest is wrong: what refers to it is not wrong then.
        entry: None if the table is wrong.
        source: None if its options are wrong.
        format: None if it or its options are wrong.
        columns: Of the format, the labels and of the enrichers so far; only complete if `usable`.
        enrichers: In the order of the file.
        usable: False if something is wrong that makes the columns unknown.
    """

    node: Node
    name: str
    entry: SourceEntry | None = None
    source: Source | None = None
    format: Format | None = None
    columns: dict[str, str] = field(default_factory=dict)
    enrichers: list[Enricher] = field(default_factory=list)
    usable: bool = True

    def plan(self) -> SourcePlan:
        """The finished plan; only of a draft without problems."""
        entry, source, form = self.entry, self.source, self.format
        assert entry is not None
        assert source is not None
        assert form is not None
        return SourcePlan(
            name=entry.name,
            source=source,
            format=form,
            time=_time_options(entry.time) if entry.time else None,
            labels=dict(entry.labels),
            private=frozenset(entry.private),
            disorder=source.disorder if entry.disorder is None else entry.disorder,
            idle_after=source.idle_after if entry.idle_after is None else entry.idle_after,
            max_hold=entry.max_hold,
            start=entry.start or "beginning",
            start_said=entry.start is not None,
            renamed_from=entry.renamed_from,
            enrichers=tuple(self.enrichers),
            columns=dict(self.columns),
        )


def draft_sources(nodes: Sequence[Node], lost: Sequence[Node], problems: list[Problem]) -> list[SourceDraft]:
    """Read the sources, all but their enrichers; of the `lost` ones only the names."""
    drafts = [_draft(node, problems) for node in nodes]
    drafts += [SourceDraft(node, _name(node), usable=False) for node in lost]
    check_unique([node.table["name"] for node in (*nodes, *lost) if "name" in node.table], "source", problems)
    return drafts


def check_private(drafts: Sequence[SourceDraft], problems: list[Problem]) -> None:
    """Private columns must exist once all enrichers are known: a misspelt one would protect nothing."""
    for draft in drafts:
        if draft.usable and draft.entry:
            for index, name in enumerate(draft.entry.private):
                if name not in draft.columns:
                    node, _ = draft.node.find(("private", index))
                    problems.append(unknown_column(node, name, draft.columns))


def check_releases(
    drafts: Sequence[SourceDraft], metrics: Sequence[Metric], sinks: Sequence[SinkPlan], problems: list[Problem]
) -> None:
    """What a source lets go of must be safe elsewhere: in a sink on another machine, with metrics of that source."""
    for draft in drafts:
        mine = [metric.name for metric in metrics if draft.name in metric.sources]
        safe = any(takes(sink, name) for sink in sinks if sink.sink.remote for name in mine)
        if draft.source is not None and draft.source.releases and not safe:
            message = (
                "objects are only deleted when a sink on another machine has what they said; there is none that takes"
                " a metric of this source"
            )
            problems.append(draft.node.table["delete"].problem(message, at_key=True))


def unknown_column(node: Node, name: str, columns: Columns) -> Problem:
    """A name that is not among the columns of a source."""
    suggestion = did_you_mean(name, columns)
    known = "" if suggestion else f"; there is {listed(columns)}"
    return node.problem(f'unknown column "{name}"{known}', suggestion)


def _draft(node: Node, problems: list[Problem]) -> SourceDraft:
    shared = set(options(SourceEntry))
    draft = SourceDraft(node, _name(node))
    draft.entry = build(SourceEntry, node.only(shared), problems)
    if "name" in node.table:
        check_part(node.table["name"], problems)
    draft.source = component(Source, SOURCES, node, problems, shared=shared)
    draft.format = _format(node, problems)
    if draft.format is None or draft.entry is None:
        draft.usable = False
        return draft
    draft.columns.update(draft.format.columns())
    _check_time(draft, draft.entry.time, problems)
    _add_labels(draft, draft.entry, problems)
    return draft


def _name(node: Node) -> str:
    """The name as written, empty where there is none."""
    written = node.table.get("name")
    return written.value if written and isinstance(written.value, str) else ""


def _format(node: Node, problems: list[Problem]) -> Format | None:
    written = node.table.get("format")
    if written is None:
        if "type" in node.table:
            problems.append(node.problem("required, but missing: say how bytes become records", missing="format"))
        return None
    if not isinstance(written.value, dict):
        example = 'write format = { type = "lines", … }'
        problems.append(written.problem(f"must be a table, not {words.kind(written.value)}; {example}"))
        return None
    form: Format | None = component(Format, FORMATS, written, problems, default="lines")
    return form


def _check_time(draft: SourceDraft, time: TimeEntry | None, problems: list[Problem]) -> None:
    if time is None:
        if draft.source is not None and draft.source.guarantee == "replayable":
            message = "required, but missing: what is read again later needs the time of its records"
            problems.append(draft.node.problem(message, missing="time"))
        return
    node = draft.node.table["time"]
    if time.column not in draft.columns:
        problems.append(unknown_column(node.table["column"], time.column, draft.columns))
        return
    formats = node.table["format"]
    kind = draft.columns[time.column]
    if kind != "VARCHAR" and any("%" in form for form in _time_options(time).format):
        message = f'the column "{time.column}" is {kind.lower()}, and only text has a format with %'
        problems.append(formats.problem(message))
        return
    if not _time_options(time).format:
        problems.append(formats.problem("at least one format is needed"))
        return
    for form in formats.items or [formats]:
        wrong = _wrong_format(str(form.value))
        if wrong:
            problems.append(form.problem(wrong[0], wrong[1]))


def _wrong_format(form: str) -> tuple[str, str] | None:
    """What is wrong with a time format, and what may have been meant."""
    if form in eventtime.NAMED:
        return None
    if "%" not in form:
        message = f'"{form}" is neither a strptime format nor one of {listed(eventtime.NAMED)}'
        return message, did_you_mean(form, eventtime.NAMED)
    odd = _ODD_DIRECTIVE.search(form)  # DuckDB cuts such a character in two, and its message cannot be read
    if odd:
        return f'"{form}" is not a time format: there is no {odd[0]}', ""
    try:
        bind(f"try_strptime(text, {literal(form)})", {"text": "VARCHAR"})
    except ExpressionError as error:
        return f'"{form}" is not a time format: {error.message.partition(": ")[2]}', ""
    directives = set(_DIRECTIVE.findall(form))
    if any(date <= directives for date in _DATES):
        return None
    return f'"{form}" gives no date; it needs year, month and day', ""


def _time_options(time: TimeEntry) -> TimeOptions:
    formats = (time.format,) if isinstance(time.format, str) else tuple(time.format)
    return TimeOptions(column=time.column, format=formats)


def _add_labels(draft: SourceDraft, entry: SourceEntry, problems: list[Problem]) -> None:
    for name in entry.labels:
        node = draft.node.table["labels"].table[name]
        check_word(node, name, "label", problems, at_key=True)
        if name in draft.columns:
            problems.append(node.problem(f'"{name}" is already a column of the format', at_key=True))
        else:
            draft.columns[name] = "VARCHAR"
