"""A docker engine of our own, and images of installable programs for it: for proofs where no registry is reached."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from engines.catalog import ENGINES, program
from engines.store import home, placing

HERE = Path(__file__).parent
DOUBLES = HERE / "doubles"
BASE = "pegel-double-base:1"
PLUGINS = ("compose", "buildx")
STANDING_IN = ("prometheus", "pushgateway", "influxdb", "grafana")

PACKAGES = (
    "ca-certificates",
    "curl",
    "busybox-static",
    "prometheus",
    "prometheus-pushgateway",
    "python3",
    "python3-pip",
    "python3-venv",
)
MIRROR = "http://deb.debian.org/debian"
UNUSED = (
    *("proc", "sys", "var/cache/apt", "var/lib/apt/lists"),
    *(f"usr/share/{place}" for place in ("doc", "locale", "man", "javascript", "nodejs")),
)
"""Places of the root directory whose content no double needs."""
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")

START = 120.0
"""Seconds that an engine may take to listen."""
LONGEST = 900.0
"""Seconds of one command: a build on a slow machine. What takes longer hangs."""

_NEEDS = {
    "dockerd": "a docker engine: `./dev engines docker`",
    "docker": "docker's command: `apt install docker-cli` (Debian 12: docker.io)",
    "iptables": "iptables: `apt install iptables`",
    "debootstrap": "debootstrap: `./dev engines debootstrap`",
    "setpriv": "setpriv: `apt install util-linux`",
}


def missing() -> str:
    """What this machine lacks, in words; "" if nothing."""
    lacking = [how for name, how in _NEEDS.items() if shutil.which(name, path=_path()) is None]
    if os.geteuid() != 0:
        lacking.append("root, for an engine of its own")
    lacking += [f"`./dev engines {name}`" for name in (*PLUGINS, "influxdb2") if ENGINES[name].find() is None]
    return ", ".join(lacking)


class EngineError(Exception):
    """The engine or its images cannot be had on this machine; says why."""


class Docker:
    """A running engine; commands see it and no other."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        plugins = directory / "config" / "cli-plugins"
        plugins.mkdir(parents=True)
        for name in PLUGINS:
            (plugins / f"docker-{name}").symlink_to(program(name))
        self.environ = {
            "PATH": _path(),
            "HOME": str(directory),
            "DOCKER_HOST": f"unix://{directory}/docker.sock",
            "DOCKER_CONFIG": str(directory / "config"),
            "DOCKER_BUILDKIT": "1",
        }

    def run(self, *words: str, check: bool = True, cwd: Path | None = None, **environ: str) -> str:
        """A docker command; returns what it prints.

        Raises:
            RuntimeError: It failed, or hangs; has its last words.
        """
        try:
            done = subprocess.run(
                ["docker", *words],
                env=self.environ | environ,
                cwd=cwd,
                capture_output=True,
                text=True,
                check=False,
                timeout=LONGEST,
            )
        except subprocess.TimeoutExpired as error:
            raise RuntimeError(f"docker {' '.join(words)}: nothing for {LONGEST:.0f} s") from error
        if check and done.returncode:
            raise RuntimeError(f"docker {' '.join(words)}: {(done.stdout + done.stderr)[-1500:]}")
        return done.stdout

    def make_images(self) -> None:
        """The doubles of the official images, out of one root directory.

        Raises:
            EngineError: The engine runs, and no container does: this machine does not let it.
        """
        root = _root_directory()
        left_out = [f"--exclude=./{place}/*" for place in UNUSED]
        with subprocess.Popen(["tar", "-C", str(root), *left_out, "-c", "."], stdout=subprocess.PIPE) as packing:
            importing = ["docker", "import", "--change", 'CMD ["/bin/sh"]', "-", BASE]
            subprocess.run(importing, env=self.environ, stdin=packing.stdout, stdout=subprocess.DEVNULL, check=True)
        try:
            self.run("run", "--rm", "--network", "none", BASE, "true")
        except RuntimeError as error:
            raise EngineError(f"no container runs on this machine: {error}") from error
        for name in STANDING_IN:
            tag = f"pegel-double-{name}:1"
            self.run("build", "--quiet", "--build-arg", f"BASE={BASE}", "--target", name, "--tag", tag, str(DOUBLES))


@contextlib.contextmanager
def running(directory: Path) -> Iterator[Docker]:
    """An engine in a directory of its own; its containers and itself are gone at the end, however that comes.

    Raises:
        EngineError: It does not start on this machine.
    """
    docker = Docker(directory)
    with _daemon(docker, directory) as engine, (directory / "docker.log").open("wb") as log:
        _listening(engine, log)
        with subprocess.Popen(["cat"], stdin=engine.stderr, stdout=log, start_new_session=True):
            try:
                yield docker
            finally:
                with contextlib.suppress(RuntimeError):
                    containers = docker.run("ps", "--all", "--quiet").split()
                    docker.run("rm", "--force", *containers) if containers else None
                _end(engine)


def _listening(engine: subprocess.Popen[bytes], log: BinaryIO) -> None:
    """Wait until it takes commands; one that hangs is ended."""
    too_long = threading.Timer(START, engine.terminate)
    too_long.start()
    last: deque[bytes] = deque(maxlen=3)
    assert engine.stderr is not None
    try:
        for line in engine.stderr:
            log.write(line)
            last.append(line)
            if b"API listen on" in line:
                return
    finally:
        too_long.cancel()
    raise EngineError(f"dockerd does not start: {b''.join(last).decode(errors='replace').strip()[-600:]}")


@contextlib.contextmanager
def _daemon(docker: Docker, directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The engine's process, ended with the block.

    It has a session of its own, so that Ctrl-C reaches this program alone, which then tidies up; where this program is
    killed the engine gets a signal from the kernel, and stops its containers before it ends.
    """
    command = [
        *("setpriv", "--pdeathsig", "TERM", "dockerd"),
        *("--host", docker.environ["DOCKER_HOST"], "--pidfile", str(directory / "docker.pid")),
        *("--data-root", str(directory / "data"), "--exec-root", str(directory / "exec")),
    ]
    with subprocess.Popen(
        command, env=docker.environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    ) as engine:
        try:
            yield engine
        finally:
            _end(engine)


def _end(engine: subprocess.Popen[bytes]) -> None:
    engine.terminate()
    try:
        engine.wait(timeout=60)
    except subprocess.TimeoutExpired:
        engine.kill()


def _root_directory() -> Path:
    """A Debian 13 with the programs of the doubles, made once (3 minutes) and kept beside the engines."""
    key = hashlib.sha256(" ".join(PACKAGES).encode()).hexdigest()[:8]
    directory = home() / f"debian-13-{key}"
    if not directory.exists():
        with placing(directory) as unfinished:
            include = f"--include={','.join(PACKAGES)}"
            command = ["debootstrap", "--variant=minbase", include, "trixie", str(unfinished), MIRROR]
            done = subprocess.run(
                command, env={**os.environ, "PATH": _path()}, capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise EngineError(f"debootstrap: {done.stdout[-800:]}{done.stderr[-400:]}")
            (unfinished / "double").mkdir()
            shutil.copy(program("influxdb2"), unfinished / "double" / "influxd")
            if CERTIFICATES.exists():  # a machine behind a proxy trusts it, and so must a build on it
                shutil.copy(CERTIFICATES, unfinished / CERTIFICATES.relative_to("/"))
    return directory


def _path() -> str:
    """What `./dev engines` has installed comes first."""
    installed = [str(found.parent) for name in ("docker", "debootstrap") if (found := ENGINES[name].find())]
    return os.pathsep.join([*installed, os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
