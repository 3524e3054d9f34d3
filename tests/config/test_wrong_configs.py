"""Each wrong configuration is a file in `tests/configs/` whose first line is the first problem that is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from pegel.config import check

CONFIGS = Path(__file__).parents[1] / "configs"
ENVIRON = {"HOSTNAME": "st-01"}
CANARY = "hunter2"


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda path: path.stem)
def test_a_wrong_configuration_is_refused_with_its_sentence(path: Path) -> None:
    """Place, problem and remedy are a promise to people who edit these files at night."""
    expected = path.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
    problems = check(path, ENVIRON).problems
    assert str(problems[0]).replace(f"{CONFIGS}/", "") == expected
    assert not [problem for problem in problems if CANARY in str(problem) + problem.excerpt]


@pytest.mark.parametrize("path", sorted((CONFIGS / "good").glob("*.toml")), ids=lambda path: path.stem)
def test_a_good_configuration_has_no_problem_and_no_warning(path: Path) -> None:
    checked = check(path, ENVIRON)
    assert [str(problem) for problem in (*checked.problems, *checked.warnings)] == []
    assert checked.plan is not None
