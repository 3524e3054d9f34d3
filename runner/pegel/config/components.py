"""From the word in `type` to the class of a component; only what a file uses is imported."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from typing import Any

from pegel.config import words
from pegel.config.document import Node
from pegel.config.options import build, secrets
from pegel.config.problems import Problem, did_you_mean, listed


def component(
    contract: type,
    builtin: Mapping[str, str],
    node: Node,
    problems: list[Problem],
    *,
    shared: Iterable[str] = (),
    default: str = "",
) -> Any:
    """Build the component that a table describes; None if there are problems, which are added.

    Args:
        contract: The class that it must be.
        builtin: Words and the classes that they stand for, `module:Class`.
        node: The table; its `type` says which.
        problems: Where problems go.
        shared: Keys of the table that are not options of the component.
        default: The type where none is given.
    """
    word = node.table.get("type")
    if word is None and not default:
        return None  # reported by the entry, of which `type` is a required option
    if word is not None and not isinstance(word.value, str):
        problems.append(word.problem(f"must be a string, not {words.kind(word.value)}"))
        return None
    cls = _resolve(contract, builtin, node if word is None else word, word.value if word else default, problems)
    if cls is None:
        return None
    keys = {"type", *shared}
    _check_exposed(cls, node.without(keys), problems)
    return build(cls, node.without(keys), problems, also=tuple(keys))


def secret_nodes(contract: type, builtin: Mapping[str, str], node: Node) -> list[Node]:
    """The values of a component's table that are secrets and stand in the file themselves."""
    word = node.table.get("type")
    cls = _resolve(contract, builtin, node, str(word.value), []) if word else None
    return [] if cls is None else list(secrets(cls, node))


def _check_exposed(cls: type, node: Node, problems: list[Problem]) -> None:
    """A secret in a file that everybody can read is none."""
    for secret in secrets(cls, node):
        from_environment = secret.expanded is not None and secret.expanded.values
        if secret.document.exposed and secret.value and not from_environment:
            message = (
                "a secret in a file that everybody can read; chmod o-r the file, or name a file that holds it with"
            )
            problems.append(secret.problem(f"{message} {secret.path[-1]}_file", at_key=True))


def _resolve(contract: type, builtin: Mapping[str, str], node: Node, word: str, problems: list[Problem]) -> type | None:
    """The class behind a word or a `package.module:Class`."""
    target = builtin.get(word, word)
    if ":" not in target:
        kind = contract.__name__.lower()
        message = f'there is no {kind} "{word}"; there is {listed(builtin)}'
        problems.append(node.problem(message, did_you_mean(word, builtin)))
        return None
    module, _, name = target.partition(":")
    try:
        cls: Any = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        missing = f'it needs the Python module "{error.name}", which is not installed'
        problems.append(node.problem(missing if error.name != module else f'there is no Python module "{module}"'))
        return None
    except (ImportError, AttributeError, SyntaxError, ValueError, TypeError) as error:
        problems.append(node.problem(f'"{target}" cannot be imported: {error}'))
        return None
    if not (isinstance(cls, type) and issubclass(cls, contract)):
        problems.append(node.problem(f'"{target}" is not a {contract.__name__}'))
        return None
    return cls
