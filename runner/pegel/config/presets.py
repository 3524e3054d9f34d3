"""Presets: a source with its enrichers and metrics, as data in the same language as the operator's file.

In a preset `from = "@"` stands for every source that uses it, and its one `[[sources]]` table has no name. A
source with `preset = "…"` lies over that table: each option given replaces the preset's, tables (labels, format,
time) are merged option by option. Two sources with the same preset share its enrichers and metrics. An enricher with
a `name` can be changed by each source, option by option, under `enrichers.NAME`.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pegel.config import words
from pegel.config.document import Node, Reading, read
from pegel.config.entries import SourceEntry
from pegel.config.options import options
from pegel.config.overriding import OPTION, check_overrides, variants
from pegel.config.problems import Problem, did_you_mean, listed

FOLDER = Path(__file__).parent.parent / "presets"

USER = "@"
"""In a preset's `from`: the sources that use it."""


def names(folder: Path = FOLDER) -> list[str]:
    """The presets that exist, sorted."""
    return sorted(path.stem for path in folder.glob("*.toml"))


def shipped_tests(name: str, folder: Path = FOLDER) -> Path:
    """The configuration with the tests of a preset: its source with all that is optional, and `[[tests]]`."""
    return folder / "tests" / f"{name}.toml"


def read_preset(name: str, environ: Mapping[str, str], user: Node | None = None, folder: Path = FOLDER) -> Reading:
    """Read a preset; `user` is the word in the operator's file that asks for it."""
    data = (folder / f"{name}.toml").read_bytes()
    used_at = user.place if user else None
    return read(data, f"presets/{name}.toml", environ, order=used_at.order if used_at else 0, used_at=used_at)


@dataclass
class Expansion:
    """What the sources of a file are once their presets are spelled out.

    Attributes:
        sources: In the order of the file.
        lost: Those whose preset does not exist: nothing is known of them but their name.
        enrichers: Of the presets, each with the names of its sources in `from`.
        metrics: The same.
        problems: What was found on the way.
    """

    sources: list[Node] = field(default_factory=list)
    lost: list[Node] = field(default_factory=list)
    enrichers: list[Node] = field(default_factory=list)
    metrics: list[Node] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def expand(sources: Sequence[Node], environ: Mapping[str, str], folder: Path = FOLDER) -> Expansion:
    """Spell out the presets of sources."""
    expansion = Expansion()
    users: dict[str, list[Node]] = {}
    presets: dict[str, Node] = {}
    for source in sources:
        name = source.table.get("preset")
        if name is None:
            _refuse_selection(source, expansion)
            expansion.sources.append(source)
        elif _known(name, expansion, folder):
            users.setdefault(name.value, []).append(source)
            if name.value not in presets:
                presets[name.value] = _root(read_preset(name.value, environ, name, folder), name, expansion)
            expansion.sources.append(_overlay(presets[name.value], source))
        else:
            expansion.lost.append(source)
    for name_, root in presets.items():
        _share(root, users[name_], expansion)
    return expansion


def _root(reading: Reading, name: Node, expansion: Expansion) -> Node:
    """The tree of a preset; an empty one if it cannot be read."""
    if reading.problem:
        expansion.problems.append(reading.problem)
    return reading.root or replace(name, value={})


def _known(name: Node, expansion: Expansion, folder: Path) -> bool:
    known = names(folder)
    if name.value in known:
        return True
    if isinstance(name.value, str):
        message = f'there is no preset "{name.value}"; there is {listed(known)}'
        expansion.problems.append(name.problem(message, did_you_mean(name.value, known)))
    else:
        expansion.problems.append(name.problem(f"must be a string, not {words.kind(name.value)}"))
    return False


def _refuse_selection(source: Node, expansion: Expansion) -> None:
    for option, verb in (("metrics", "chooses among"), (OPTION, "changes")):
        if option in source.table:
            message = f"{verb} the {option} of a preset, and this source has none"
            expansion.problems.append(source.table[option].problem(message, at_key=True))


def _overlay(preset: Node, source: Node) -> Node:
    """The preset's source with the operator's options over it."""
    bases = preset.table["sources"].items if "sources" in preset.table else []
    if not bases:
        return source
    own = source.table.get("type")
    base = bases[0]
    if own is not None and own.value != (base.table["type"].value if "type" in base.table else None):
        base = base.only(options(SourceEntry))  # the options of another type of source mean nothing here
    return base.without(_other_spellings(source)).under(source).without({"preset", "metrics", OPTION})


def _other_spellings(source: Node) -> set[str]:
    """What a source says in another way than its preset: a secret itself, or the file that holds it."""
    return {key.removesuffix("_file") if key.endswith("_file") else f"{key}_file" for key in source.table}


def _share(preset: Node, users: Sequence[Node], expansion: Expansion) -> None:
    """Add a preset's enrichers and metrics for the sources that use it."""
    everyone = [user for user in users if isinstance(_name(user), str)]
    entries = preset.table["enrichers"].items if "enrichers" in preset.table else []
    for user in users:
        check_overrides(user, entries, expansion.problems)
    for entry in entries:
        expansion.enrichers.extend(_from(changed, those) for changed, those in variants(entry, everyone))
    metrics = preset.table["metrics"].items if "metrics" in preset.table else []
    choices = {id(user): _choice(user, metrics, expansion) for user in users}
    for metric in metrics:
        wanting = [user for user in everyone if _wants(choices[id(user)], metric)]
        if wanting:
            expansion.metrics.append(_from(metric.without({"optional"}), wanting))


def _name(node: Node) -> object:
    return node.table["name"].value if "name" in node.table else None


def _choice(user: Node, metrics: Sequence[Node], expansion: Expansion) -> list[str] | None:
    """The patterns with which a source chooses metrics, None for those that are on by default."""
    chosen = user.table.get("metrics")
    if chosen is None:
        return None
    nodes = chosen.items if isinstance(chosen.value, list) else [chosen]
    known = [name for metric in metrics for name in _shown(metric)]
    patterns = []
    for node in nodes:
        if not isinstance(node.value, str):
            expansion.problems.append(node.problem(f"must be a pattern, not {words.kind(node.value)}"))
            continue
        patterns.append(node.value)
        if not fnmatch.filter(known, node.value):
            message = f'the preset has no metric "{node.value}"; it has {listed(known)}'
            expansion.problems.append(node.problem(message, did_you_mean(node.value, known)))
    return patterns


def _wants(patterns: list[str] | None, metric: Node) -> bool:
    if patterns is None:
        return not ("optional" in metric.table and metric.table["optional"].value is True)
    return any(fnmatch.fnmatchcase(name, pattern) for name in _shown(metric) for pattern in patterns)


def _shown(metric: Node) -> list[str]:
    """The names of a metric: its own, and those of values that are shown as metrics of their own."""
    values = metric.table["values"].table.values() if "values" in metric.table else ()
    return [str(_name(metric)), *(str(value.table["metric"].value) for value in values if "metric" in value.table)]


def _from(entry: Node, users: Sequence[Node]) -> Node:
    """An entry of a preset whose `from` names the sources that use it."""
    value = [user.table["name"] for user in users]
    written = entry.table.get("from", entry)
    sources = replace(written, value=value, path=(*entry.path, "from"), template=None)
    return replace(entry, value={**entry.table, "from": sources})
