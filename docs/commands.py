"""Writes docs/commands.md and docs/pegel.1 from what the commands say of themselves: `python docs/commands.py`."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from pegel.cli import COMMANDS, command
from pegel.cli.manual import EXIT_CODES, Manual, Parameter

HERE = Path(__file__).parent
PAGE = HERE / "commands.md"
MANUAL = HERE / "pegel.1"

HEAD = """# Commands

What `pegel COMMAND --help` says; this page is generated from the same words. `CONFIG` is `config.toml` in the \
working directory if nothing else is said, or what the variable `PEGEL_CONFIG` names.
"""


def page() -> str:
    """docs/commands.md."""
    lines = [HEAD, "| command | |", "|---|---|"]
    lines += [f"| [`{name}`](#pegel-{name}) | {sentence} |" for name, sentence in COMMANDS.items()]
    lines += ["", "| exit code | |", "|---|---|", *[f"| {code} | {text} |" for code, text in EXIT_CODES.items()], ""]
    for name in COMMANDS:
        lines += _section(command(name).manual())
    return "\n".join(lines).rstrip() + "\n"


def _section(manual: Manual) -> Iterator[str]:
    yield f"## pegel {manual.name}\n"
    yield f"```text\n{manual.usage}\n```\n"
    yield "\n\n".join(manual.paragraphs) + "\n"
    parameters = [*manual.arguments, *manual.options]
    yield "| | |"
    yield "|---|---|"
    yield from (f"| `{_cell(one.written)}` | {_cell(one.text)} |" for one in parameters)
    yield ""
    yield "```sh"
    for line, meaning in manual.examples:
        yield f"# {meaning}\n{line}"
    yield "```\n"
    own = {code: text for code, text in manual.exit_codes.items() if EXIT_CODES.get(code) != text}
    if own:
        yield "Exit codes of its own: " + "; ".join(f"{code} {text}" for code, text in own.items()) + ".\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def manual_page() -> str:
    """docs/pegel.1, for `man pegel`."""
    version = tomllib.loads((HERE.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    lines = [
        '.\\" Written by docs/commands.py; do not edit.',
        f'.TH PEGEL 1 "" "pegel {version}" "User Commands"',
        ".SH NAME",
        "pegel \\- turn live logs into exact metrics, declared in one TOML file",
        ".SH SYNOPSIS",
        "\\fBpegel\\fR \\fICOMMAND\\fR [\\fIOPTIONS\\fR] [\\fICONFIG\\fR]",
        ".SH DESCRIPTION",
        "One configuration says where records come from, what is counted and where the points go.",
        "Every record is counted exactly once, whatever is killed, rotated or out of order.",
        "Without \\fICONFIG\\fR the file config.toml in the working directory is read.",
    ]
    for name in COMMANDS:
        lines += _manual_section(command(name).manual())
    lines.append(".SH EXIT STATUS")
    for code, text in EXIT_CODES.items():
        lines += [".TP", f"{code}", _roff(text)]
    lines += [".SH ENVIRONMENT", ".TP", "PEGEL_CONFIG", "The configuration, where a command line names none."]
    lines += [".TP", "PEGEL_STATE, PEGEL_COMMIT_INTERVAL, ...", "Settings of [runner]; they win over the file."]
    return "\n".join(lines) + "\n"


def _manual_section(manual: Manual) -> Iterator[str]:
    yield f".SH {_roff('pegel ' + manual.name).upper()}"
    yield f".B {_roff(manual.usage)}"
    for paragraph in manual.paragraphs:
        yield ".PP"
        yield _roff(paragraph)
    for one in (*manual.arguments, *manual.options):
        yield from _entry(one)
    for line, meaning in manual.examples:
        yield from (".PP", ".RS 4", ".nf", f"\\fB{_roff(line)}\\fR", ".fi", _roff(meaning), ".RE")
    own = {code: text for code, text in manual.exit_codes.items() if EXIT_CODES.get(code) != text}
    for code, text in own.items():
        yield from (".PP", f"Exit code {code}: {_roff(text)}.")


def _entry(parameter: Parameter) -> Iterator[str]:
    yield ".TP"
    yield f"\\fB{_roff(parameter.name)}\\fR" + (f" \\fI{_roff(parameter.value)}\\fR" if parameter.value else "")
    yield _roff(parameter.text)


def _roff(text: str) -> str:
    """A text in which nothing is a request."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    return re.sub(r"^\.", "\\&.", escaped)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    MANUAL.write_text(manual_page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE.name} and {MANUAL.name} written\n")
