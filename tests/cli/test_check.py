from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from config.conftest import METRIC, SOURCE
from pegel.cli import app
from pegel.cli.problems import render
from pegel.config import Problem
from pegel.config.problems import Place


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "config.toml"
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


def test_a_good_configuration_is_one_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["check", written(tmp_path, SOURCE + METRIC)])
    assert (result.exit_code, result.stdout) == (0, "1 source, 1 metric, 1 sink; fine\n")


def test_a_warning_does_not_refuse(tmp_path: Path) -> None:
    text = SOURCE + SOURCE.replace('"shop"', '"idle"') + METRIC.replace("every", 'from = "shop"\nevery')
    result = CliRunner().invoke(app, ["check", written(tmp_path, text)])
    assert result.exit_code == 0
    assert "warning: sources[1].name: no metric reads this source" in result.stderr
    assert result.stdout == "2 sources, 1 metric, 1 sink, 1 warning; fine\n"


def test_problems_are_shown_with_their_line_and_a_caret(tmp_path: Path) -> None:
    path = written(tmp_path, SOURCE + METRIC.replace("page", "pgae"))
    result = CliRunner().invoke(app, ["check", path])
    assert result.exit_code == 2
    assert result.stderr == (
        f'{path}:14:12  metrics[0].labels[0]: unknown column "pgae"; did you mean "page"?\n'
        '    labels = ["pgae"]\n'
        "               ^\n"
        "1 problem; nothing was started\n"
    )
    assert result.stdout == ""


def test_machines_get_json(tmp_path: Path) -> None:
    path = written(tmp_path, "[oops]\n" + SOURCE + METRIC)
    result = CliRunner().invoke(app, ["check", path, "--json"])
    assert result.exit_code == 2
    assert json.loads(result.stdout) == [
        {
            "severity": "error",
            "file": path,
            "line": 1,
            "column": 1,
            "path": "oops",
            "message": "unknown section",
            "suggestion": "",
        }
    ]


def test_json_of_a_good_configuration_is_an_empty_list(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["check", written(tmp_path, SOURCE + METRIC), "--json"])
    assert (result.exit_code, json.loads(result.stdout)) == (0, [])


@pytest.mark.parametrize("colours", [True, False])
def test_colours_change_nothing_but_colours(*, colours: bool) -> None:
    problem = Problem(Place("c.toml", 1, 3, source="  x = 1"), "x", "wrong")
    text = render(problem, colours=colours)
    for code in ("\033[31m", "\033[1m", "\033[2m", "\033[0m"):
        assert (code in text) is colours
        text = text.replace(code, "")
    assert text == "c.toml:1:3  x: wrong\n      x = 1\n      ^"
