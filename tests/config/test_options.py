from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from pegel.config.document import read
from pegel.config.options import build, options
from pegel.config.problems import Problem
from pegel.secret import Secret
from pegel.units import Duration, Size


@dataclass(frozen=True, kw_only=True)
class Rule:
    column: str
    weight: float = 1.0


@dataclass(kw_only=True)
class Everything:
    text: str = ""
    number: int = 0
    ratio: float = 0.0
    switch: bool = False
    wait: Duration = Duration(1.0)
    size: Size = Size(1)
    path: Path | None = None
    mode: Literal["fast", "exact"] = "fast"
    names: Sequence[str] = ()
    one_or_many: str | list[str] = ""
    words: Mapping[str, str] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    rule: Rule | None = None
    either: Mapping[str, str | Rule] = field(default_factory=dict)
    auto: Literal["auto"] | Duration = "auto"
    token: Secret | None = None
    sources: str = field(default="", metadata={"key": "from"})
    anything: Any = None

    def __post_init__(self) -> None:
        if self.number < 0:
            raise ValueError("number: must not be negative")
        if self.words.get("bad"):
            raise ValueError("words.bad: is bad")
        if self.text == "wild":
            raise ValueError("the text must not be wild")
        if self.one_or_many == "quoted":
            raise ValueError('"quoted" is no regular expression')
        if self.text == "odd":
            raise ValueError("this does not fit together")


@dataclass(kw_only=True)
class Needy:
    path: str
    token: Secret


def built(text: str, cls: type[Any] = Everything) -> Any:
    problems: list[Problem] = []
    root = read(text.encode(), "c.toml", {"TOKEN": "hunter2", "N": "5"}).root
    assert root is not None
    result = build(cls, root, problems)
    assert (result is None) is bool(problems)
    return result if result is not None else [str(problem) for problem in problems]


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("ratio = 2", "ratio", 2.0),
        ('wait = "1h30m"', "wait", 5400.0),
        ('size = "64MiB"', "size", 2**26),
        ('path = "/x"', "path", Path("/x")),
        ('names = ["a", "b"]', "names", ("a", "b")),
        ('one_or_many = "a"', "one_or_many", "a"),
        ('one_or_many = ["a"]', "one_or_many", ["a"]),
        ('rules = [{ column = "a" }]', "rules", (Rule(column="a"),)),
        ('rule.column = "a"', "rule", Rule(column="a")),
        ('either = { a = "x", b = { column = "y" } }', "either", {"a": "x", "b": Rule(column="y")}),
        ('auto = "auto"', "auto", "auto"),
        ('auto = "2s"', "auto", 2.0),
        ('token = "x"', "token", Secret("x")),
        ('from = "a"', "sources", "a"),
        ("anything = [1, { a = 2 }]", "anything", [1, {"a": 2}]),
    ],
)
def test_each_type_has_one_spelling(text: str, name: str, value: object) -> None:
    result = built(text)
    assert getattr(result, name) == value
    assert type(getattr(result, name)) is type(value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("text = 1", "1:8  text: must be a string, not a number"),
        ('number = "1"', "1:10  number: must be a whole number, not a string"),
        ("number = 1.5", "1:10  number: must be a whole number, not a decimal number"),
        ("number = true", "1:10  number: must be a whole number, not true or false"),
        ("switch = 1", "1:10  switch: must be true or false, not a number"),
        ("ratio = inf", "1:9  ratio: must be a finite number"),
        ("wait = 90", '1:8  wait: must be a duration such as "90s", not a number'),
        ("size = [1]", '1:8  size: must be a size such as "64MiB", not a list'),
        ("text = 2026-01-01", "1:8  text: must be a string, not a date or time"),
        ('mode = "fats"', '1:8  mode: "fats" is not possible; there is fast, exact; did you mean "fast"?'),
        ('names = "a"', "1:9  names: must be a list, not a string"),
        ("names = [1]", "1:10  names[0]: must be a string, not a number"),
        ("one_or_many = 1", "1:15  one_or_many: must be a string or a list of strings, not a number"),
        ("one_or_many = [1]", "1:16  one_or_many[0]: must be a string, not a number"),
        ("words.a = 1", "1:11  words.a: must be a string, not a number"),
        ('rules = [{ colum = "a" }]', '1:12  rules[0].colum: unknown option; did you mean "column"?'),
        ("rules = [{}]", "1:10  rules[0].column: required, but missing"),
        ("rules = [3]", "1:10  rules[0]: must be a table, not a number"),
        ("either.a = 1", "1:12  either.a: must be a string or a table, not a number"),
        ('either.a = { column = "x", wieght = 1 }', '1:28  either.a.wieght: unknown option; did you mean "weight"?'),
        ('auto = "soon"', '1:8  auto: must be "auto" or a duration such as "90s"'),
        ("token = 1", "1:9  token: must be a string, not a number"),
        ('path = ""', "1:8  path: must be a path, not an empty string"),
        ('form = "a"', '1:1  form: unknown option; did you mean "from"?'),
        ("number = -1", "1:10  number: must not be negative"),
        ("words = { bad = 'x' }", "1:17  words.bad: is bad"),
        ('text = "wild"', "1:8  text: the text must not be wild"),
        ('one_or_many = "quoted"', '1:16  one_or_many: "quoted" is no regular expression'),
        ('text = "odd"', "1:1  this does not fit together"),
    ],
)
def test_each_mistake_has_its_sentence(text: str, sentence: str) -> None:
    assert built(text) == [f"c.toml:{sentence}"]


def test_a_number_from_the_environment_stays_a_string() -> None:
    """Variables are replaced inside strings only, so a number option is never half text."""
    assert built('number = "${N}"') == ["c.toml:1:10  number: must be a whole number, not a string"]


def test_the_value_of_a_variable_is_in_no_message() -> None:
    """`wait = "${TOKEN}"` is a slip that must not print the token."""
    (sentence,) = built('wait = "${TOKEN}"')
    assert "hunter2" not in sentence
    assert "${TOKEN}" in sentence


def test_a_misspelt_required_option_is_one_problem_not_two() -> None:
    assert built('pth = "x"\ntoken = "x"', Needy) == ['c.toml:1:1  pth: unknown option; did you mean "path"?']


def test_a_secret_is_read_from_its_file(tmp_path: Path) -> None:
    """Files are how systemd, Docker and Ansible hand over secrets; the newline at the end is not part of it."""
    (tmp_path / "token").write_text("hunter2\n")
    result = built(f'path = "x"\ntoken_file = "{tmp_path}/token"', Needy)
    assert result.token == Secret("hunter2")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('token_file = "nowhere"', "2:14  token_file: the file cannot be read: no such file or directory"),
        ('token_file = "/no/where"', "2:14  token_file: the file /no/where cannot be read: no such file or directory"),
        ('token_file = "c2VjcmV0/+=="', "2:14  token_file: the file cannot be read: no such file or directory"),
        ("token_file = 3", "2:14  token_file: must be the name of a file, not a number"),
        ('token_file = "/dev/null"', "2:14  token_file: the file /dev/null is empty"),
        ('token_file = "x"\ntoken = "y"', '2:1  token_file: "token" is given too; one of the two is enough'),
    ],
)
def test_a_secret_file_that_gives_no_secret_is_refused(text: str, sentence: str) -> None:
    assert built(f'path = "x"\n{text}', Needy) == [f"c.toml:{sentence}"]


def test_options_know_what_is_required() -> None:
    assert {name: option.required for name, option in options(Needy).items()} == {"path": True, "token": True}


def test_a_type_without_a_meaning_in_toml_is_a_mistake_of_ours() -> None:
    @dataclass
    class Wrong:
        thing: bytes = b""

    with pytest.raises(TypeError, match="no type for an option"):
        built("", Wrong)
