"""Options: a table of the file becomes an object of a dataclass, whose typed fields are the options.

pydantic validates; this module says what the types of our dataclasses mean in TOML (durations and sizes are
strings with units, a secret may come from a file), and turns what pydantic finds into our words and places.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import functools
import operator
import re
import types
import typing
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, cast, get_args, get_origin

from pydantic import (
    AfterValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    Strict,
    Tag,
    TypeAdapter,
    ValidationError,
    create_model,
)

from pegel import units
from pegel.config import words
from pegel.config.document import Node
from pegel.config.places import Path as KeyPath
from pegel.config.problems import Problem, did_you_mean, file_name
from pegel.secret import Secret

T = TypeVar("T")

MISSING = "required, but missing"

_CONFIG = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, arbitrary_types_allowed=True)
_LISTS = (list, tuple, set, frozenset, collections.abc.Sequence, collections.abc.Set, collections.abc.Collection)
_TABLES = (dict, collections.abc.Mapping)
_NAMED_OPTION = re.compile(r"(\w+(?:\.\w+|\[\d+\])*): ")
_QUOTED = re.compile(r'"([^"]+)"')
_MENTIONED_OPTION = re.compile(r"(?:the |`)(\w+)\b")


@dataclasses.dataclass(frozen=True)
class Option:
    """One option of a dataclass.

    Attributes:
        name: In the file; the field's own name unless its metadata has a `key`.
        field: Name of the field.
        hint: Its type.
        required: It has no default.
    """

    name: str
    field: str
    hint: Any
    required: bool


def options(cls: Any) -> dict[str, Option]:
    """The options of a dataclass, by their names in the file."""
    return _options(cls)


@functools.cache
def _options(cls: Any) -> dict[str, Option]:
    hints = typing.get_type_hints(cls)
    found = {}
    for field in dataclasses.fields(cls):
        if field.init:
            unset = field.default is field.default_factory is dataclasses.MISSING
            name = field.metadata.get("key", field.name)
            found[name] = Option(name, field.name, hints[field.name], unset)
    return found


def build(cls: type[T], node: Node, problems: list[Problem], also: Sequence[str] = ()) -> T | None:
    """Make an object of a dataclass from a table; None if there are problems, which are added.

    Args:
        cls: The dataclass.
        node: The table.
        problems: Where problems go.
        also: Options that others read from the same table, for "did you mean".
    """
    found: list[Problem] = []
    data = _data(cls, node, found)
    try:
        built = cast("T", _adapter(cast("Any", cls)).validate_python(data))
    except ValidationError as error:
        facts = error.errors(include_url=False)
        found.extend(_without_consequences([_problem(cls, node, fact, also) for fact in facts]))
    problems.extend(found)
    return None if found else built


def secrets(hint: Any, node: Node) -> Iterator[Node]:
    """The values below a node that are secrets and stand in the file themselves."""
    for arm in alternatives(hint):
        if arm is Secret and isinstance(node.value, str):
            yield node
        elif dataclasses.is_dataclass(arm):
            for name, below in node.table.items():
                if name in options(arm):
                    yield from secrets(options(arm)[name].hint, below)
        else:
            inner = elements(arm)
            for below in [*node.table.values(), *node.items] if inner is not None else []:
                yield from secrets(inner, below)


def _data(hint: Any, node: Node, problems: list[Problem]) -> Any:
    """The plain value of a node, secrets read from their files."""
    cls = next((arm for arm in alternatives(hint) if dataclasses.is_dataclass(arm)), None)
    if isinstance(node.value, dict) and cls is not None:
        known = options(cls)
        data = {
            name: _data(known[name].hint if name in known else Any, below, problems)
            for name, below in node.table.items()
        }
        for option in known.values():
            if Secret in alternatives(option.hint) and f"{option.name}_file" not in known:
                _take_file(option.name, node, data, problems)
        return data
    inner = next((found for arm in alternatives(hint) if (found := elements(arm)) is not None), Any)
    if isinstance(node.value, dict):
        return {name: _data(inner, below, problems) for name, below in node.table.items()}
    return [_data(inner, below, problems) for below in node.items] if node.items else node.plain()


def _take_file(name: str, node: Node, data: dict[str, Any], problems: list[Problem]) -> None:
    """Read the secret `name` from the file in `name_file`, if there is one."""
    file = node.table.get(f"{name}_file")
    if file is None:
        return
    del data[f"{name}_file"]
    if name in data:
        problems.append(file.problem(f'"{name}" is given too; one of the two is enough', at_key=True))
        return
    data[name] = Secret("unread")  # present and not empty, so that only the file is complained about
    if not isinstance(file.value, str):
        problems.append(file.problem(f"must be the name of a file, not {words.kind(file.value)}"))
        return
    subject = f"the file{file_name(file.value)}"
    try:
        secret = Secret.read(Path(file.value))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is not a text"
        problems.append(file.problem(f"{subject} cannot be read: {reason.lower()}"))
        return
    if secret:
        data[name] = secret
    else:
        problems.append(file.problem(f"{subject} is empty"))


def _problem(cls: type, node: Node, fact: Any, also: Sequence[str]) -> Problem:
    loc: KeyPath = tuple(part for part in fact["loc"])
    if fact["type"] == "missing":
        parent, _ = _locate(node, loc[:-1])
        option = options(cls).get(str(loc[-1])) if len(loc) == 1 else None
        secret = option is not None and Secret in alternatives(option.hint)
        text = f"{MISSING}; write it, or the name of a file that holds it in {loc[-1]}_file" if secret else MISSING
        return parent.problem(text, missing=str(loc[-1]))
    place, path = _locate(node, loc)
    if fact["type"] == "extra_forbidden":
        known = [*_known(cls, path[:-1]), *(also if len(path) == 1 else ())]
        meant = did_you_mean(str(loc[-1]), known)
        # without a guess the name may be that of a secret as well
        return dataclasses.replace(place.problem("unknown option", meant, at_key=True), masked=not meant)
    if fact["type"] == "literal_error":
        meant = did_you_mean(str(fact["input"]), words.choices(fact["ctx"]["expected"]))
        return place.problem(sentence(fact), meant)
    if fact["type"] == "value_error":
        return _own_problem(place, sentence(fact))
    return place.problem(sentence(fact))


def sentence(fact: Any) -> str:
    """What pydantic found, in our words."""
    if fact["type"] == "literal_error":
        return words.not_one_of(fact["input"], words.choices(fact["ctx"]["expected"]))
    if fact["type"] == "value_error":
        return str(fact["ctx"]["error"])
    return words.mismatch(fact["type"], fact["msg"], fact["input"])


def _without_consequences(problems: Sequence[Problem]) -> list[Problem]:
    """Leave out that an option is missing where it was only misspelt."""
    meant = {(problem.path.rpartition(".")[0], problem.suggestion) for problem in problems}
    return [
        problem
        for problem in problems
        if not problem.message.startswith(MISSING) or tuple(problem.path.rpartition(".")[::2]) not in meant
    ]


def _own_problem(node: Node, text: str) -> Problem:
    """A sentence of a component, at the option that it speaks of.

    That is the one named as "option: …" at its start, or mentioned there ("the option …"), or whose text it quotes.
    """
    named = _NAMED_OPTION.match(text)
    if named:
        keys: list[str | int] = [int(k) if k.isdigit() else k for k in re.findall(r"\w+", named[1])]
        place, rest = node.find(tuple(keys))
        if place is not node:
            return place.problem(text[named.end() :] if not rest else text)
    mentioned = _MENTIONED_OPTION.match(text)
    if mentioned and mentioned[1] in node.table:
        return node.table[mentioned[1]].problem(text)
    for quoted in _QUOTED.findall(text):
        for below in node.table.values():
            if below.template is not None and quoted in below.value:
                return below.problem_inside(below.value.index(quoted), text)
    return node.problem(text)


def _locate(node: Node, loc: KeyPath) -> tuple[Node, KeyPath]:
    """The node that pydantic means, and its path; names of union branches are passed over."""
    path: list[str | int] = []
    for part in loc:
        below, rest = node.find((part,))
        if not rest:
            node = below
            path.append(part)
    return node, tuple(path)


def _known(hint: Any, path: KeyPath) -> list[str]:
    """The options that a table at a path below a type may have."""
    for part in path:
        below = (_below(arm, part) for arm in alternatives(hint))
        hint = next((found for found in below if found is not None), None)
    tables = (arm for arm in alternatives(hint) if dataclasses.is_dataclass(arm))
    return [name for arm in tables for name in options(arm)]


def _below(hint: Any, part: str | int) -> Any:
    if dataclasses.is_dataclass(hint):
        option = options(hint).get(str(part))
        return option.hint if option else None
    return elements(hint)


def elements(hint: Any) -> Any:
    """The type of the elements of a list or of the values of a table, None where there are none."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in _LISTS:
        return arguments[0]
    return arguments[1] if origin in _TABLES else None


def alternatives(hint: Any) -> tuple[Any, ...]:
    """The alternatives of a type, without None: TOML cannot say it."""
    if get_origin(hint) in (typing.Union, types.UnionType):
        return tuple(arm for argument in get_args(hint) for arm in alternatives(argument))
    return () if hint is type(None) else (hint,)


@functools.cache
def _adapter(cls: Any) -> TypeAdapter[Any]:
    return TypeAdapter(_table(cls))


def _table(cls: Any) -> Any:
    """A pydantic type for a dataclass, which gives objects of the dataclass itself."""
    known = list(options(cls).values())
    fields = {
        f"option_{number}": (settled(option.hint), Field(... if option.required else None, alias=option.name))
        for number, option in enumerate(known)
    }
    model = create_model(cls.__name__, __config__=_CONFIG, **fields)  # type: ignore[call-overload]

    def construct(values: Any) -> Any:
        given = {name: getattr(values, name) for name in values.model_fields_set}
        return cls(**{known[int(name.removeprefix("option_"))].field: value for name, value in given.items()})

    return Annotated[model, AfterValidator(construct)]


def settled(hint: Any) -> Any:
    """What pydantic is asked to validate for a type in a dataclass."""
    arms = alternatives(hint)
    if len(arms) != 1:
        return _union(arms)
    hint = arms[0]
    if hint in _READERS:
        return Annotated[Any, PlainValidator(_READERS[hint])]
    if dataclasses.is_dataclass(hint):
        return _table(hint)
    origin, inner = get_origin(hint), elements(hint)
    if origin in _LISTS:
        container = origin if origin in (set, frozenset, list) else tuple
        arguments = (settled(inner), ...) if container is tuple else (settled(inner),)
        return Annotated[container[arguments], Strict(strict=False)]
    if origin in _TABLES:
        return dict[str, settled(inner)]  # type: ignore[misc]
    if hint in (str, int, float, bool, Any, object) or origin is Literal:
        return hint
    raise TypeError(f"{hint} is no type for an option")


def _union(arms: tuple[Any, ...]) -> Any:
    """Alternatives, chosen by what kind of value is there, so that errors speak of the right one."""
    expected = f"must be {words.either(arms)}"
    by_kind: dict[str, Any] = {}
    for arm in arms:
        for kind in words.kinds(arm):
            by_kind[kind] = _first(by_kind[kind], arm, expected) if kind in by_kind else settled(arm)
    chosen = tuple(Annotated[settled, Tag(f"({kind})")] for kind, settled in by_kind.items())
    tag = Discriminator(
        lambda value: f"({words.kind_of(value)})",
        custom_error_type="mismatch",
        custom_error_message="{expected}",
        custom_error_context={"expected": expected},
    )
    return Annotated[functools.reduce(operator.or_, chosen), tag] if len(chosen) > 1 else chosen[0]


def _first(other: Any, arm: Any, expected: str) -> Any:
    """Two alternatives of one kind, such as `"auto"` or a duration: the first that fits."""
    adapters = [TypeAdapter(other), TypeAdapter(settled(arm))]

    def read(value: Any) -> Any:
        for adapter in adapters:
            try:
                return adapter.validate_python(value)
            except ValidationError:
                continue
        raise ValueError(expected)

    return Annotated[Any, PlainValidator(read)]


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"must be {what}, not {words.kind(value)}")  # noqa: TRY004 - pydantic collects ValueErrors
    return value


def _duration(value: Any) -> units.Duration:
    return units.duration(_text(value, 'a duration such as "90s"'))


def _size(value: Any) -> units.Size:
    return units.size(_text(value, 'a size such as "64MiB"'))


def _path(value: Any) -> Path:
    text = _text(value, "a path")
    if not text or "\0" in text:
        raise ValueError("must be a path, not an empty string")
    return Path(text)


def _secret(value: Any) -> Secret:
    return value if isinstance(value, Secret) else Secret(_text(value, "a string"))


_READERS: dict[Any, Callable[[Any], Any]] = {
    units.Duration: _duration,
    units.Size: _size,
    Path: _path,
    Secret: _secret,
}
