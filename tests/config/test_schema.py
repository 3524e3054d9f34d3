from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from config.conftest import BUCKET
from pegel import units
from pegel.config.loading import SECTIONS, TABLES
from pegel.config.options import options
from pegel.config.presets import names
from pegel.config.schema import schema
from pegel.config.showing import spell_out
from pegel.enrichers import BUILTIN as ENRICHERS
from pegel.plan import RunnerSettings
from pegel.sinks import BUILTIN as SINKS

CONFIGS = Path(__file__).parents[1] / "configs"
SCHEMA = schema()
VALIDATOR = Draft202012Validator(SCHEMA)
ENVIRON = {"HOSTNAME": "st-01", "INFLUX_URL": "http://127.0.0.1:8086", **BUCKET}


def mistakes(text: str) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(tomllib.loads(text))]


def with_source(**options_: Any) -> dict[str, Any]:
    return {"sources": [{"name": "a", "preset": "ookla", **options_}]}


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_it_has_every_section() -> None:
    """A section that `check` accepts and the editor marks as wrong would teach people to ignore the editor."""
    assert set(SCHEMA["properties"]) == {*TABLES, *SECTIONS}


@pytest.mark.parametrize("path", sorted((CONFIGS / "good").glob("*.toml")), ids=lambda path: path.stem)
def test_a_good_configuration_is_good_in_an_editor_too(path: Path) -> None:
    assert mistakes(path.read_text()) == []


@pytest.mark.parametrize("preset", names())
def test_a_preset_is_good_when_it_is_spelled_out(preset: str, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(f'[[sources]]\nname = "{preset}"\npreset = "{preset}"\n')
    assert mistakes(spell_out(tmp_path / "config.toml", ENVIRON)) == []


@pytest.mark.parametrize(
    "name",
    [
        "enricher_unknown_option",
        "file_unknown_option",
        "filter_without_where",
        "format_as_word",
        "format_unknown_type",
        "metric_label_text",
        "metric_optional",
        "metric_unknown_option",
        "metric_value_kind",
        "metric_without_every",
        "preset_option_unknown",
        "runner_as_list",
        "runner_log_level",
        "runner_memory_without_unit",
        "runner_unknown_setting",
        "sink_missing_path",
        "sink_outbox_option",
        "sink_own_class_without_name",
        "sink_unknown_type",
        "sink_without_type",
        "source_duration_unknown_unit",
        "source_start",
        "source_unknown_type",
        "source_without_name",
        "sources_of_numbers",
        "time_unknown_option",
        "top_level_option",
        "unknown_section",
    ],
)
def test_what_is_wrong_in_its_structure_is_marked(name: str) -> None:
    assert mistakes((CONFIGS / f"{name}.toml").read_text()) != []


def test_a_reference_may_stand_wherever_a_text_may() -> None:
    """What `${NAME}` will be is not known in an editor; `check` looks at the value."""
    good = {**with_source(disorder="${WAIT:-5s}", start="${START}"), "runner": {"memory": "${MEMORY}"}}
    assert list(VALIDATOR.iter_errors(good)) == []


@given(text=st.from_regex(r"([0-9]{1,3}(\.[0-9])?[a-z]{1,2}){0,2}", fullmatch=True))
def test_a_duration_is_good_where_the_program_reads_it(text: str) -> None:
    try:
        units.duration(text)
    except ValueError:
        expected = False
    else:
        expected = True
    assert VALIDATOR.is_valid(with_source(disorder=text)) == expected


@given(text=st.from_regex(r"[0-9]{1,3}(\.[0-9])? ?(B|KiB|kB|MB|K|mb|GiB)?", fullmatch=True))
def test_a_size_is_good_where_the_program_reads_it(text: str) -> None:
    try:
        units.size(text)
    except ValueError:
        expected = False
    else:
        expected = True
    assert VALIDATOR.is_valid({"runner": {"memory": text}}) == expected


def test_options_are_those_of_the_type_and_no_others() -> None:
    """An editor that offers the options of all sinks at once helps nobody."""
    (local,) = [one for one in SCHEMA["properties"]["sinks"]["items"]["anyOf"] if word(one) == "local"]
    assert "max_age" in local["properties"]
    (stdout,) = [one for one in SCHEMA["properties"]["sinks"]["items"]["anyOf"] if word(one) == "stdout"]
    assert "max_age" not in stdout["properties"]


@pytest.mark.parametrize("section", ["enrichers", "sinks"])
def test_every_type_is_there(section: str) -> None:
    words = {word(one) for one in SCHEMA["properties"][section]["items"]["anyOf"]}
    assert words - {None} == set({"enrichers": ENRICHERS, "sinks": SINKS}[section])


def test_a_secret_may_come_from_a_file() -> None:
    sink = {"type": "influxdb2", "url": "http://a", "org": "o", "bucket": "b"}
    assert VALIDATOR.is_valid({"sinks": [{**sink, "token_file": "/run/secrets/token"}]})
    assert VALIDATOR.is_valid({"sinks": [{**sink, "token": "${TOKEN}"}]})
    assert not VALIDATOR.is_valid({"sinks": [sink]})


def test_every_option_says_what_it_means() -> None:
    """Hovering over a word is how an option is learned."""
    mute = sorted({name for name, told in properties(SCHEMA) if "description" not in told})
    assert mute == []


def test_no_default_is_refused_by_its_own_option() -> None:
    for name, told in properties(SCHEMA):
        if "default" in told and told.get("type") == "string":
            assert re.search(told.get("pattern", ""), told["default"]), name


def test_every_setting_of_the_runner_is_there() -> None:
    assert set(SCHEMA["properties"]["runner"]["properties"]) == set(options(RunnerSettings))


def word(branch: dict[str, Any]) -> str | None:
    found = branch["properties"]["type"].get("enum")
    return found[0] if found else None


def properties(part: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every option anywhere in the schema."""
    if isinstance(part, dict):
        yield from part.get("properties", {}).items()
        for below in part.values():
            yield from properties(below)
    elif isinstance(part, list):
        for below in part:
            yield from properties(below)
