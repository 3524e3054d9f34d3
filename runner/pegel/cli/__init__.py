"""The command line: the only room that reads arguments, prints, and decides exit codes.

A command is a module with one function of the same name; its module is imported when the command is called and
not before, so that `pegel --help` and `pegel check` do not pay for what only `pegel run` needs.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from pegel.cli.manual import EXIT_CODES, FAILED, REFUSED, STATE_REFUSED, Command
from pegel.errors import ConfigError, PegelError, StateError

COMMANDS = {
    "run": "Run a configuration until it is stopped (or once: cron mode).",
    "check": "Say everything that is wrong with a configuration.",
    "init": "Write a commented configuration to begin with.",
    "show": "Print a configuration with its presets spelled out.",
    "plan": "Say what a changed configuration would do to the state.",
    "explain": "Show what becomes of a record, step by step.",
    "test": "Run the tests of a configuration.",
    "preview": "Print the points of the configured or given input, all windows closed.",
    "points": "Show the points of the embedded store.",
    "status": "Say whether the runner is well, and if not why and what to do.",
    "state": "Show the state: how far each source is, what is open, what waits; or try again what a source put aside.",
    "sinks": "Show what waits for each sink; retry or discard the points that one refused for good.",
    "schema": "Print the JSON Schema of the configuration, for editors.",
    "doctor": "Look at everything around the runner and say what would keep it from working, or why nothing arrives.",
    "backfill": "Read old archives into the sinks, exactly once, while the runner goes on.",
    "worker": "Read and fold objects for a runner on another machine.",
    "demo": "Watch the speed-test job on invented data.",
}
"""Commands in the order of a first acquaintance; the sentence begins the function's docstring."""


class LazyCommands(TyperGroup):
    """A group that knows its commands by name and imports the one that is called."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the signature is typer's
        """The commands, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """A name and a sentence, enough for `--help` and completion."""
        return TyperCommand(cmd_name, help=COMMANDS[cmd_name]) if cmd_name in COMMANDS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The command itself, imported now."""
        self.commands.update({name: self.get_command(ctx, name) for name in COMMANDS})  # for "did you mean"
        name, _, rest = super().resolve_command(ctx, args)
        assert name is not None
        return name, command(name), rest


_EPILOG = (
    f"Exit codes: {'; '.join(f'{code} {text}' for code, text in EXIT_CODES.items())}. "
    "pegel COMMAND --help says more, with examples."
)

# typer's own tracebacks show the values of variables, and so secrets
app = typer.Typer(
    cls=LazyCommands, no_args_is_help=True, rich_markup_mode=None, epilog=_EPILOG, pretty_exceptions_enable=False
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"pegel {version('pegel')}")
        raise typer.Exit


@app.callback()
def pegel(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Turn live logs into exact metrics, declared in one TOML file."""


def command(name: str) -> Command:
    """A command, its module imported."""
    function = getattr(importlib.import_module(f"pegel.cli.{name}"), name)
    alone = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    alone.command(name, cls=Command)(function)
    made = typer.main.get_command(alone)
    assert isinstance(made, Command)
    return made


def main() -> None:
    """Run the command line; every error that Pegel raises on purpose becomes a sentence and an exit code."""
    try:
        app(prog_name="pegel")
    except ConfigError as error:
        from pegel.cli.problems import print_refusal

        print_refusal(error.problems)
        sys.exit(REFUSED)
    except StateError as error:
        _fail(str(error), STATE_REFUSED)
    except PegelError as error:
        _fail(str(error), FAILED)
    except BrokenPipeError:
        # whoever read our output has gone; nothing is left to say, also not at the interpreter's exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)


def _fail(sentence: str, code: int) -> None:
    typer.echo(f"pegel: {sentence}", err=True)
    sys.exit(code)
