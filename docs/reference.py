"""Writes docs/reference.md from the docstrings and annotations of the components: `python docs/reference.py`."""

from __future__ import annotations

import dataclasses
import importlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

from pegel.config.descriptions import option_texts, sections, written_default
from pegel.config.entries import CaseEntry, EnricherEntry, MetricEntry, OutboxEntry, SinkEntry, SourceEntry, TimeEntry
from pegel.config.options import alternatives, options
from pegel.config.writing import value as written
from pegel.metrics.definition import Value
from pegel.plan import RunnerSettings, ScaleSettings
from pegel.units import Duration, Size

TARGET = Path(__file__).with_name("reference.md")

HEAD = """# Reference

Every word that a configuration can use. This page is generated from the components themselves; `pegel check` \
enforces it. Durations and sizes are texts with a unit (`"90s"`, `"64MiB"`).
"""

TABLES: tuple[tuple[str, type], ...] = (
    ("`[runner]`", RunnerSettings),
    ("`[[sources]]`", SourceEntry),
    ("`time` of a source", TimeEntry),
    ("`[[enrichers]]`", EnricherEntry),
    ("`[[metrics]]`", MetricEntry),
    ("a value of a metric", Value),
    ("`[[sinks]]`", SinkEntry),
    ("`outbox` of a sink", OutboxEntry),
    ("`[[tests]]`", CaseEntry),
    ("`[scale]`", ScaleSettings),
)

ROOMS = (("sources", "Sources"), ("formats", "Formats"), ("enrichers", "Enrichers"), ("sinks", "Sinks"))


def shown(kind: Any) -> str:
    """A type in the words of the configuration."""
    text = str(kind)
    for real, word in ((str(Duration), "duration"), (str(Size), "size")):
        text = text.replace(real, word)
    text = re.sub(r"<class '([\w.]+)'>", r"\1", text)
    text = re.sub(r"\b(?:collections\.abc|typing|pathlib|pegel\.\w+(?:\.\w+)*)\.", "", text)
    words = (
        *(("Sequence", "list"), ("tuple", "list"), ("frozenset", "list"), ("Mapping", "table"), ("dict", "table")),
        *(("Secret", "text"), ("bool", "true or false")),
    )
    for real, word in words:
        text = re.sub(rf"\b{real}\b", word, text)
    text = re.sub(r"Literal\[([^\]]*)\]", lambda match: match[1].replace("'", '"').replace(", ", " or "), text)
    text = re.sub(r"\w+Entry|Any", "table", text)
    while (flat := re.sub(r"table\[(?:[^\[\]]|list\[[^\[\]]*\])*\]", "table", text)) != text:
        text = flat  # a table of tables is a table
    for arm in alternatives(kind):
        if isinstance(arm, type) and dataclasses.is_dataclass(arm):
            text = text.replace(arm.__name__, "table")
    return text.replace(" | None", "").replace("|", "or").replace("str", "text").replace("Path", "path")


def default(field: dataclasses.Field[Any], kind: Any) -> str:
    """A default the way the configuration would write it; empty where there is none to show."""
    if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
        return "required"
    value = written_default(field, kind)
    if value is None:
        return ""
    return f"`{written(value) if isinstance(value, dict) else json.dumps(value, ensure_ascii=False)}`"


def table(component: type) -> Iterator[str]:
    """The options of a component as a table."""
    told = option_texts(component)
    hints = get_type_hints(component)
    fields = [field for field in dataclasses.fields(component) if field.init and not field.name.startswith("_")]
    if not fields:
        return
    yield "| option | type | default | what it means |"
    yield "|---|---|---|---|"
    for field in fields:
        kind = hints[field.name]
        name = field.metadata.get("key", field.name)
        meaning = told.get(name, "").replace("|", "\\|")
        yield f"| `{name}` | {shown(kind)} | {default(field, kind)} | {meaning} |"


def nested(component: type) -> Iterator[tuple[str, type]]:
    """The options that are tables with options of their own."""
    for name, option in options(component).items():
        for arm in alternatives(option.hint):
            if dataclasses.is_dataclass(arm) and isinstance(arm, type):
                yield name, arm


def component_page(word: str, target: str) -> Iterator[str]:
    """One component: what it promises, its options, an example."""
    module, name = target.split(":")
    component = getattr(importlib.import_module(module), name)
    parts = sections(component)
    yield f"### `{word}`\n"
    yield parts[""] + "\n"
    yield from table(component)
    yield ""
    for option, below in nested(component):
        yield f"Options of `{option}`: {sections(below)[''].splitlines()[0]}\n"
        yield from table(below)
        yield ""
    if "Example" in parts:
        yield "```toml\n" + parts["Example"] + "\n```\n"


def page() -> str:
    """The whole page."""
    lines = [HEAD]
    for title, component in TABLES:
        parts = sections(component)
        lines += [f"## {title}\n", parts[""] + "\n", *table(component), ""]
        if "Example" in parts:
            lines.append("```toml\n" + parts["Example"] + "\n```\n")
    for room, title in ROOMS:
        lines.append(f"## {title}\n")
        for word, target in sorted(importlib.import_module(f"pegel.{room}").BUILTIN.items()):
            lines += component_page(word, target)
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{TARGET.name} written\n")
