"""A source changes options of its preset's enrichers by their names, and nobody copies a preset for a file name."""

from __future__ import annotations

from pathlib import Path

import pytest

from pegel.config.loading import Declared, declare
from pegel.config.problems import Problem

PRESET = """
[[sources]]
type = "file"
path = "/var/log/x.log"
format.template = "{time} {id}"

[[enrichers]]
type = "sql"
from = "@"
columns.short = "substr(id, 1, 8)"

[[enrichers]]
name = "plans"
type = "lookup"
from = "@"
file = "${PLANS}"
on = { id = "id" }
columns = { plan = "plan" }

[[metrics]]
name = "x_requests"
from = "@"
every = "1m"
"""

A = '[[sources]]\nname = "a"\npreset = "x"\n'
B = '[[sources]]\nname = "b"\npreset = "x"\n'


def expanded(tmp_path: Path, text: str) -> tuple[Declared, list[str]]:
    (tmp_path / "presets").mkdir(exist_ok=True)
    (tmp_path / "presets" / "x.toml").write_text(PRESET)
    file = tmp_path / "c.toml"
    file.write_text(text)
    problems: list[Problem] = []
    declared = declare(file, {"HOSTNAME": "st-01"}, problems, tmp_path / "presets")
    assert declared is not None
    return declared, [str(problem).replace(f"{tmp_path}/", "") for problem in problems]


def test_an_option_given_by_the_source_counts_instead_of_the_presets(tmp_path: Path) -> None:
    declared, problems = expanded(tmp_path, A + 'enrichers.plans.file = "/etc/plans.csv"\n')
    assert problems == []
    assert declared.enrichers[1].plain() == {
        "name": "plans",
        "type": "lookup",
        "from": ["a"],
        "file": "/etc/plans.csv",
        "on": {"id": "id"},
        "columns": {"plan": "plan"},
    }
    assert "enrichers" not in declared.sources[0].plain()


def test_tables_are_merged_as_those_of_the_source_are(tmp_path: Path) -> None:
    declared, _ = expanded(tmp_path, A + 'enrichers.plans = { columns.country = "land", file = "x.csv" }\n')
    assert declared.enrichers[1].plain()["columns"] == {"plan": "plan", "country": "land"}


def test_a_variable_of_an_option_that_is_overridden_asks_for_nothing(tmp_path: Path) -> None:
    faults = [
        [str(node.fault) for table in expanded(tmp_path, text)[0].nodes() for node in table.walk() if node.fault]
        for text in (A, A + 'enrichers.plans.file = "x.csv"\n')
    ]
    assert [len(found) for found in faults] == [1, 0]


def test_each_source_has_its_own_and_those_that_say_the_same_share_one(tmp_path: Path) -> None:
    """A database is held in memory once, and an enricher of one server must not answer for the other."""
    c = B.replace('"b"', '"c"')
    given = 'enrichers.plans.file = "x.csv"\n'
    declared, problems = expanded(tmp_path, A + given + B + c + given)
    assert problems == []
    made = [(node.plain()["type"], node.plain()["from"]) for node in declared.enrichers]
    assert made == [("sql", ["a", "b", "c"]), ("lookup", ["a", "c"]), ("lookup", ["b"])]


def test_a_table_without_options_changes_nothing(tmp_path: Path) -> None:
    declared, problems = expanded(tmp_path, A + "enrichers.plans = {}\n" + B)
    assert problems == []
    assert [node.plain()["from"] for node in declared.enrichers] == [["a", "b"], ["a", "b"]]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            'enrichers.plan.file = "x"',
            (
                'c.toml:4:11  sources[0].enrichers.plan: the preset has no enricher "plan"; there is plans;'
                ' did you mean "plans"?'
            ),
        ),
        ("enrichers = 3", "c.toml:4:13  sources[0].enrichers: must be a table of enrichers by name, not a number"),
        (
            "enrichers.plans = 3",
            "c.toml:4:19  sources[0].enrichers.plans: must be a table of options, not a number",
        ),
        (
            'enrichers.plans.type = "sql"',
            "c.toml:4:1  sources[0].enrichers.plans.type: cannot be changed here: the preset is built on it",
        ),
        (
            'enrichers.plans.from = "b"',
            "c.toml:4:1  sources[0].enrichers.plans.from: cannot be changed here: the preset is built on it",
        ),
    ],
)
def test_each_mistake_has_its_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    assert expanded(tmp_path, A + text + "\n")[1] == [sentence]


def test_a_source_without_a_preset_has_no_enrichers_to_change(tmp_path: Path) -> None:
    _, problems = expanded(tmp_path, A.replace('preset = "x"', 'type = "file"\nenrichers.plans.file = "x"'))
    assert problems == ["c.toml:4:1  sources[0].enrichers: changes the enrichers of a preset, and this source has none"]
