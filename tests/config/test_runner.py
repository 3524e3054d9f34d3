from __future__ import annotations

from pathlib import Path

import pytest

from pegel.config.document import read
from pegel.config.problems import Problem
from pegel.config.runner import runner_settings, unknown_variables
from pegel.plan import RunnerSettings
from pegel.units import Size


def settled(text: str, environ: dict[str, str]) -> tuple[RunnerSettings, list[str]]:
    root = read(text.encode(), "c.toml", environ).root
    assert root is not None
    problems: list[Problem] = []
    settings = runner_settings(root.table.get("runner"), environ, problems)
    return settings, [str(problem) for problem in problems]


def test_the_environment_wins_over_the_file() -> None:
    """A container is configured without touching the file in its image."""
    environ = {"PEGEL_STATE": "/s", "PEGEL_WORKERS": "3", "PEGEL_MEMORY": "1GiB", "PEGEL_LABELS": '{"site": "b"}'}
    settings, problems = settled("runner = { state = '/x', prefix = 'p_' }", environ)
    assert problems == []
    assert settings == RunnerSettings(
        state=Path("/s"),
        workers=3,
        memory=Size(2**30),
        labels={"site": "b"},
        prefix="p_",
    )


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("PEGEL_WORKERS", "many", "must be a whole number, not a string"),
        ("PEGEL_WORKERS", "-1", "must be 0 (one per core) or more"),
        (
            "PEGEL_COMMIT_INTERVAL",
            "5",
            '"5" is not a duration; write a number and a unit (us, ms, s, m, h, d), such as "90s"',
        ),
        ("PEGEL_LOG_LEVEL", "loud", '"loud" is not possible; there is debug, info, warning, error'),
        ("PEGEL_LABELS", "site=b", 'must be a table in JSON, such as {"site": "berlin"}'),
        ("PEGEL_PREFIX", "1x", '"1x" is no beginning of a metric name'),
    ],
)
def test_a_wrong_variable_is_named(name: str, value: str, sentence: str) -> None:
    assert settled("", {name: value})[1] == [f"environment  {name}: {sentence}"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("workers = -1", "c.toml:2:11  runner.workers: must be 0 (one per core) or more"),
        ("prefix = '1x'", 'c.toml:2:10  runner.prefix: "1x" is no beginning of a metric name'),
        ("labels = { __x = 'y' }", 'c.toml:2:12  runner.labels.__x: "__x": names that begin with __ are reserved'),
        (
            "log_level = 'inf'",
            (
                'c.toml:2:13  runner.log_level: "inf" is not possible; '
                'there is debug, info, warning, error; did you mean "info"?'
            ),
        ),
    ],
)
def test_a_wrong_setting_is_shown_in_the_file(text: str, sentence: str) -> None:
    assert settled(f"[runner]\n{text}\n", {})[1] == [sentence]


def test_a_misspelt_variable_is_a_warning() -> None:
    """It is not ours to refuse, but it will not do what it was meant for."""
    (warning,) = unknown_variables({"PEGEL_STAET": "/x", "PEGEL_CONFIG": "y", "PATH": "z", "PEGEL_STATE": "/x"})
    assert str(warning) == 'environment  PEGEL_STAET: no such setting; did you mean "PEGEL_STATE"?'
