"""The JSON Schema of the configuration, so that an editor can complete, explain and check while one types.

It is made from the classes that `check` itself builds, so it knows every option, type and default, and no other.
What the schema cannot say (columns that exist, expressions that are right) stays with `check`. Only words that
every validator and editor has known since the fourth draft are used, and every alternative is complete in
itself: editors offer the options of one `type` and not those of all.
"""

from __future__ import annotations

import dataclasses
import importlib
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pegel import units
from pegel.config.descriptions import option_texts, sections, written_default
from pegel.config.entries import CaseEntry, EnricherEntry, MetricEntry, SinkEntry, SourceEntry
from pegel.config.options import Option, alternatives, elements, options
from pegel.config.presets import FOLDER, names
from pegel.enrichers import BUILTIN as ENRICHERS
from pegel.formats import BUILTIN as FORMATS
from pegel.plan import RunnerSettings, ScaleSettings
from pegel.secret import Secret
from pegel.sinks import BUILTIN as SINKS
from pegel.sources import BUILTIN as SOURCES

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_REFERENCE = r"\$\{"
"""A text with a reference such as `${NAME}` may become anything."""

_DEFAULT_FORMAT = "lines"


def schema(folder: Path = FOLDER) -> Schema:
    """The schema of a configuration file, and of those in `conf.d`."""
    return {
        "$schema": DIALECT,
        "title": "Pegel",
        "description": "Sources, enrichers, metrics and sinks: what is read, counted and sent.",
        "type": "object",
        "properties": {
            "runner": {"description": _promise(RunnerSettings), **_table(RunnerSettings)},
            "scale": {"description": _promise(ScaleSettings), **_table(ScaleSettings)},
            "sources": _list_of(SourceEntry, _sources(folder)),
            "enrichers": _list_of(EnricherEntry, _components(EnricherEntry, ENRICHERS)),
            "metrics": _list_of(MetricEntry, [_table(MetricEntry, {"optional": None})]),
            "sinks": _list_of(SinkEntry, _components(SinkEntry, SINKS, named=("name",))),
            "tests": _list_of(CaseEntry, [_table(CaseEntry)]),
        },
        "additionalProperties": False,
        "$defs": {
            "format": {"anyOf": _components(None, FORMATS, default=_DEFAULT_FORMAT)},
            "changed_format": {"anyOf": _components(None, FORMATS, default=_DEFAULT_FORMAT, partial=True)},
        },
    }


def _list_of(entry: type, choices: list[Schema]) -> Schema:
    items = choices[0] if len(choices) == 1 else {"anyOf": choices}
    return {"description": _promise(entry), "type": "array", "items": items}


def _sources(folder: Path) -> list[Schema]:
    """A source of each type, a source with each preset, and sources of one's own."""
    without = {"preset": None, "metrics": None, "enrichers": None, "format": _format("format")}
    found = []
    for word, target in SOURCES.items():
        cls = _resolve(target)
        required = ["type", "format", *(["time"] if cls.guarantee == "replayable" else [])]
        found.append(_table((SourceEntry, cls), {**without, "type": _word(word, cls)}, required=required))
    for name in names(folder):
        found.extend(_preset_sources(folder, name))
    return [*found, _own_class(SourceEntry)]


def _preset_sources(folder: Path, name: str) -> list[Schema]:
    """A source with a preset: nothing but its name is needed; of another type than the preset's if it says so."""
    preset = tomllib.loads((folder / f"{name}.toml").read_text(encoding="utf-8"))
    usual = preset["sources"][0]["type"]
    found = []
    for word, target in SOURCES.items():
        cls = _resolve(target)
        special = {
            "preset": {"enum": [name], "description": option_texts(SourceEntry)["preset"]},
            "type": _word(word, cls),
            "format": _format("changed_format"),
            "time": _partial(SourceEntry, "time"),
            "enrichers": _named_enrichers(preset.get("enrichers", ())),
        }
        required = ["name", "preset", *([] if word == usual else ["type"])]
        found.append(_table((SourceEntry, cls), special, only_required=required))
    return found


def _named_enrichers(entries: Collection[Mapping[str, Any]]) -> Schema:
    """The enrichers of a preset that a source may change, option by option."""
    named = {
        entry["name"]: {"description": _promise(cls), **_table(cls, only_required=())}
        for entry in entries
        for cls in [_resolve(ENRICHERS[entry["type"]])]
        if "name" in entry
    }
    text = option_texts(SourceEntry)["enrichers"]
    return {"description": text, "type": "object", "properties": named, "additionalProperties": False}


def _format(definition: str) -> Schema:
    return {"description": option_texts(SourceEntry)["format"], "$ref": f"#/$defs/{definition}"}


def _partial(cls: type, name: str) -> Schema:
    """An option that is a table, of which any part may be given."""
    (below,) = [arm for arm in alternatives(options(cls)[name].hint) if dataclasses.is_dataclass(arm)]
    return {"description": option_texts(cls)[name], **_table(below, only_required=())}


def _components(
    entry: Any,
    builtin: Mapping[str, str],
    *,
    default: str = "",
    named: Collection[str] = (),
    partial: bool = False,
) -> list[Schema]:
    """A table of each type that there is, and of classes of one's own, which may have any options.

    Args:
        entry: The class with the options that all of them have; None where there are none.
        builtin: The types.
        default: The type where none is given.
        named: Options of the entry that a class of one's own must have.
        partial: Any part of the options will do.
    """
    found = []
    for word, target in builtin.items():
        cls = _resolve(target)
        classes = (cls,) if entry is None else (entry, cls)
        special = {"type": _word(word, cls)}
        if partial:
            found.append(_table(classes, special, only_required=()))
        else:
            found.append(_table(classes, special, required=[] if word == default else ["type"]))
    return [*found, _own_class(entry, named)]


def _own_class(entry: Any, named: Collection[str] = ()) -> Schema:
    """A component of a class that this schema does not know: `package.module:Class`, or a reference."""
    word = {"type": "string", "pattern": f":|{_REFERENCE}", "description": "A class: `package.module:Class`."}
    special: dict[str, Schema | None] = {"type": word}
    if entry is None:
        return {"type": "object", "properties": special, "required": ["type"]}
    if "format" in options(entry):
        special["format"] = _format("changed_format")
    table = _table(entry, special, required=["type", *named])
    del table["additionalProperties"]
    return table


def _word(word: str, cls: type) -> Schema:
    return {"enum": [word], "description": _promise(cls)}


def _promise(cls: type) -> str:
    """The first paragraph of a docstring."""
    return sections(cls)[""].partition("\n\n")[0].replace("\n", " ")


def _resolve(target: str) -> Any:
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


def _table(
    classes: Any,
    special: Mapping[str, Schema | None] | None = None,
    *,
    required: Collection[str] = (),
    only_required: Collection[str] | None = None,
) -> Schema:
    """The schema of a table whose options are those of one or several classes.

    Args:
        classes: The class or classes.
        special: What to say of some options instead; None for options that do not exist here.
        required: Options that are needed beside those without a default.
        only_required: Options that are needed, and no others.
    """
    special = special or {}
    properties: dict[str, Schema] = {}
    needed = dict.fromkeys(required)
    choices: list[Schema] = []
    for cls in classes if isinstance(classes, tuple) else (classes,):
        for name, option in options(cls).items():
            if name in special:
                continue
            properties.update(_described(cls, option))
            if option.required and Secret in alternatives(option.hint):
                choices.append({"anyOf": [{"required": [name]}, {"required": [f"{name}_file"]}]})
            elif option.required:
                needed[name] = None
    properties.update({name: told for name, told in special.items() if told is not None})
    if only_required is not None:
        needed, choices = dict.fromkeys(only_required), []
    table: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    if needed:
        table["required"] = list(needed)
    return {**table, "allOf": choices} if choices else table


def _described(cls: Any, option: Option) -> dict[str, Schema]:
    """An option; a secret is two, since it may come from a file."""
    (field,) = [field for field in dataclasses.fields(cls) if field.name == option.field]
    text = option_texts(cls).get(option.name, "")
    default = written_default(field, option.hint)
    told = {**({"description": text} if text else {}), **_value(option.hint)}
    found = {option.name: told if default is None else {**told, "default": default}}
    if Secret in alternatives(option.hint):
        found[f"{option.name}_file"] = {"type": "string", "description": f"The file that holds it: {text}"}
    return found


def _value(hint: Any) -> Schema:
    """The schema of a value of a type."""
    arms = alternatives(hint)
    if len(arms) > 1:
        return {"anyOf": [_value(arm) for arm in arms]}
    hint = arms[0]
    if hint in _SCALARS:
        return dict(_SCALARS[hint])
    if get_origin(hint) is Literal:
        return _choice(get_args(hint))
    if dataclasses.is_dataclass(hint):
        return _table(hint)
    if hint in (Any, object):
        return {}
    if len(get_args(hint)) == 2 and get_args(hint)[1] is not ...:
        return {"type": "object", "additionalProperties": _value(elements(hint))}
    return {"type": "array", "items": _value(elements(hint))}


def _choice(words: Collection[Any]) -> Schema:
    if all(isinstance(word, str) for word in words):
        return {"anyOf": [{"enum": list(words)}, {"type": "string", "pattern": _REFERENCE}]}
    return {"enum": list(words)}


def _amount(known: Collection[str], *, several: bool) -> Schema:
    """A text with a number and a unit."""
    one = rf"\d+(\.\d+)?({'|'.join(known)})"
    return {"type": "string", "pattern": f"^({one}){'+' if several else ''}$|{_REFERENCE}"}


_SCALARS: dict[Any, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    Path: {"type": "string", "minLength": 1},
    Secret: {"type": "string"},
    units.Duration: _amount(units.DURATION_UNITS, several=True),
    units.Size: _amount(units.SIZE_UNITS, several=False),
}
