"""The manual of each command: what `--help`, the page of the commands and the manual page are made from."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import pytest
import typer
from typer.testing import CliRunner

from pegel.cli import COMMANDS, app, command
from pegel.cli.manual import EXIT_CODES, Command, Manual

EXAMPLES = [
    pytest.param(name, line, meaning, id=line) for name in COMMANDS for line, meaning in command(name).manual().examples
]
PAGE = Path(__file__).parents[2] / "docs" / "pegel.1"


def manual(function: object) -> Manual:
    alone = typer.Typer(add_completion=False)
    alone.command("shop", cls=Command)(function)  # type: ignore[type-var]
    made = typer.main.get_command(alone)
    assert isinstance(made, Command)
    return made.manual()


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_an_example(name: str) -> None:
    """Most people read the example and nothing else."""
    assert command(name).manual().examples, f"the docstring of `{name}` needs a section `Examples:`"


@pytest.mark.parametrize(("name", "line", "meaning"), EXAMPLES)
def test_each_example_is_a_command_line(name: str, line: str, meaning: str) -> None:
    """An option that was renamed must not live on in a manual."""
    words = shlex.split(line, comments=True)
    start = words.index("pegel") + 1
    assert words[start] == name
    ends = [index for index, word in enumerate(words) if word in ("|", ">", "&&", ";") and index > start]
    command(name).make_context(name, words[start + 1 : (ends or [len(words)])[0]])
    assert meaning


@pytest.mark.parametrize("name", COMMANDS)
def test_each_argument_and_option_says_what_it_is(name: str) -> None:
    told = command(name).manual()
    assert [one.name for one in (*told.arguments, *told.options) if not one.text] == []
    assert told.paragraphs[0] == COMMANDS[name]


class Colour(StrEnum):
    """Two colours."""

    red = "red"
    blue = "blue"


def shop(
    first: Annotated[Path, typer.Argument(help="One.")],
    others: Annotated[list[Path] | None, typer.Argument(help="More.")] = None,
    colour: Annotated[Colour, typer.Option(help="Which.")] = Colour.red,
    size: Annotated[Literal["s", "m"], typer.Option("-s", "--size", help="How big.")] = "m",
    wait: Annotated[str, typer.Option(metavar="DURATION", help="How long.", envvar="SHOP_WAIT")] = "30s",
    label: Annotated[list[str] | None, typer.Option(help="A label.")] = None,
    dry: Annotated[bool, typer.Option("--dry", help="Only say it.")] = False,
) -> None:
    """Sell something.

    To whoever
    asks.

    Examples:
        shop a
            Sell
            one.
        shop a b
            Sell two.

    Exit codes:
        1: sold out
        7: shut
    """
    del first, others, colour, size, wait, label, dry


def test_a_docstring_is_a_manual() -> None:
    told = manual(shop)
    assert told.paragraphs == ["Sell something.", "To whoever asks."]
    assert told.examples == [("shop a", "Sell one."), ("shop a b", "Sell two.")]
    assert told.exit_codes == {**EXIT_CODES, 1: "sold out", 7: "shut"}


def test_a_signature_is_a_usage() -> None:
    told = manual(shop)
    assert told.usage == "pegel shop [OPTIONS] FIRST [OTHERS...]"
    assert [one.written for one in told.options] == [
        "--colour red|blue",
        "-s, --size s|m",
        "--wait DURATION",
        "--label LABEL",
        "--dry",
        "--help",
    ]
    texts = {one.name: one.text for one in told.options}
    assert texts["--wait"] == "How long.  [default: 30s; variable: SHOP_WAIT]"
    assert texts["--label"] == "A label.  [may be repeated]"
    assert texts["--colour"] == "Which.  [default: red]"
    assert texts["--dry"] == "Only say it."


def test_help_is_the_manual() -> None:
    """Examples are printed as they are typed: a line that was folded cannot be copied."""
    output = CliRunner().invoke(app, ["points", "--help"], terminal_width=60).output
    assert output.startswith("Usage: pegel points [OPTIONS] [CONFIG] [METRIC]\n")
    assert "\n  pegel points ookla_speedtest_device_minutely --by model --format csv\n      " in output
    assert [line for line in output.splitlines() if not line.startswith(" ") and line][1:] == [
        "Arguments:",
        "Options:",
        "Examples:",
        "Exit codes:",
    ]


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed (apt install groff-base)")
def test_the_manual_page_has_no_mistake_that_groff_can_see() -> None:
    result = subprocess.run(
        ["groff", "-man", "-Tutf8", "-Kutf8", "-ww", "-z", str(PAGE)], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stderr) == (0, "")
