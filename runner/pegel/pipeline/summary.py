"""What a plan consists of, in so few words that the state can remember which one it was run with last.

Sources and sinks are known by digests of their options: enough to say which option is another one now, and
nothing of what stands in them. Secrets are left out.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from pegel.plan import Plan, SinkPlan, SourcePlan
from pegel.secret import Secret

Digests = Mapping[str, str]
"""A digest of each option, by its name in the file."""

_LOGIN = re.compile(r"(?<=://)[^/@]*@")
_OF_SOURCES = ("format", "time", "labels", "private", "disorder", "idle_after", "max_hold", "enrichers")
_OF_SINKS = ("metrics", "early_interval", "max_bytes", "max_age", "when_full")
_SETTINGS = ("prefix", "labels", "commit_interval", "workers", "memory", "members", "snapshot_interval")


@dataclass(frozen=True)
class Summary:
    """A plan in short.

    Attributes:
        sources: The options of each source, those of its type among them.
        sinks: The same.
        runner: The settings that matter to what runs, as they are.
    """

    sources: Mapping[str, Digests] = field(default_factory=dict)
    sinks: Mapping[str, Digests] = field(default_factory=dict)
    runner: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, plan: Plan) -> Summary:
        """The summary of a plan."""
        return cls(
            {one.name: _digests(one, one.source, _OF_SOURCES) for one in plan.sources},
            {one.name: _digests(one, one.sink, _OF_SINKS) for one in plan.sinks},
            {name: _plain(getattr(plan.runner, name)) for name in _SETTINGS},
        )

    @classmethod
    def read(cls, text: str) -> Summary:
        """The summary of a stored text."""
        return cls(**json.loads(text))

    def written(self) -> str:
        """The summary as a text to store."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True, ensure_ascii=False)


def different(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of what is not the same in both, in the order of the second."""
    return tuple(name for name in {**after, **before} if before.get(name) != after.get(name))


def _digests(entry: SourcePlan | SinkPlan, component: object, shared: Sequence[str]) -> Digests:
    options = {**_options(component), **{name: getattr(entry, name) for name in shared}}
    found = {name: _digest(value) for name, value in options.items() if not isinstance(value, Secret)}
    return {"type": _digest(_name(component)), **found}


def _options(component: object) -> dict[str, Any]:
    """The options of a component, by their names in the file."""
    if not dataclasses.is_dataclass(component):
        return {}
    return {
        one.metadata.get("key", one.name): getattr(component, one.name)
        for one in dataclasses.fields(component)
        if one.init and not one.name.startswith("_")
    }


def _digest(value: object) -> str:
    text = json.dumps(_plain(value), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(value: Any) -> Any:
    """A value as JSON that says the same for the same options, in any process; secrets say nothing."""
    if isinstance(value, str):
        return _LOGIN.sub("", value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, Set):
        return sorted(map(str, value))
    if isinstance(value, Sequence):
        return [_plain(one) for one in value]
    if dataclasses.is_dataclass(value):
        return [_name(value), _plain(_options(value))]
    return _name(value)


def _name(component: object) -> str:
    return f"{type(component).__module__}:{type(component).__qualname__}"
