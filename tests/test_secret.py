from __future__ import annotations

import json
import pickle
from pathlib import Path

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


def test_a_secret_from_a_file_follows_the_file(tmp_path: Path) -> None:
    """A token is renewed by whoever manages it, and nobody restarts a runner for that."""
    file = tmp_path / "token"
    file.write_text(" first\n")
    secret = Secret.read(file)
    assert (secret.reveal(), secret.renew()) == ("first", False)
    file.write_text("the second\n")
    assert (secret.renew(), secret.reveal()) == (True, "the second")
    assert secret.renew() is False


def test_a_secret_whose_file_is_missing_or_empty_stays_what_it_was(tmp_path: Path) -> None:
    """Some replace a file by deleting it first, or by writing it slowly."""
    file = tmp_path / "token"
    file.write_text("first")
    secret = Secret.read(file)
    file.unlink()
    assert (secret.renew(), secret.reveal()) == (False, "first")
    file.write_text("")
    assert (secret.renew(), secret.reveal()) == (False, "first")
    file.write_bytes(b"\xff\xfe")
    assert (secret.renew(), secret.reveal()) == (False, "first")
    file.write_text("second")
    assert (secret.renew(), secret.reveal()) == (True, "second")


def test_a_secret_that_is_written_in_the_config_does_not_change() -> None:
    assert Secret("first").renew() is False
