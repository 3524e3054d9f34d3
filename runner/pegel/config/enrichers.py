"""`[[enrichers]]`: each is tried on the columns of the sources that it names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pegel.config.components import component
from pegel.config.document import Node
from pegel.config.entries import EnricherEntry
from pegel.config.options import build, options
from pegel.config.problems import Problem, did_you_mean, listed
from pegel.config.sources import SourceDraft
from pegel.enrichers import BUILTIN, Enricher
from pegel.sql import ExpressionError, ExpressionErrors
from pegel.table import Columns


def add_enrichers(
    nodes: Sequence[Node], drafts: Sequence[SourceDraft], problems: list[Problem]
) -> list[tuple[Node, Enricher]]:
    """Add the enrichers to the sources that they name, in the order of the file; returns those without problems."""
    made: list[tuple[Node, Enricher]] = []
    by_name = {draft.name: draft for draft in drafts}
    shared = set(options(EnricherEntry))
    for node in nodes:
        entry = build(EnricherEntry, node.only(shared), problems)
        enricher = component(Enricher, BUILTIN, node, problems, shared=shared)
        for name in referred(node, drafts, problems) if entry else ():
            draft = by_name[name]
            if enricher is None:
                draft.usable = False
            else:
                _add(enricher, node, draft, problems)
        if enricher is not None:
            made.append((node, enricher))
    return made


def lacking(made: Sequence[tuple[Node, Enricher]]) -> Iterator[Problem]:
    """What enrichers depend on and cannot use, at the options that name it."""
    for node, enricher in made:
        for sentence in enricher.lacks():
            error = ExpressionError(sentence)
            yield expression_problem(next(_blamed(node, error), node), error, {})


def referred(node: Node, drafts: Sequence[SourceDraft], problems: list[Problem]) -> list[str]:
    """The sources that `from` names; the only one where nothing is said."""
    known = [draft.name for draft in drafts if draft.name]
    nameless = len(known) < len(drafts)  # what refers to a source that has lost its name is not wrong
    written = node.table.get("from")
    if written is None:
        if len(known) > 1:
            message = f"required, but missing: there are the sources {listed(known)}"
            problems.append(node.problem(message, missing="from"))
        return list(known) if len(known) == 1 else []
    found: list[str] = []
    for name in written.items or [written]:
        if name.value in found:
            problems.append(name.problem(f'"{name.value}" is named twice'))
        elif name.value in known:
            found.append(name.value)
        elif nameless:
            continue
        elif isinstance(name.value, str):
            message = f'there is no source "{name.value}"' + (f"; there is {listed(known)}" if known else "")
            problems.append(name.problem(message, did_you_mean(name.value, known)))
        else:
            problems.append(name.problem("names no source"))
    return found


def expression_problem(node: Node, error: ExpressionError, columns: Columns) -> Problem:
    """A wrong expression, at the very character; without a candidate, the columns that exist."""
    suggestion = error.candidates[0] if error.candidates else ""
    known = ""
    if not suggestion and error.message.startswith("unknown column"):
        known = f"; there is {listed(columns)}"
    return node.problem_inside(error.position, f"{error.message}{known}", suggestion)


def _add(enricher: Enricher, node: Node, draft: SourceDraft, problems: list[Problem]) -> None:
    draft.enrichers.append(enricher)
    if not draft.usable:
        return
    try:
        draft.columns.update(enricher.adds(draft.columns))
    except ExpressionErrors as errors:
        draft.usable = False
        for name, error in errors.errors:
            place = next(_named(node, name), node)
            problems.append(expression_problem(place, error, draft.columns))
    except ExpressionError as error:
        draft.usable = False
        place = next(_blamed(node, error), node)
        problems.append(expression_problem(place, error, draft.columns))


def _named(node: Node, name: str) -> Iterator[Node]:
    """The expression called `name`: an option, or an entry of a table among the options."""
    for key, below in node.table.items():
        if key == name and below.template is not None:
            yield below
        if name in below.table:
            yield below.table[name]


def _blamed(node: Node, error: ExpressionError) -> Iterator[Node]:
    """The option that an error without a name is about: the only condition, or the one whose text it quotes."""
    condition = node.table.get("where")
    if condition is not None and condition.template is not None:
        yield condition
    yield from (below for below in node.walk() if below.template is not None and f'"{below.value}"' in error.message)
