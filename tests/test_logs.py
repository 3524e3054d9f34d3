"""Logs: one line per event whatever is in it (reliability M20)."""

from __future__ import annotations

import io
import json
import logging

import pytest

from pegel import logs


@pytest.mark.parametrize("form", ["human", "json"])
def test_what_a_stranger_wrote_cannot_begin_a_new_line(form: str) -> None:
    """Log injection: a newline in a file name must not forge an event."""
    stream = io.StringIO()
    logs.set_up("info", form, stream)  # type: ignore[arg-type]
    logging.getLogger("pegel.sources.x").warning("cannot read %s", "a\n12:00:00 ERROR forged\x1b[31m")
    text = stream.getvalue()
    assert text.count("\n") == 1
    assert "\x1b" not in text


def test_json_lines_have_time_level_logger_and_message() -> None:
    stream = io.StringIO()
    logs.set_up("info", "json", stream)
    logging.getLogger("pegel.runner").error("broken")
    fact = json.loads(stream.getvalue())
    assert (fact["level"], fact["logger"], fact["message"]) == ("error", "pegel.runner", "broken")


def test_the_level_is_respected() -> None:
    stream = io.StringIO()
    logs.set_up("warning", "human", stream)
    logging.getLogger("pegel.runner").info("fine")
    assert stream.getvalue() == ""
