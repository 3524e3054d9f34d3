from __future__ import annotations

from typing import get_args

import pytest

from pegel.sinks.forms import Form, encode
from sinks.hostile import point


@pytest.mark.parametrize("form", ["ndjson", "influx"])
def test_early_values_never_reach_a_stream(form: Form) -> None:
    """A line that was read cannot be taken back when the window goes on."""
    assert encode(form, [point(revision=0)]) == b""
    assert encode(form, [point(revision=0), point(revision=1)]).count(b"\n") == 1


def test_a_snapshot_shows_open_windows() -> None:
    assert b"tests" in encode("prometheus", [point(revision=0)])


@pytest.mark.parametrize("form", get_args(Form))
def test_every_form_ends_its_last_line(form: Form) -> None:
    """The next points are written right behind it."""
    assert encode(form, [point()]).endswith(b"\n")
