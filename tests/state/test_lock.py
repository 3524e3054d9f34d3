from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pegel.errors import StateError
from pegel.state.lock import DirectoryLock, holder


def held_by_another(directory: Path) -> subprocess.Popen[str]:
    """A process that says when it holds the directory, and goes on holding it."""
    code = (
        "import sys, pathlib; from pegel.state.lock import DirectoryLock;"
        "lock = DirectoryLock(pathlib.Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(directory)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_who_holds_a_directory_is_known_until_it_is_released(tmp_path: Path) -> None:
    assert holder(tmp_path) is None
    lock = DirectoryLock(tmp_path)
    assert holder(tmp_path) == os.getpid()
    lock.release()
    assert holder(tmp_path) is None


def test_a_process_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    """Its number is still in the file; only the lock itself says that it lives."""
    process = held_by_another(tmp_path)
    assert process.stdout is not None
    process.stdout.readline()
    assert holder(tmp_path) == process.pid
    process.kill()
    process.communicate()
    assert holder(tmp_path) is None


def test_looking_never_keeps_a_runner_from_starting(tmp_path: Path) -> None:
    """`pegel status --watch` looks while cron starts a runner every minute: one that looks may be at it just then."""
    looking = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    process = held_by_another(tmp_path)
    os.close(looking)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    process.kill()
    process.communicate()


def test_two_may_look_at_once(tmp_path: Path) -> None:
    looking = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    assert holder(tmp_path) is None
    os.close(looking)


def test_a_second_runner_is_refused_by_name(tmp_path: Path) -> None:
    lock = DirectoryLock(tmp_path)
    with pytest.raises(StateError, match=f"process {os.getpid()}"):
        DirectoryLock(tmp_path)
    lock.release()
