from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from doubles import FakeClock
from pegel.cli.notify import Notify

CONFIG = """
[runner]
state = "state"

[[sources]]
name = "log"
type = "file"
path = "app.log"
format = { template = '{time} {key}' }
time = { column = "time", format = "iso8601" }

[[metrics]]
name = "METRIC"
every = "1m"
values.n = "count(*)"

[[sinks]]
type = "local"
"""


def listener(place: Path) -> socket.socket:
    found = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    found.settimeout(30)
    found.bind(str(place))
    return found


def test_messages_are_those_of_the_protocol() -> None:
    said: list[str] = []
    notify = Notify(said.append, clock=FakeClock(now=12.5))
    notify.ready("2 metrics")
    notify.reloading()
    notify.stopping()
    assert said == ["READY=1\nSTATUS=2 metrics", "RELOADING=1\nMONOTONIC_USEC=12500000", "STOPPING=1"]


def test_signs_of_life_are_few_and_in_time() -> None:
    """A turn takes milliseconds; a message with each would be noise, one per time-out a risk."""
    said: list[str] = []
    clock = FakeClock(now=0.0)
    notify = Notify(said.append, watchdog=30.0, clock=clock)
    for _ in range(300):
        notify.alive()
        clock.now += 0.1
    assert said == ["WATCHDOG=1"] * 3


def test_without_a_watchdog_there_is_no_sign_of_life() -> None:
    said: list[str] = []
    Notify(said.append).alive()
    assert said == []


def test_where_nobody_listens_nothing_happens() -> None:
    notify = Notify.from_environment({})
    notify.ready("fine")
    notify.alive()


def test_the_variables_are_not_passed_on() -> None:
    """A child that speaks in our name would keep a dead service alive."""
    environ = {"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid()), "HOME": "/"}
    Notify.from_environment(environ)
    assert environ == {"HOME": "/"}


def test_a_watchdog_for_another_process_is_not_ours() -> None:
    environ = {"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}
    assert Notify.from_environment(environ)._interval is None


def test_a_manager_that_has_gone_is_said_once(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    notify = Notify.from_environment({"NOTIFY_SOCKET": str(tmp_path / "gone")})
    notify.ready("fine")
    notify.stopping()
    assert len(caplog.records) == 1


def test_a_name_that_is_no_file_can_be_spoken_to() -> None:
    name = f"@pegel-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(10)
        manager.bind("\0" + name[1:])
        Notify.from_environment({"NOTIFY_SOCKET": name}).stopping()
        assert manager.recv(100) == b"STOPPING=1"


def test_a_service_says_how_it_is(tmp_path: Path) -> None:
    """systemd starts what needs us when we are ready, and starts us again when we are silent."""
    config = tmp_path / "config.toml"
    config.write_text(CONFIG.replace("METRIC", "hits"))
    manager = listener(tmp_path / "notify")
    environment = {**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "3000000"}
    command = [sys.executable, "-m", "pegel", "run", str(config)]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL) as process:
        assert manager.recv(1000) == b"READY=1\nSTATUS=1 metrics of log to local"
        assert [manager.recv(1000) for _ in range(2)] == [b"WATCHDOG=1"] * 2
        config.write_text(CONFIG.replace("METRIC", "visits"))
        process.send_signal(signal.SIGHUP)
        heard: list[bytes] = []
        while b"READY=1" not in heard:
            heard.append(manager.recv(1000).partition(b"\n")[0])
        assert [one for one in heard if one != b"WATCHDOG=1"] == [b"RELOADING=1", b"READY=1"]
        process.send_signal(signal.SIGTERM)
        while manager.recv(1000) != b"STOPPING=1":
            pass
        assert process.wait(timeout=20) == 0
    manager.close()
