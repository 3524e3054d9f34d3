"""`stack/bundle` with an engine that is a script: what it writes where the engine fails, and what it believes.

That images really go through it is proved with a real engine (`./dev prove --only stack`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from stack.project import ROOT

ENGINE = """\
#!/bin/sh
echo "$*" >>"$ENGINE_CALLS"
case "$1 ${2:-}" in
"compose --profile" | "compose config") printf 'prom/prometheus:v3.15.0\\npegel:0.1.0\\n' ;;
"compose build" | "image inspect") ;;
"save "*) echo "layers"; exit "${SAVE_FAILS:-0}" ;;
"load "*) cat >/dev/null ;;
*) echo "no such command: $*" >&2; exit 1 ;;
esac
"""


@dataclass
class Host:
    """A checkout and an engine."""

    directory: Path

    def __post_init__(self) -> None:
        (self.directory / "stack").mkdir(parents=True)
        for name in ("bundle", "images.yaml"):
            shutil.copy2(ROOT / "stack" / name, self.directory / "stack" / name)
        (self.directory / "bin").mkdir()
        engine = self.directory / "bin" / "docker"
        engine.write_text(ENGINE)
        engine.chmod(0o755)

    def bundle(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        path = f"{self.directory / 'bin'}:{os.environ['PATH']}"
        variables = {"PATH": path, "ENGINE_CALLS": str(self.directory / "calls"), **environ}
        command = [str(self.directory / "stack" / "bundle"), *words]
        return subprocess.run(command, cwd=self.directory, env=variables, capture_output=True, text=True, check=False)

    def asked(self, word: str) -> bool:
        """Whether the engine was told to."""
        return any(line.startswith(word) for line in (self.directory / "calls").read_text().splitlines())


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path / "one")


def test_a_bundle_goes_to_another_host(host: Host, tmp_path: Path) -> None:
    done = host.bundle("save")
    assert (done.returncode, done.stderr) == (0, "")
    names = {path.name for path in (host.directory / "pegel-bundle").iterdir()}
    assert names == {"images", "images.tar.gz", "SHA256SUMS"}
    other = Host(tmp_path / "other")
    shutil.copytree(host.directory / "pegel-bundle", other.directory / "pegel-bundle")
    done = other.bundle("load")
    assert (done.returncode, done.stderr) == (0, "")
    assert other.asked("load")


def test_images_that_could_not_be_saved_are_no_bundle(host: Host) -> None:
    """The half of an archive would get a checksum that is right, and fail on the host that has no other."""
    done = host.bundle("save", SAVE_FAILS="1")
    assert done.returncode == 1
    assert "could not save" in done.stderr
    assert [path.name for path in (host.directory / "pegel-bundle").iterdir()] == []


def test_a_bundle_that_is_there_stays_when_the_next_one_fails(host: Host) -> None:
    host.bundle("save")
    assert host.bundle("save", SAVE_FAILS="1").returncode == 1
    assert host.bundle("load").returncode == 0


def test_a_damaged_bundle_is_not_loaded(host: Host) -> None:
    host.bundle("save")
    with (host.directory / "pegel-bundle" / "images.tar.gz").open("ab") as archive:
        archive.write(b"x")
    done = host.bundle("load")
    assert done.returncode == 1
    assert "Nothing was loaded" in done.stderr
    assert not host.asked("load")


def test_digests_are_not_asked_for_on_the_other_host(host: Host) -> None:
    """An image out of a file has no digest, so compose would ask a registry for it."""
    images = host.directory / "stack" / "images.yaml"
    plain = images.read_text()
    images.write_text(plain.replace("v3.15.0", f"v3.15.0@sha256:{'0' * 64}"))
    host.bundle("save")
    assert host.bundle("load").returncode == 0
    assert images.read_text() == plain
