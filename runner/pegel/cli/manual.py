"""What a command says of itself: `--help`, docs/commands.md and the manual page are made from it.

The docstring of a command's function is its manual: the sentence, paragraphs, `Examples:` (a command line, and
below it what it does) and, where they mean something of their own, `Exit codes:`. Arguments and options come
from the signature.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from typer.core import TyperCommand

FINE, FAILED, REFUSED, STATE_REFUSED, INTERRUPTED = 0, 1, 2, 3, 130

EXIT_CODES: Mapping[int, str] = {
    FINE: "fine",
    FAILED: "something failed or could not be delivered",
    REFUSED: "the configuration, or the command line, is refused",
    STATE_REFUSED: "the state is refused or locked",
    INTERRUPTED: "interrupted",
}

_HEADING = re.compile(r"^(Examples|Exit codes):\n", re.MULTILINE)
_CODE = re.compile(r"(\d+): (.*)")
_KINDS: Mapping[Any, str] = {Path: "PATH", list[Path]: "PATH", int: "N", float: "NUMBER"}


@dataclass(frozen=True)
class Parameter:
    """An argument or option.

    Attributes:
        name: `CONFIG`, or `-f, --follow`.
        value: What follows an option: `DURATION`, `csv|json`; empty for a switch.
        text: What it means, with its default and its variable.
    """

    name: str
    value: str
    text: str

    @property
    def written(self) -> str:
        """As it stands on a command line."""
        return f"{self.name} {self.value}".rstrip()


@dataclass(frozen=True)
class Manual:
    """Everything that is said of a command.

    Attributes:
        name: The command.
        usage: How it is called.
        paragraphs: What it is for; the first is one sentence.
        arguments: In their order.
        options: The same.
        examples: Command lines and what they do.
        exit_codes: What a script may rely on.
    """

    name: str
    usage: str
    paragraphs: Sequence[str]
    arguments: Sequence[Parameter]
    options: Sequence[Parameter]
    examples: Sequence[tuple[str, str]]
    exit_codes: Mapping[int, str]


_HELP = Parameter("--help", "", "Show this and stop.")


class Command(TyperCommand):
    """A command whose `--help` is its manual."""

    def manual(self) -> Manual:
        """What is said of it."""
        parts = _HEADING.split(f"{(self.help or '').strip()}\n")
        sections = {name: textwrap.dedent(text) for name, text in zip(parts[1::2], parts[2::2], strict=True)}
        arguments = [one for one in self.params if one.param_type_name == "argument"]
        options = [one for one in self.params if one.param_type_name == "option"]
        words = " ".join(_word(one) if one.required else f"[{_word(one)}]" for one in arguments)
        return Manual(
            name=str(self.name),
            usage=f"pegel {self.name} [OPTIONS] {words}".rstrip(),
            paragraphs=[" ".join(one.split()) for one in parts[0].strip().split("\n\n")],
            arguments=[Parameter(_word(one), "", _text(one)) for one in arguments],
            options=[*[Parameter(_forms(one), _value(one), _text(one)) for one in options], _HELP],
            examples=list(_examples(sections.get("Examples", ""))),
            exit_codes={**EXIT_CODES, **_codes(sections.get("Exit codes", ""))},
        )

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """The manual, as wide as the terminal."""
        del ctx
        manual = self.manual()
        formatter.write_text(f"Usage: {manual.usage}")
        for paragraph in manual.paragraphs:
            formatter.write_paragraph()
            with formatter.indentation():
                formatter.write_text(paragraph)
        for title, parameters in (("Arguments", manual.arguments), ("Options", manual.options)):
            if parameters:
                with formatter.section(title):
                    formatter.write_dl([(one.written, one.text) for one in parameters])
        if manual.examples:
            with formatter.section("Examples"):
                _write_examples(manual.examples, formatter)
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), text) for code, text in manual.exit_codes.items()])


def _write_examples(examples: Sequence[tuple[str, str]], formatter: Any) -> None:
    for line, meaning in examples:
        formatter.write(f"{'':{formatter.current_indent}}{line}\n")  # as it is: it may be copied
        with formatter.indentation(), formatter.indentation():
            formatter.write_text(meaning)


def _examples(text: str) -> Iterator[tuple[str, str]]:
    lines = [line for line in text.splitlines() if line.strip()]
    starts = [index for index, line in enumerate(lines) if not line.startswith(" ")]
    for start, end in zip(starts, [*starts, len(lines)][1:], strict=True):
        yield lines[start], " ".join(line.strip() for line in lines[start + 1 : end])


def _codes(text: str) -> dict[int, str]:
    return {int(match[1]): match[2] for line in text.splitlines() if (match := _CODE.match(line))}


def _forms(option: Any) -> str:
    return ", ".join([*sorted(option.opts, key=len), *option.secondary_opts])


def _word(argument: Any) -> str:
    return str(argument.metavar or argument.name).upper() + ("..." if argument.nargs != 1 else "")


def _value(option: Any) -> str:
    """What stands behind an option: nothing, its choices, what its author calls it, or its kind."""
    if option.is_flag:
        return ""
    annotation = option.type_descriptor.annotation
    if option.metavar:
        return str(option.metavar)
    if get_origin(annotation) is Literal:
        return "|".join(get_args(annotation))
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return "|".join(one.value for one in annotation)
    return _KINDS.get(annotation) or str(option.opts[-1]).lstrip("-").upper()


def _text(parameter: Any) -> str:
    """What it means, whether it may be repeated, its default and its variable."""
    notes = []
    if getattr(parameter, "multiple", False):
        notes.append("may be repeated")
    default = parameter.default
    if default not in (None, "", (), [], False):
        notes.append(f"default: {getattr(default, 'value', default)}")
    if parameter.envvar:
        notes.append(f"variable: {parameter.envvar}")
    text = str(parameter.help or "")
    return f"{text}  [{'; '.join(notes)}]" if notes else text
