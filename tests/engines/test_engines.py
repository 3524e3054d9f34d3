"""`./dev engines`: nothing half-made is ever found, and what is missing is said."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import engines.__main__ as command
from engines.catalog import ENGINES, Engine
from engines.recipes import DebianTools, InstallError, Recipe
from engines.store import home, placing


@dataclass
class Script(Recipe):
    """Makes a program that prints a word, or fails half-way."""

    word: str = "engine 1"
    fails: bool = False
    needs: Sequence[str] = ()
    takes: str = "no time"
    made: list[Path] = field(default_factory=list)

    def install(self, directory: Path) -> None:
        self.made.append(directory)
        program = directory / "program-of-a-test"
        program.write_text(f"#!/bin/sh\necho '{self.word}'\n")
        program.chmod(0o755)
        if self.fails:
            raise InstallError("the compiler is tired")


def engine(recipe: Script) -> Engine:
    return Engine("thing", "1", "program-of-a-test", ("version", "engine 1"), recipe)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"PEGEL_ENGINES": str(tmp_path / "engines"), "PATH": os.environ["PATH"]}


def test_an_engine_is_installed_once(environ: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    recipe = Script()
    assert command.provide(engine(recipe), environ)
    assert command.provide(engine(recipe), environ)
    assert len(recipe.made) == 1
    assert engine(recipe).find(environ) == home(environ) / "thing-1" / "program-of-a-test"
    assert "thing 1: installing into" in capsys.readouterr().out


@pytest.mark.parametrize("recipe", [Script(fails=True), Script(word="engine 2")])
def test_one_that_fails_or_is_another_program_is_not_found(
    recipe: Script, environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A half-made engine under its final name would fail tests for reasons of its own, for ever."""
    assert not command.provide(engine(recipe), environ)
    assert engine(recipe).find(environ) is None
    assert [path.name for path in home(environ).iterdir()] == [".thing-1.lock"]
    assert "could not be installed" in capsys.readouterr().out


def test_what_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".thing-1.unfinished").mkdir()
    (tmp_path / ".thing-1.unfinished" / "rest").touch()
    with placing(tmp_path / "thing-1") as unfinished:
        (unfinished / "new").touch()
    assert [path.name for path in (tmp_path / "thing-1").iterdir()] == ["new"]


def test_the_faster_of_two_wins(tmp_path: Path) -> None:
    for name in ("first", "second"):
        with placing(tmp_path / "thing-1") as unfinished:
            (unfinished / name).touch()
    assert [path.name for path in (tmp_path / "thing-1").iterdir()] == ["first"]


def test_a_missing_tool_is_named_with_the_way_to_get_it(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = Script(needs=["cargo"])
    assert not command.provide(engine(recipe), {**environ, "PATH": "/nowhere"})
    assert "https://rustup.rs" in capsys.readouterr().out
    assert recipe.made == []


def test_a_program_on_path_will_do_if_it_is_the_right_one(tmp_path: Path) -> None:
    """InfluxDB 1 has a program of the same name."""
    Script(word="engine 1").install(tmp_path)
    environ = {"PEGEL_ENGINES": str(tmp_path / "none"), "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    assert engine(Script()).find(environ) == tmp_path / "program-of-a-test"
    Script(word="something else").install(tmp_path)
    assert engine(Script()).find(environ) is None


def test_the_command_refuses_a_name_that_it_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["influxdb9"])
    assert "influxdb9" in capsys.readouterr().err


def test_an_unpacked_program_finds_the_others_wherever_they_lie(tmp_path: Path) -> None:
    """An engine starts a dozen programs by their names; only what the machine lacked lies here."""
    for place, text in (("usr/sbin/engine", 'echo "$1"; helper'), ("usr/bin/helper", 'echo "helped in $HOME"')):
        script = tmp_path / "unpacked" / place
        script.parent.mkdir(parents=True)
        script.write_text(f"#!/bin/sh\n{text}\n")
        script.chmod(0o755)
    programs = {"engine": ["usr/sbin/engine", "word"], "on-the-machine": ["usr/bin/on-the-machine"]}
    DebianTools(packages=[], programs=programs).write_scripts(tmp_path / "unpacked")
    (tmp_path / "unpacked").rename(tmp_path / "moved")
    assert [path.name for path in (tmp_path / "moved" / "bin").iterdir()] == ["engine"]
    (tmp_path / "link").symlink_to(tmp_path / "moved" / "bin" / "engine")
    environ = {"PATH": os.environ["PATH"], "HOME": "here"}
    done = subprocess.run([tmp_path / "link"], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout == "word\nhelped in here\n"


def test_what_is_built_is_pinned() -> None:
    """The version in the table is the one in the module that is built."""
    module = Path(__file__).parent / "influxd" / "go.mod"
    assert f"github.com/influxdata/influxdb/v2 v{ENGINES['influxdb2'].version}\n" in module.read_text()
