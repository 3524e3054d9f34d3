from __future__ import annotations

import json
import pickle

import pytest

from pegel.secret import Secret


def test_a_secret_does_not_show_itself() -> None:
    """Logs, tracebacks and error messages print whatever they are given."""
    secret = Secret("hunter2")
    shown = [str(secret), repr(secret), f"{secret}", f"{secret!r}", "%s" % secret, repr([secret])]  # noqa: UP031
    assert not [text for text in shown if "hunter2" in text]
    assert secret.reveal() == "hunter2"


def test_a_secret_is_not_written_down() -> None:
    """Tasks for other machines are pickled, status pages are JSON: a secret must stop them."""
    for write in (pickle.dumps, json.dumps):
        with pytest.raises(TypeError):
            write(Secret("hunter2"))


def test_secrets_compare_by_their_text() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert not Secret("")
