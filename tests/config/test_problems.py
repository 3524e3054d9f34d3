from __future__ import annotations

import pytest

from pegel.config.problems import Place, Problem, show_path


def test_a_problem_is_a_place_a_key_and_a_sentence() -> None:
    place = Place("config.toml", 14, 8, source="x = { familys = [] }")
    problem = Problem(place, "enrichers[2].familys", "unknown option", "families")
    assert str(problem) == 'config.toml:14:8  enrichers[2].familys: unknown option; did you mean "families"?'
    assert problem.excerpt == "x = { familys = [] }\n       ^"


def test_the_caret_stands_right_in_a_line_with_tabs() -> None:
    problem = Problem(Place("c.toml", 1, 3, source="\t\tx = 1"), "x", "wrong")
    assert problem.excerpt == "  x = 1\n  ^"


@pytest.mark.parametrize(
    "text",
    [
        'token = "hunter2"',
        "password = hunter2",
        "api_key = 'hunter2",
        'login = { user = "me", password = "hunter2" }',
        "secret=1 # hunter2",
    ],
)
def test_the_excerpt_shows_no_secret(text: str) -> None:
    """Output of a check ends up in tickets and build logs."""
    excerpt = Problem(Place("c.toml", 1, 1, source=text), "x", "wrong").excerpt
    assert "hunter2" not in excerpt
    assert len(excerpt.splitlines()[0]) == len(text)


def test_a_misspelt_secret_is_a_secret() -> None:
    line = 'tokn = "hunter2"'
    guessed = Problem(Place("c.toml", 1, 1, source=line), "tokn", "unknown option", "token")
    unknown = Problem(Place("c.toml", 1, 1, source=line), "tokn", "unknown option", masked=True)
    assert "hunter2" not in guessed.excerpt + unknown.excerpt


def test_a_reference_to_a_variable_may_be_seen() -> None:
    line = 'token = "${INFLUX_TOKEN}"'
    assert Problem(Place("c.toml", 1, 1, source=line), "token", "wrong").excerpt.startswith(line)


@pytest.mark.parametrize(
    ("value", "seen"),
    [("/run/secrets/influx", True), ("${CREDENTIALS_DIRECTORY}/influx", True), ("c2VjcmV0", False), ("/aGk=", False)],
)
def test_the_name_of_a_file_with_a_secret_may_be_seen(value: str, seen: bool) -> None:
    """Who has to mend it must know which; a secret written in its place stays hidden."""
    excerpt = Problem(Place("c.toml", 1, 1, source=f'token_file = "{value}"'), "token_file", "wrong").excerpt
    assert (value in excerpt) is seen


def test_problems_of_a_preset_stand_where_it_is_used() -> None:
    used = Place("config.toml", 5, 3, order=0)
    inside = Place("presets/ookla.toml", 90, 1, order=0, used_at=used)
    places = [Place("config.toml", 9, 1, order=0), inside, Place("config.toml", 2, 1, order=0)]
    assert sorted(places, key=lambda place: place.sort_key) == [places[2], inside, places[0]]
    assert str(Problem(inside, "x", "wrong")) == "presets/ookla.toml:90:1  x: wrong (preset used at config.toml:5:3)"


def test_a_path_is_written_as_people_write_it() -> None:
    assert show_path(("metrics", 2, "values", "users")) == "metrics[2].values.users"
    assert show_path(("labels", "odd key")) == 'labels."odd key"'
