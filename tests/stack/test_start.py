"""The start scripts: secrets are made once, whole and unseen, and the operator's own come first."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engines.conftest import program_or_skip
from stack.project import ROOT

START = ROOT / "stack" / "start"
SHELLS = [name for name in ("dash", "bash") if shutil.which(name)]

NOBODY = 65534

FAKE_RUN = """\
#!/bin/sh
echo "password $(cat "$GF_SECURITY_ADMIN_PASSWORD__FILE")"
echo "key $(cat "$GF_SECURITY_SECRET_KEY__FILE")"
"""
"""What Grafana's own start script does with the variables."""


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def grafana(
    shell: str, directory: Path, programs: str = "", user: int | None = None
) -> subprocess.CompletedProcess[str]:
    (directory / "own").mkdir(exist_ok=True)
    run = directory / "run.sh"
    run.write_text(FAKE_RUN)
    run.chmod(0o755)
    environ = {
        "PATH": programs + os.environ["PATH"],
        "OWN_SECRETS": str(directory / "own"),
        "GF_PATHS_DATA": str(directory / "data"),
    }
    command = [shell, str(START / "grafana.sh"), str(run)]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False, user=user)


def told(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    return dict(line.split(" ", 1) for line in done.stdout.splitlines())


def test_no_two_stacks_have_the_same_password(shell: str, tmp_path: Path) -> None:
    found = set()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        found |= set(told(grafana(shell, tmp_path / name)).values())
    assert len(found) == 4
    assert all(len(secret) == 40 and secret.isalnum() and secret.isascii() for secret in found)


UNLUCKY = """\
#!/bin/sh
# random bytes in which the first letters and digits have no digit
echo again >>"$0.calls"
case $(wc -l <"$0.calls") in
1) echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaAA ;;
2) echo 9999 ;;
*) exec /usr/bin/tr "$@" ;;
esac
"""


def test_a_secret_has_letters_of_both_kinds_and_digits(shell: str, tmp_path: Path) -> None:
    """InfluxDB takes no password without; one in a thousand has no digit, and that stack would never come up."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "tr").write_text(UNLUCKY)
    (tmp_path / "bin" / "tr").chmod(0o755)
    found = told(grafana(shell, tmp_path, programs=f"{tmp_path / 'bin'}:"))
    for secret in found.values():
        assert len(secret) == 40
        assert re.search("[a-z]", secret)
        assert re.search("[A-Z]", secret)
        assert re.search("[0-9]", secret)
    assert (tmp_path / "bin" / "tr.calls").read_text().count("again") >= 4


def test_a_secret_is_made_once(shell: str, tmp_path: Path) -> None:
    assert told(grafana(shell, tmp_path)) == told(grafana(shell, tmp_path))
    kept = sorted((tmp_path / "data" / "secrets").iterdir())
    assert [(path.name, path.stat().st_mode & 0o777) for path in kept] == [
        ("admin-password", 0o600),
        ("secret-key", 0o600),
    ]


def test_the_log_has_the_command_and_not_the_password(shell: str, tmp_path: Path) -> None:
    done = grafana(shell, tmp_path)
    assert f"docker compose exec grafana cat {tmp_path}/data/secrets/admin-password" in done.stderr
    assert not any(secret in done.stderr for secret in told(done).values())


def test_an_own_secret_comes_first(shell: str, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "admin-password").write_text("mine\n")
    assert told(grafana(shell, tmp_path))["password"] == "mine"
    assert not (tmp_path / "data" / "secrets" / "admin-password").exists()


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that any user can enter, unlike those that tests have."""
    with tempfile.TemporaryDirectory(prefix="pegel-start-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        (directory / "data").mkdir()
        (directory / "data").chmod(0o777)
        yield directory


@pytest.mark.parametrize("closed", ["own", "own/admin-password"])
def test_an_own_secret_that_cannot_be_read_is_not_passed_over(shell: str, open_directory: Path, closed: str) -> None:
    """Somebody closed the directory and believes that his password counts; a made one would count in silence."""
    (open_directory / "own").mkdir()
    (open_directory / "own" / "admin-password").write_text("mine\n")
    (open_directory / closed).chmod(0)
    done = grafana(shell, open_directory, user=NOBODY if os.getuid() == 0 else None)
    assert done.returncode != 0
    assert done.stdout == ""
    assert f"cannot be {'entered' if closed == 'own' else 'read'} by user" in done.stderr
    assert list((open_directory / "data").iterdir()) == []
    (open_directory / closed).chmod(0o755)


def test_an_own_secret_that_is_empty_is_no_secret(shell: str, tmp_path: Path) -> None:
    """Nobody may log in with nothing."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "admin-password").touch()
    done = grafana(shell, tmp_path)
    assert done.returncode != 0
    assert done.stdout == ""
    assert "admin-password is an empty file" in done.stderr


def test_a_half_written_secret_is_never_found(shell: str, tmp_path: Path) -> None:
    """A container that is killed while it writes must not start with the half of it."""
    made = tmp_path / "data" / "secrets"
    made.mkdir(parents=True)
    (made / "admin-password.new").write_text("hal")
    (made / "secret-key").touch()
    secrets = told(grafana(shell, tmp_path))
    assert len(secrets["password"]) == len(secrets["key"]) == 40
    assert sorted(path.name for path in made.iterdir()) == ["admin-password", "secret-key"]


def test_scripts_are_plain_sh() -> None:
    """What runs under dash here runs under busybox in the images; shellcheck knows the difference."""
    command = [str(program_or_skip("shellcheck")), "--shell=sh", "--external-sources", "--source-path=SCRIPTDIR"]
    scripts = [str(START.parent / "bundle"), *sorted(str(path) for path in START.glob("*.sh"))]
    done = subprocess.run([*command, *scripts], capture_output=True, text=True, check=False)
    assert done.stdout == ""


# -- health -------------------------------------------------------------------------------------------------------


def healthy(port: int, path: str = "") -> subprocess.CompletedProcess[str]:
    environ = {"HEALTH_PORT": str(port), "PATH": path or os.environ["PATH"]}
    command = [sys.executable, "-IS", str(START / "healthy.py")]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)


@contextmanager
def answering(answer: bytes) -> Iterator[int]:
    """Somebody who answers once; yields his port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"HTTP/1.1 " + answer + b"\r\ncontent-length: 8\r\n\r\nthe why\n")

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


def command(directory: Path, code: int) -> str:
    """A search path with a `pegel` that says what it is asked."""
    pegel = directory / "pegel"
    pegel.write_text(f'#!/bin/sh\necho "$1"\nexit {code}\n')
    pegel.chmod(0o755)
    return f"{directory}:/usr/bin:/bin"


@pytest.mark.parametrize(("answer", "code"), [(b"200 OK", 0), (b"503 Service Unavailable", 1)])
def test_a_runner_is_as_healthy_as_it_says(answer: bytes, code: int) -> None:
    with answering(answer) as port:
        done = healthy(port)
    assert (done.returncode, done.stdout) == (code, "the why\n")


@pytest.mark.parametrize("code", [0, 1])
@pytest.mark.parametrize("answer", [b"401 Unauthorized", b"421 Misdirected Request", b"404 Not Found", b""])
def test_a_runner_that_does_not_tell_us_is_asked_by_its_command(answer: bytes, code: int, tmp_path: Path) -> None:
    """A page with a token asks for it; a container must not be ill because of that."""
    with answering(answer) as port:
        done = healthy(port, command(tmp_path, code))
    assert (done.returncode, done.stdout) == (code, "status\n")


@pytest.mark.parametrize("code", [0, 1])
def test_a_runner_that_does_not_listen_is_asked_by_its_command(code: int, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    done = healthy(port, command(tmp_path, code))
    assert (done.returncode, done.stdout) == (code, "status\n")


def test_a_log_that_is_not_written_any_more_is_not_fresh(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.touch()
    command = [sys.executable, "-IS", str(START / "fresh.py"), str(log)]
    assert subprocess.run(command, check=False).returncode == 0
    os.utime(log, (1, 1))
    assert subprocess.run(command, check=False).returncode == 1
