from __future__ import annotations

import subprocess
import sys

import pytest

from pegel.sinks.stdout import Stdout
from sinks.hostile import point


def test_points_are_written_as_they_are_sent(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    sink = Stdout()
    payload = sink.encode([point()])
    sink.send(payload)
    assert capfdbinary.readouterr().out == payload
    assert payload.startswith(b'{"metric": "ookla_speedtest_minutely"')


def test_prometheus_is_a_view_and_lines_are_not() -> None:
    assert [Stdout(format=form).view for form in ("ndjson", "influx", "prometheus")] == [False, False, True]


def test_a_reader_that_went_away_is_reported_and_the_process_ends_quietly() -> None:
    """`pegel run | head` is something people do."""
    script = """
from pegel.errors import Retryable
from pegel.sinks.stdout import Stdout
import sys
sys.stdin.read()
try:
    Stdout().send(b"x" * 100_000)
except Retryable as error:
    sys.exit(str(error))
"""
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdout.close()
        process.stdin.close()
        assert process.stderr.read().decode() == "nobody reads standard output any more\n"
