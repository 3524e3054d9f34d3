"""The command line as a whole: its table, its start, its exit codes."""

from __future__ import annotations

import importlib.util
import inspect
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pegel.cli import COMMANDS, app

ROOT = Path(__file__).parents[2]
WRITTEN = [name for name in COMMANDS if importlib.util.find_spec(f"pegel.cli.{name}")]


def pegel(*arguments: str, environ: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user does."""
    code = "from pegel.cli import main; main()"
    paths = f"{ROOT / 'runner'}:{ROOT / 'tests'}"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": paths, "PATH": "/usr/bin:/bin", **(environ or {})},
        check=False,
    )


@pytest.mark.parametrize("name", WRITTEN)
def test_the_table_says_what_the_command_says(name: str) -> None:
    """`pegel --help` does not import the commands, so it has their sentences twice."""
    function = getattr(importlib.import_module(f"pegel.cli.{name}"), name)
    assert (inspect.getdoc(function) or "").startswith(COMMANDS[name])


@pytest.mark.parametrize("name", WRITTEN)
def test_each_command_explains_itself(name: str) -> None:
    result = CliRunner().invoke(app, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert COMMANDS[name].split()[0] in result.output
    assert "130  interrupted" in result.output


def test_help_lists_the_commands_in_the_order_of_a_first_acquaintance() -> None:
    output = CliRunner().invoke(app, ["--help"]).output
    places = [output.index(f"\n  {name} ") for name in COMMANDS]
    assert places == sorted(places)


def test_help_imports_nothing_heavy() -> None:
    """The first `pegel --help` decides whether a tool feels quick."""
    code = "import sys, pegel.cli; print(sorted({'duckdb', 'pydantic', 'numpy', 'rich'} & set(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(ROOT / "runner")},
        check=True,
    )
    assert result.stdout.strip() == "[]"


def test_the_version_is_printed() -> None:
    assert CliRunner().invoke(app, ["--version"]).output.startswith("pegel ")


def test_a_misspelt_command_is_guessed() -> None:
    result = pegel("chekc")
    assert result.returncode == 2
    assert "check" in result.stderr


def test_a_refused_configuration_is_exit_code_2_in_every_command(tmp_path: Path) -> None:
    """Scripts and units decide by the code whether a person is needed."""
    (tmp_path / "c.toml").write_text("[oops]\n")
    result = pegel("show", str(tmp_path / "c.toml"))
    assert result.returncode == 2
    assert "oops: unknown section" in result.stderr
    assert "nothing was started" in result.stderr
    assert result.stdout == ""


def test_the_configuration_can_come_from_the_environment(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("[oops]\n")
    assert "oops" in pegel("check", environ={"PEGEL_CONFIG": str(tmp_path / "c.toml")}).stderr
