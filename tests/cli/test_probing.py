from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from config.conftest import METRIC, SOURCE
from config.parts import doors
from pegel.cli import app
from pegel.cli.probing import probe_all
from pegel.config.endpoints import Endpoint
from pegel.config.loading import check
from pegel.errors import Retryable

SINKS = """
[[sinks]]
name = "first"
type = "config.parts:Door"
door = "first"

[[sinks]]
name = "second"
type = "config.parts:Door"
door = "second"
token = "${TOKEN}"
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TOKEN", "s3cret")
    path = tmp_path / "config.toml"
    path.write_text(SOURCE + METRIC + SINKS)
    path.chmod(0o600)
    doors.clear()
    return path


def endpoint(config: Path, probe: Callable[[], Sequence[str]]) -> Endpoint:
    return Endpoint("sink x", probe, check(config).endpoints[0].node)


def connect(config: Path, *more: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["check", str(config), "--connect", *more])
    return result.exit_code, result.stdout, result.stderr


def test_endpoints_that_answer_are_fine(config: Path) -> None:
    assert connect(config)[:2] == (0, "1 source, 1 metric, 2 sinks; fine\n")


def test_what_is_wrong_outside_is_shown_at_the_entry(config: Path) -> None:
    """The operator mends a line of the file: the problem has to name it, like any other."""
    doors["second"] = ["the token has no right to write to bucket b; give it one"]
    code, out, err = connect(config)
    assert (code, out) == (1, "")
    assert f"{config}:22:1  sinks[1]: the token has no right to write to bucket b; give it one" in err
    assert "the file is fine, 1 problem outside" in err


def test_machines_see_which_problems_are_outside(config: Path) -> None:
    doors["first"] = ["refused"]
    code, out, _ = connect(config, "--json")
    assert code == 1
    assert [(one["severity"], one["path"], one["message"]) for one in json.loads(out)] == [
        ("endpoint", "sinks[0]", "refused")
    ]


def test_a_sentence_that_quotes_a_secret_is_masked(config: Path) -> None:
    """A server's answer may hold what was sent to it."""
    doors["second"] = ["the server said: bad token s3cret"]
    _, _, err = connect(config)
    assert "s3cret" not in err
    assert "bad token" in err


def test_nothing_is_tried_without_being_asked_for_or_where_the_file_is_wrong(config: Path) -> None:
    """`check` runs in pipelines of machines that cannot reach the servers."""
    doors["first"] = ["asked"]
    assert CliRunner().invoke(app, ["check", str(config)]).exit_code == 0
    config.write_text(config.read_text() + "\n[oops]\n")
    code, _, err = connect(config)
    assert code == 2
    assert "asked" not in err


def test_all_are_tried_at_once(config: Path) -> None:
    """Ten sinks that hang take as long as one: each waits here until the other has begun."""
    together = threading.Barrier(2, timeout=10)

    def probe() -> Sequence[str]:
        together.wait()
        return ()

    both = [endpoint(config, probe), endpoint(config, probe)]
    assert [sentences for _, sentences in probe_all(both)] == [[], []]


def test_one_that_hangs_is_left_behind(config: Path) -> None:
    never = threading.Event()

    def hang() -> Sequence[str]:
        never.wait()
        return ()

    [(_, sentences)] = probe_all([endpoint(config, hang)], patience=0.01)
    assert "did not answer within 0.01 s" in sentences[0]
    never.set()


def test_an_error_of_the_network_is_a_sentence_and_a_mistake_of_ours_is_none(config: Path) -> None:
    def refused() -> Sequence[str]:
        raise Retryable("connection refused")

    def wrong() -> Sequence[str]:
        raise ZeroDivisionError

    assert probe_all([endpoint(config, refused)])[0][1] == ["connection refused"]
    with pytest.raises(ZeroDivisionError):
        probe_all([endpoint(config, wrong)])
