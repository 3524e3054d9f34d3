"""`[[metrics]]`: each is compiled over the columns that its sources really have."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from pegel.config.document import Node
from pegel.config.enrichers import expression_problem, referred
from pegel.config.entries import MetricEntry
from pegel.config.names import check_unique, check_word
from pegel.config.options import build
from pegel.config.problems import Problem, did_you_mean, listed
from pegel.config.sources import SourceDraft
from pegel.metrics.compiled import compile_metric
from pegel.metrics.definition import ALONE, Metric, Value
from pegel.metrics.errors import MetricErrors
from pegel.metrics.windows import Windows
from pegel.plan import OWN_PREFIX, RunnerSettings

_LIMITS = ("max_series", "approx_over")


def draft_metrics(
    nodes: Sequence[Node], drafts: Sequence[SourceDraft], runner: RunnerSettings, problems: list[Problem]
) -> list[Metric]:
    """Read and compile the metrics; those with problems are left out."""
    metrics = [_metric(node, drafts, runner, problems) for node in nodes]
    check_unique([name for node in nodes for name in _names(node)], "metric", problems)
    return [metric for metric in metrics if metric is not None]


def _names(node: Node) -> Iterator[Node]:
    """Where a metric is named, and its values that are metrics of their own."""
    if "name" in node.table:
        yield node.table["name"]
    for value in node.table["values"].table.values() if "values" in node.table else ():
        if "metric" in value.table:
            yield value.table["metric"]


def _metric(
    node: Node, drafts: Sequence[SourceDraft], runner: RunnerSettings, problems: list[Problem]
) -> Metric | None:
    entry = build(MetricEntry, node, problems)
    sources = referred(node, drafts, problems)
    if entry is None:
        return None
    if "optional" in node.table:
        problems.append(
            node.table["optional"].problem("is for presets only; leave the metric out instead", at_key=True)
        )
    _check_names(entry, node, runner, problems)
    _check_limits(entry, node, problems)
    if not (_check_windows(entry, node, problems) and sources):
        return None
    metric = _definition(entry, sources, runner)
    used = [draft for draft in drafts if draft.name in sources]
    if all(draft.usable for draft in used):
        _compile(metric, node, used, problems)
    return metric


def _definition(entry: MetricEntry, sources: Sequence[str], runner: RunnerSettings) -> Metric:
    return Metric(
        name=runner.prefix + entry.name,
        help=entry.help,
        sources=tuple(sources),
        every=entry.every,
        over=entry.over,
        labels=tuple(entry.labels),
        constant_labels=dict(runner.labels),
        where=entry.where,
        values={name: _value(value, runner) for name, value in entry.values.items()},
        timezone=entry.timezone,
        allowed_lateness=entry.allowed_lateness,
        max_series=entry.max_series,
        max_values=dict(entry.max_values),
        series_ttl=entry.series_ttl,
        approx_over=entry.approx_over,
        renamed_from=entry.renamed_from,
    )


def _value(value: str | Value, runner: RunnerSettings) -> Value:
    if isinstance(value, str):
        return Value(value=value)
    return replace(value, metric=runner.prefix + value.metric) if value.metric else value


def _compile(metric: Metric, node: Node, drafts: Sequence[SourceDraft], problems: list[Problem]) -> None:
    columns = _union(drafts)
    private = frozenset(name for draft in drafts if draft.entry for name in draft.entry.private)
    try:
        compiled = compile_metric(metric, columns, private)
    except MetricErrors as errors:
        for path, error in errors.errors:
            place, _ = node.find(tuple(path))
            problems.append(expression_problem(place.table.get("value", place), error, columns))
        return
    for name in sorted(compiled.needed):
        kinds = {draft.columns[name]: draft.name for draft in drafts if name in draft.columns}
        if len(kinds) > 1:
            found = " and ".join(f'{kind.lower()} in "{source}"' for kind, source in kinds.items())
            problems.append(node.table["from"].problem(f'the column "{name}" is {found}; their types must agree'))


def _union(drafts: Sequence[SourceDraft]) -> Mapping[str, str]:
    columns: dict[str, str] = {}
    for draft in drafts:
        for name, kind in draft.columns.items():
            columns.setdefault(name, kind)
    return columns


def _check_names(entry: MetricEntry, node: Node, runner: RunnerSettings, problems: list[Problem]) -> None:
    check_word(node.table["name"], entry.name, "metric", problems)
    if (runner.prefix + entry.name).startswith(OWN_PREFIX):
        message = f"names that begin with {OWN_PREFIX} belong to the runner itself"
        problems.append(node.table["name"].problem(message))
    for index, label in enumerate(entry.labels):
        place, _ = node.find(("labels", index))
        check_word(place, label, "label", problems)
        if label in entry.labels[:index]:
            problems.append(place.problem(f'"{label}" is named twice'))
        elif label in runner.labels:
            problems.append(place.problem(f'"{label}" is already a label of every point, from [runner]'))
    if not entry.values:
        problems.append(node.table["values"].problem("at least one value is needed"))
    for name, value in entry.values.items():
        place = node.table["values"].table[name]
        check_word(place, name, "value", problems, at_key=True)
        if name in entry.labels or name in runner.labels:
            problems.append(place.problem(f'"{name}" is a label too; a name means one thing', at_key=True))
        if isinstance(value, Value):
            _check_own_metric(value, place, {*entry.labels, *runner.labels}, problems)


def _check_own_metric(value: Value, node: Node, labels: Collection[str], problems: list[Problem]) -> None:
    """A value that is a metric of its own: its name, and the labels that it adds."""
    if value.metric:
        check_word(node.table["metric"], value.metric, "metric", problems)
    elif value.labels:
        problems.append(
            node.table["labels"].problem(
                'are for a value with a name of its own; write metric = "NAME" too', at_key=True
            )
        )
    for label in value.labels:
        place = node.table["labels"].table[label]
        check_word(place, label, "label", problems, at_key=True)
        if label in labels:
            problems.append(place.problem(f'"{label}" is already a label of the metric', at_key=True))
        elif label == ALONE:
            problems.append(place.problem('"value" is what the value itself is called then', at_key=True))


def _check_limits(entry: MetricEntry, node: Node, problems: list[Problem]) -> None:
    for name in _LIMITS:
        limit = getattr(entry, name)
        if limit is not None and limit < 1:
            problems.append(node.table[name].problem("must be at least 1"))
    for label, limit in entry.max_values.items():
        place = node.table["max_values"].table[label]
        if label not in entry.labels:
            known = f"; it has {listed(entry.labels)}" if entry.labels else ""
            message = f'the metric has no label "{label}"{known}'
            problems.append(place.problem(message, did_you_mean(label, entry.labels), at_key=True))
        elif limit < 1:
            problems.append(place.problem("must be at least 1"))


def _check_windows(entry: MetricEntry, node: Node, problems: list[Problem]) -> bool:
    """Whether the lengths and the time zone fit together."""
    for option, over, timezone in (
        ("every", None, "UTC"),
        ("over", entry.over, "UTC"),
        ("timezone", entry.over, entry.timezone),
    ):
        try:
            Windows(entry.every, over, timezone)
        except ValueError as error:
            problems.append(node.table[option].problem(str(error).replace("`", '"')))
            return False
    return True
