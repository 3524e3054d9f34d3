"""`${NAME}` and `${NAME:-default}` inside strings, and nothing else: no code, no files, no addresses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class UnsetVariable(ValueError):
    """A reference that has no value; `position` is its place in the template."""

    def __init__(self, message: str, position: int) -> None:
        self.position = position
        super().__init__(message)


@dataclass
class Expanded:
    """A text with its references replaced.

    Attributes:
        text: The result.
        pieces: (start in the text, start in the template, whether characters correspond one to one).
        values: Value of each variable that was used, for keeping them out of messages.
    """

    text: str = ""
    pieces: list[tuple[int, int, bool]] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)

    def template_position(self, position: int) -> int:
        """Where a character of the text comes from in the template."""
        for start, origin, exact in reversed(self.pieces):
            if start <= position:
                return origin + (position - start if exact else 0)
        return position

    def redact(self, message: str) -> str:
        """A message with the values of variables replaced by their names."""
        for name, value in sorted(self.values.items(), key=lambda entry: -len(entry[1])):
            if len(value) > 1:
                message = message.replace(value, f"${{{name}}}")
        return message

    def add(self, text: str, origin: int, *, exact: bool) -> None:
        """Append a piece that comes from `origin` in the template."""
        if text:
            self.pieces.append((len(self.text), origin, exact))
            self.text += text


def expand(template: str, environ: Mapping[str, str]) -> Expanded:
    """Replace the references of a template.

    `${NAME}` needs a variable that is set; `${NAME:-default}` takes the default if it is not set or empty, and
    the default may refer to other variables. `$$` is one dollar sign; any other `$` stands for itself.

    Raises:
        UnsetVariable: A variable is not set, or `${` opens no reference.
    """
    expanded = Expanded()
    _expand(template, 0, environ, expanded, closed=False)
    return expanded


def _expand(template: str, at: int, environ: Mapping[str, str] | None, into: Expanded, *, closed: bool) -> int:
    """Expand from `at` to the end, or behind the brace that closes a default; returns where it stopped.

    Without an environment nothing is looked up: a default that is not needed is only passed over.
    """
    begin = at
    while at < len(template):
        if closed and template[at] == "}":
            into.add(template[begin:at], begin, exact=True)
            return at + 1
        if not template.startswith(("$$", "${"), at):
            at += 1
            continue
        into.add(template[begin:at], begin, exact=True)
        if template[at + 1] == "$":
            into.add("$", at, exact=False)
            at += 2
        else:
            at = _reference(template, at, environ, into)
        begin = at
    if closed:
        raise UnsetVariable("a default is not closed by }", begin)
    into.add(template[begin:], begin, exact=True)
    return at


def _reference(template: str, at: int, environ: Mapping[str, str] | None, into: Expanded) -> int:
    """Expand the reference at `at`; returns the offset behind it."""
    name = _NAME.match(template, at + 2)
    end = name.end() if name else at
    if name is None or not template.startswith(("}", ":-"), end):
        raise UnsetVariable("${ opens no reference; write ${NAME} or ${NAME:-default}, or $$ for a dollar sign", at)
    value = "" if environ is None else environ.get(name[0])
    if template[end] == "}":
        if value is None:
            raise UnsetVariable(f"the environment variable {name[0]} is not set", at)
        end += 1
    else:
        default = Expanded()
        end = _expand(template, end + 2, None if value else environ, default, closed=True)
        if not value:
            into.values.update(default.values)
            into.add(default.text, at, exact=False)
            return end
    into.values[name[0]] = value or ""
    into.add(value or "", at, exact=False)
    return end
