"""`pegel test`, as the author of a configuration sees it."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner, Result

from pegel.cli import app

CONFIG = """
[[sources]]
name = "shop"
type = "file"
path = "nowhere.log"
format.template = '{time} {page} {status:int}'
time = { column = "time", format = "unix" }

[[metrics]]
name = "hits"
every = "1m"
labels = ["page"]
values.total = "count(*)"

[[tests]]
name = "a page has its own number"
input = '''
1772539200 a 200
1772539230 b 200
1772539240 b 200
'''
points.hits = [{ page = "a", total = 1 }, { page = "b", total = 2 }]

[[tests]]
name = "a broken test"
input = '''
1772539200 a 200
'''
points.hits = [{ time = "2026-03-03 12:00", page = "a", total = 2 }]
"""


def ran(tmp_path: Path, *words: str, text: str = CONFIG) -> Result:
    (tmp_path / "config.toml").write_text(text)
    return CliRunner().invoke(app, ["test", str(tmp_path / "config.toml"), *words])


def test_each_test_has_a_line_and_a_failure_says_what_differs(tmp_path: Path) -> None:
    result = ran(tmp_path)
    assert result.exit_code == 1
    assert result.stdout == (
        "ok    a page has its own number\n"
        "FAIL  a broken test\n"
        "      hits: expected  2026-03-03 12:00:00 page=a total=2\n"
        "      hits: got       2026-03-03 12:00:00 page=a total=1\n"
        "      hits: total is 1, expected 2\n"
        "1 passed, 1 failed\n"
    )


def test_some_can_be_chosen_by_their_names(tmp_path: Path) -> None:
    result = ran(tmp_path, "--only", "OWN")
    assert (result.exit_code, result.stdout) == (0, "ok    a page has its own number\n1 passed\n")
    nothing = ran(tmp_path, "--only", "nothing like this")
    assert (nothing.exit_code, nothing.stderr) == (1, 'none of 2 tests has "nothing like this" in its name\n')


def test_a_configuration_without_tests_does_not_pass(tmp_path: Path) -> None:
    """A pipeline whose tests were lost in a merge must not stay green."""
    result = ran(tmp_path, text=CONFIG.partition("[[tests]]")[0])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("there is no test; write one as [[tests]]")


def test_machines_get_json(tmp_path: Path) -> None:
    result = ran(tmp_path, "--json")
    assert result.exit_code == 1
    first, second = json.loads(result.stdout)
    assert first == {"name": "a page has its own number", "passed": True, "differences": []}
    assert second["differences"] == [
        {
            "where": "hits",
            "expected": "2026-03-03 12:00:00 page=a total=2",
            "got": "2026-03-03 12:00:00 page=a total=1",
            "wrong": ["total is 1, expected 2"],
        }
    ]


def test_a_preset_that_does_not_exist_is_refused() -> None:
    result = CliRunner().invoke(app, ["test", "--preset", "oklaa"])
    assert result.exit_code == 2
    assert "there is no preset oklaa" in result.stderr


def test_files_beside_a_configuration_are_found_from_its_folder(tmp_path: Path) -> None:
    """It is run from anywhere."""
    (tmp_path / "records.log").write_text("1772539200 a 200\n")
    head = CONFIG.partition("[[tests]]")[0]
    text = head + '[[tests]]\nname = "x"\ninput_file = "records.log"\npoints.hits = [{ total = 1 }]\n'
    assert ran(tmp_path, text=text).exit_code == 0
