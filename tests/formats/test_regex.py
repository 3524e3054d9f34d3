from __future__ import annotations

import time

import pytest

from pegel.formats.records import Records
from pegel.formats.regex import Expression


@pytest.mark.parametrize(
    ("pattern", "names", "rewritten"),
    [
        ("(?P<a>x)(?P<b>y)", {"a"}, "(?P<a>x)(?:y)"),
        ("(?P<a>x)(y)", {"a"}, "(?P<a>x)(?:y)"),
        (r"\((?P<a>[(]\))[^)(\]]([[:alpha:](])", set(), r"\((?:[(]\))[^)(\]](?:[[:alpha:](])"),
        ("[]()](?i:x)(?P<a>.)", {"a"}, "[]()](?i:x)(?P<a>.)"),
        (r"\Q((\E(x)", set(), r"\Q((\E(?:x)"),
    ],
)
def test_only_the_groups_that_are_wanted_capture(pattern: str, names: set[str], rewritten: str) -> None:
    """A parenthesis in a set or behind a backslash is no group; RE2 still accepts the result."""
    assert Expression(pattern).capturing(names) == rewritten
    assert Expression(rewritten)


def test_names_are_those_of_the_groups_in_order() -> None:
    assert Expression(r"(?P<b>x)(?:y)(\(?P<no>)(?P<a>z)").names == ("b", "a")


def test_an_expression_that_explodes_elsewhere_is_harmless() -> None:
    """28 characters took 54 s in Python's engine (M4)."""
    start = time.process_time()
    assert not Expression(r"^(\w+\s?)+$").found_in(Records.single(b"a" * 50_000 + b"!"))[0]
    assert time.process_time() - start < 1.0
