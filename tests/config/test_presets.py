from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.conftest import Folder
from pegel.config.document import Node, read
from pegel.config.loading import Declared, declare
from pegel.config.presets import FOLDER, expand, names
from pegel.config.problems import Problem

PRESET = """
[[sources]]
type = "file"
path = "${LOG:-/var/log/x.log}"
format = { type = "lines", template = "{time} {id}", max_record = "64KiB" }
labels = { server = "${HOSTNAME}", kind = "x" }

[[enrichers]]
type = "sql"
from = "@"
columns.short = "substr(id, 1, 8)"

[[metrics]]
name = "x_requests"
help = "Requests."
from = "@"
every = "1m"

[[metrics]]
name = "x_users"
every = "1m"

[[metrics]]
name = "x_slow"
optional = true
every = "${EVERY}"
"""


def expanded(
    tmp_path: Path, text: str, environ: dict[str, str] | None = None, preset: str = PRESET
) -> tuple[Declared, list[str]]:
    (tmp_path / "presets").mkdir(exist_ok=True)
    (tmp_path / "presets" / "x.toml").write_text(preset)
    file = tmp_path / "c.toml"
    file.write_text(text)
    problems: list[Problem] = []
    declared = declare(file, environ or {"HOSTNAME": "st-01"}, problems, tmp_path / "presets")
    assert declared is not None
    faults = [str(node.fault) for table in declared.nodes() for node in table.walk() if node.fault]
    sentences = [str(problem) for problem in problems] + faults
    return declared, [sentence.replace(f"{tmp_path}/", "") for sentence in sentences]


def users(node: Node) -> object:
    return node.plain()["from"]


def test_a_preset_is_a_source_with_enrichers_and_metrics(tmp_path: Path) -> None:
    declared, problems = expanded(tmp_path, '[[sources]]\nname = "a"\npreset = "x"\n')
    assert problems == []
    (source,) = declared.sources
    assert source.plain()["path"] == "/var/log/x.log"
    assert "preset" not in source.plain()
    assert [users(node) for node in (*declared.enrichers, *declared.metrics)] == [["a"], ["a"], ["a"]]
    assert [node.plain()["name"] for node in declared.metrics] == ["x_requests", "x_users"]


def test_a_file_that_holds_a_secret_takes_the_place_of_the_variable(tmp_path: Path) -> None:
    """A preset refers to the environment; who has a file has no such variable, and one of the two is enough."""
    text = '[[sources]]\nname = "a"\npreset = "x"\nkey_file = "/k"\n'
    preset = PRESET.replace('type = "file"\n', 'type = "file"\nkey = "${KEY}"\n', 1)
    declared, problems = expanded(tmp_path, text, preset=preset)
    assert problems == []
    said = declared.sources[0].plain()
    assert "key" not in said
    assert said["key_file"] == "/k"


def test_a_metric_is_also_chosen_by_the_name_of_a_value_that_is_shown_as_one(tmp_path: Path) -> None:
    """That name is what a dashboard shows; the other one is in the preset alone."""
    more = '\n[[metrics]]\nname = "x_pair"\nevery = "1m"\nvalues.a = { value = "count(*)", metric = "x_alone" }\n'
    text = '[[sources]]\nname = "a"\npreset = "x"\nmetrics = ["x_alone"]\n'
    declared, problems = expanded(tmp_path, text, preset=PRESET + more)
    assert problems == []
    assert [node.plain()["name"] for node in declared.metrics] == ["x_pair"]
    wrong = text.replace("x_alone", "x_alnoe")
    assert "did you mean" in expanded(tmp_path, wrong, preset=PRESET + more)[1][0]


def test_any_option_overrides_the_presets_and_tables_are_merged(tmp_path: Path) -> None:
    text = '[[sources]]\nname = "a"\npreset = "x"\npath = "/y"\nlabels.server = "s"\nformat.max_record = "1MiB"\n'
    (source,) = expanded(tmp_path, text)[0].sources
    assert source.plain() == {
        "name": "a",
        "type": "file",
        "path": "/y",
        "format": {"type": "lines", "template": "{time} {id}", "max_record": "1MiB"},
        "labels": {"server": "s", "kind": "x"},
    }


def test_another_type_of_source_takes_none_of_the_old_ones_options(tmp_path: Path) -> None:
    """`type = "stdin"` under a preset of a file must not be told that it has no `path`."""
    (source,) = expanded(tmp_path, '[[sources]]\nname = "a"\npreset = "x"\ntype = "stdin"\n')[0].sources
    assert set(source.plain()) == {"name", "type", "format", "labels"}


def test_a_preset_used_twice_counts_both_sources_in_its_metrics(tmp_path: Path) -> None:
    """Two servers are told apart by a label, not by two names of a metric."""
    text = '[[sources]]\nname = "a"\npreset = "x"\n[[sources]]\nname = "b"\npreset = "x"\nmetrics = "x_req*"\n'
    declared, _ = expanded(tmp_path, text)
    assert [users(node) for node in declared.enrichers] == [["a", "b"]]
    assert {node.plain()["name"]: users(node) for node in declared.metrics} == {
        "x_requests": ["a", "b"],
        "x_users": ["a"],
    }


def test_optional_metrics_are_on_when_they_are_named(tmp_path: Path) -> None:
    text = '[[sources]]\nname = "a"\npreset = "x"\nmetrics = ["x_slow"]\n'
    declared, problems = expanded(tmp_path, text, {"EVERY": "1m", "HOSTNAME": "h"})
    assert [node.plain() for node in declared.metrics] == [{"name": "x_slow", "every": "1m", "from": ["a"]}]
    assert problems == []


def test_a_variable_is_only_needed_where_it_is_used(tmp_path: Path) -> None:
    """The preset's default for an option that is overridden, or of a metric that is off, asks for nothing."""
    text = '[[sources]]\nname = "a"\npreset = "x"\nlabels.server = "s"\n'
    assert expanded(tmp_path, text, {"NOTHING": ""})[1] == []
    _, problems = expanded(tmp_path, text.replace("labels.server", "metrics = ['x_s*']\nlabels.server"), {"A": ""})
    assert problems == [
        "presets/x.toml:26:10  metrics[2].every: the environment variable EVERY is not set (preset used at c.toml:3:10)"
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('preset = "y"', 'c.toml:3:10  sources[0].preset: there is no preset "y"; there is x; did you mean "x"?'),
        ("preset = 3", "c.toml:3:10  sources[0].preset: must be a string, not a number"),
        ('preset = "../x"', 'c.toml:3:10  sources[0].preset: there is no preset "../x"; there is x'),
        (
            'preset = "x"\nmetrics = ["x_user"]',
            (
                'c.toml:4:12  sources[0].metrics[0]: the preset has no metric "x_user"; '
                'it has x_requests, x_users, x_slow; did you mean "x_users"?'
            ),
        ),
        ('preset = "x"\nmetrics = 3', "c.toml:4:11  sources[0].metrics: must be a pattern, not a number"),
        (
            'metrics = ["x"]',
            "c.toml:3:1  sources[0].metrics: chooses among the metrics of a preset, and this source has none",
        ),
    ],
)
def test_each_mistake_has_its_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    assert expanded(tmp_path, f'[[sources]]\nname = "a"\n{text}\n')[1] == [sentence.replace('; did you mean "x"?', "")]


@given(st.text(max_size=30))
def test_a_name_never_reaches_another_file(text: str) -> None:
    """The name of a preset comes from the file; it must not become a path."""
    root = read(b"[[sources]]\nname = 'a'\npreset = 'x'\n", "c.toml", {}).root
    assert root is not None
    (source,) = root.table["sources"].items
    source.table["preset"].value = f"../{text}"
    assert expand([source], {}, FOLDER).problems


@pytest.mark.parametrize("preset", names())
def test_every_preset_makes_a_plan(folder: Folder, preset: str) -> None:
    """Nothing shipped is broken."""
    assert folder.problems(f'[[sources]]\nname = "a"\npreset = "{preset}"\n') == []


@pytest.mark.parametrize("preset", names())
def test_every_preset_speaks_of_its_users_only_by_the_sign(preset: str) -> None:
    root = read((FOLDER / f"{preset}.toml").read_bytes(), preset, {"HOSTNAME": "h"}).root
    assert root is not None
    assert len(root.table["sources"].items) == 1
    assert "name" not in root.table["sources"].items[0].table
    for section in ("enrichers", "metrics"):
        for node in root.table[section].items if section in root.table else []:
            assert node.table["from"].value == "@"
