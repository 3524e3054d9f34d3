"""Templates: a line format written as an example of a line, `{client} [{time}] "{request}" {status:int}`.

`Template` parses the text and compiles it into one regular expression over bytes. That expression is the
definition of what a template means; `plain.py` finds the same fields faster in lines of plain shape.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

TYPES: Mapping[str, str] = {"": "VARCHAR", "int": "BIGINT", "float": "DOUBLE", "hex": "VARCHAR"}
"""What a field can be, and the type of its column; "" is any text."""

MAX_HEX = 64
"""Most digits of a `hex` field: those of a SHA-256."""

# Each takes the longest run of its characters. Their length is bounded, so that trying one at every
# position of a line stays linear, and every match can be stored: no overflow, no infinity.
_TYPED = {
    "int": rb"-?(?:[0-9]{1,18}|[0-8][0-9]{18})(?![0-9])",
    "float": rb"-?[0-9]{1,40}(?![0-9])(?:\.[0-9]{1,40}(?![0-9]))?(?:[eE][+-]?[0-9]{1,2}(?![0-9]))?",
    "hex": rb"[0-9A-Fa-f]{%d,%d}(?![0-9A-Fa-f])",
}
_GOES_ON = {"int": b"0123456789", "float": b"0123456789", "hex": b"0123456789abcdefABCDEF"}

_TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+", re.DOTALL)
_FIELD = re.compile(r"([A-Za-z][A-Za-z0-9_]*|_?)(?::(int|float|hex)(?:\(([0-9]{1,3})\))?)?")

Span = tuple[int, int]


@dataclass(frozen=True)
class Field:
    """One `{name:type}` of a template.

    Attributes:
        name: Column name; "" if the text is ignored.
        type: A key of `TYPES`.
        width: Exact number of digits of a `hex(40)`, 0 where it is open.
    """

    name: str
    type: str = ""
    width: int = 0


@dataclass(frozen=True)
class Step:
    """A field of any text and what must follow it; the first step of a template has no such field.

    Attributes:
        field: Index of the field of any text; None for the start of the line.
        literals: The literal behind it, and one behind each typed field that follows.
        typed: Indices of the typed fields between those literals.
    """

    field: int | None
    literals: tuple[bytes, ...]
    typed: tuple[int, ...]


class Template:
    """A parsed template.

    A field of any text ends at the first place where all that follows fits: the literal text behind it
    and the typed fields up to the next field of any text. So the request in `"{request}" {status:int} "`
    ends at the first `" 200 "`, whatever quotes it holds. The last field of any text goes as far as the
    end of the record allows. `{}` and `{_}` take text without a column; `{{` and `}}` are braces.

    Args:
        text: The template.
        null: Text of a field that stands for no value; typed fields accept it too.

    Raises:
        ValueError: It has no field, a field twice, an unknown type, or two fields with nothing between them.
    """

    def __init__(self, text: str, null: str | None = None) -> None:
        self.null_text = null
        self.null = None if null is None else null.encode()
        literals, fields = _parse(text)
        self.literals = tuple(literal.encode() for literal in literals)
        self.fields = tuple(fields)
        self._check(text)
        self.regex = re.compile(self._expression())

    @property
    def columns(self) -> dict[str, str]:
        """Column names and DuckDB types, in order."""
        return {field.name: TYPES[field.type] for field in self.fields if field.name}

    @cached_property
    def steps(self) -> Sequence[Step]:
        """The template as it is matched: the start of the line, then one step per field of any text."""
        free = [index for index, field in enumerate(self.fields) if not field.type]
        edges = [-1, *free, len(self.fields)]
        return [
            Step(None if at < 0 else at, self.literals[at + 1 : after + 1], tuple(range(at + 1, after)))
            for at, after in pairwise(edges)
        ]

    def match(self, data: bytes, start: int = 0, end: int | None = None) -> Sequence[Span] | None:
        """Where the named fields of the record `data[start:end]` are, in order; None if it does not fit."""
        found = self.regex.match(data, start, len(data) if end is None else end)
        return None if found is None else found.regs[1:]

    def stop(self, data: bytes) -> tuple[int, str] | None:
        """How far a record fits, in bytes, and the part of the template that should follow; None if all fits."""
        at = 0
        for number, step in enumerate(self.steps):
            expression = b"".join(self._step(one) for one in self.steps[: number + 1])
            found = re.compile(expression).match(data)
            if found is None:
                return at, self._written(step)
            at = found.end()
        return None

    def _written(self, step: Step) -> str:
        """A step as it stands in the template."""
        parts = [] if step.field is None else [self._shown(step.field)]
        parts.append(step.literals[0].decode())
        for index, literal in zip(step.typed, step.literals[1:], strict=True):
            parts += [self._shown(index), literal.decode()]
        return "".join(parts)

    def _shown(self, index: int) -> str:
        field = self.fields[index]
        kind = f"{field.type}({field.width})" if field.width else field.type
        return f"{{{field.name or '_'}{f':{kind}' if kind else ''}}}"

    def _check(self, text: str) -> None:
        names = [field.name.lower() for field in self.fields if field.name]
        if not names:
            raise ValueError(f'the template "{text}" has no named field; write one as {{name}}')
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f'the template has two fields "{name}"; names are compared without case')
        for field, literal in zip(self.fields, self.literals[1:], strict=True):
            if field.type and literal[:1] and literal[:1] in _GOES_ON[field.type]:
                raise ValueError(f'"{literal.decode()}" behind {{{field.name}:{field.type}}} would belong to the field')
        for literal in self.literals[1:-1]:
            if not literal:
                raise ValueError("two fields of the template have nothing between them to tell them apart")

    def _expression(self) -> bytes:
        """One expression in which every choice, once made, is final: no input can make it backtrack further.

        A field of any text is scanned from one possible end to the next: `[^X]*(?:(?!tail)X[^X]*)*`, X being
        the first byte of what must follow. The lookahead and the atomic groups keep that linear.
        """
        return b"".join(self._step(step) for step in self.steps)

    def _step(self, step: Step) -> bytes:
        last = step is self.steps[-1]
        tail = self._tail(step, named=True) + (rb"\Z" if last else b"")
        if step.field is None:
            return tail
        group = self._group(step.field)
        if last and not step.typed:
            return group % rb"[\s\S]*" + tail
        mark = re.escape(step.literals[0][:1])
        unnamed = self._tail(step, named=False) + (rb"\Z" if last else b"")
        text = rb"[^%b]*(?:(?!%b)%b[^%b]*)*" % (mark, unnamed, mark, mark)
        return rb"(?>%b)" % (group % text) + tail

    def _tail(self, step: Step, *, named: bool) -> bytes:
        parts = [re.escape(step.literals[0])]
        for index, literal in zip(step.typed, step.literals[1:], strict=True):
            group = self._group(index) if named else b"%b"
            parts += [group % self._typed(self.fields[index]), re.escape(literal)]
        return b"".join(parts)

    def _group(self, index: int) -> bytes:
        return b"(%b)" if self.fields[index].name else b"(?:%b)"

    def _typed(self, field: Field) -> bytes:
        expression = _TYPED[field.type]
        if field.type == "hex":
            expression %= (field.width or 1, field.width or MAX_HEX)
        if self.null is not None:
            expression += b"|" + re.escape(self.null)
        return b"(?>%b)" % expression


def _parse(text: str) -> tuple[list[str], list[Field]]:
    literals, fields = [""], list[Field]()
    for token in _TOKEN.finditer(text):
        if token[1] is not None:
            fields.append(_field(token[1]))
            literals.append("")
        elif token[0] in "{}":
            raise ValueError(f'the template has a single "{token[0]}" at {token.start()}; write it twice for a brace')
        else:
            literals[-1] += token[0][0] if token[0] in ("{{", "}}") else token[0]
    return literals, fields


def _field(text: str) -> Field:
    found = _FIELD.fullmatch(text)
    if found is None or (found[3] and found[2] != "hex"):
        raise ValueError(
            f'"{{{text}}}" is no field; there are {{name}}, {{name:int}}, {{name:float}}, {{name:hex}}, '
            "{name:hex(40)}"
        )
    width = int(found[3] or 0)
    if found[3] and not 0 < width <= MAX_HEX:
        raise ValueError(f'"{{{text}}}": hex takes 1 to {MAX_HEX} digits')
    return Field("" if found[1] == "_" else found[1], found[2] or "", width)
