from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer

from doubles import FakeClock
from pegel.cli.points_follow import follow, printer
from pegel.cli.points_query import Form, Wanted
from pegel.cli.terminal import Terminal
from pegel.sinks import Point
from pegel.sinks.local import Local
from sinks.hostile import point

NAME = "ookla_speedtest_minutely"


class Script(FakeClock):
    """A clock on which something is written each time that somebody waits; the end comes after the last."""

    def __init__(self, *steps: Callable[[], None]) -> None:
        super().__init__()
        self._steps = list(steps)

    def wait(self, wake: threading.Event, seconds: float) -> bool:
        if not self._steps:
            wake.set()
        else:
            self._steps.pop(0)()
        return super().wait(wake, seconds)


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Local]:
    local = Local(path=tmp_path / "points.db")
    yield local
    local.close()


def put(sink: Local, *points: Point) -> Callable[[], None]:
    return lambda: sink.send(sink.encode(points))


def test_each_batch_is_printed_as_it_is_stored(sink: Local, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clock = Script(
        put(sink, point(tests=1)), put(sink, point(minute=1, tests=2)), put(sink, point(tests=5, revision=2))
    )
    assert follow(tmp_path / "points.db", NAME, Wanted(form="csv"), clock=clock) == 0
    captured = capsys.readouterr()
    assert captured.out == (
        "time,server,tests,revision\n"
        "2026-03-03T12:00:00Z,st-01,1,1\n"
        "2026-03-03T12:01:00Z,st-01,2,1\n"
        "2026-03-03T12:00:00Z,st-01,5,2\n"
    )
    assert captured.err == f"pegel: no points yet; waiting for {tmp_path}/points.db\n"


def test_ctrl_c_is_the_end_and_no_error(sink: Local, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(sink, point())()

    def interrupt() -> None:
        raise KeyboardInterrupt

    assert follow(tmp_path / "points.db", NAME, Wanted(form="ndjson"), clock=Script(interrupt)) == 130
    assert json.loads(capsys.readouterr().out)["values"] == {"tests": 12, "users": 9}


def test_charts_are_drawn_again(sink: Local, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(sink, point(tests=1), point(minute=1, tests=2))()
    clock = Script(put(sink, point(minute=2, tests=3)))
    follow(tmp_path / "points.db", NAME, Wanted(form="spark"), clock=clock)
    assert capsys.readouterr().out.count("tests\n") == 2


@pytest.mark.parametrize(
    ("form", "until", "several", "reason"),
    [
        ("json", None, False, "an array has an end"),
        ("table", 1, False, "what is followed has no end"),
        ("csv", None, True, "csv is for one metric"),
        ("spark", None, True, "spark is for one metric"),
    ],
)
def test_what_cannot_be_followed_says_what_can(form: Form, until: int | None, several: bool, reason: str) -> None:
    with pytest.raises(typer.BadParameter, match=reason):
        printer(Wanted(form=form, until_us=until), Terminal(), several=several)


def test_a_pipe_gets_each_line_at_once(sink: Local, tmp_path: Path) -> None:
    """`pegel points --follow | while read line` must not wait for 8 KiB of lines."""
    put(sink, point(tests=1))()
    command = [
        sys.executable,
        "-m",
        "pegel",
        "points",
        NAME,
        "--follow",
        "--format",
        "ndjson",
        "--state",
        str(tmp_path),
    ]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ)
    ) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["values"] == {"tests": 1}
        put(sink, point(minute=1, tests=2))()
        assert json.loads(process.stdout.readline())["values"] == {"tests": 2}
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 130
