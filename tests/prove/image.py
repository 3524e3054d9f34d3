"""The container image as an operator runs it: read-only, without rights, network or shell, on a mounted log."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
SAMPLES = REPOSITORY / "runner" / "pegel" / "presets" / "samples" / "ookla"
TAG = "pegel:proof"
ACCOUNT = "10001:10001"
MOST_BYTES = 260_000_000

CONFIG = """
[[sources]]
name = "ookla"
preset = "ookla"
path = "/var/log/ookla/ooklaserver-access.log"
labels.server = "st-01"
"""


def missing() -> str:
    """What is missing on this machine for this proof; empty if nothing."""
    if shutil.which("docker") is None:
        return "docker is not installed"
    asked = _docker("version", "--format", "{{.Server.Version}}")
    return "" if asked.returncode == 0 else "no docker daemon answers (DOCKER_HOST names one elsewhere)"


def image() -> tuple[str, list[str]]:
    """Build the image (BASE may name another base image) and run it; returns a summary and what was wrong."""
    built = subprocess.run(
        ["./dev", "image", "--tag", TAG], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    if built.returncode:
        return "the image could not be built (BASE=... names a base image that is there)", [built.stderr[-500:]]
    size = int(_docker("image", "inspect", "--format", "{{.Size}}", TAG).stdout)
    with tempfile.TemporaryDirectory(prefix="pegel-image-") as place:
        wrong = list(_faults(Path(place)))
    if size > MOST_BYTES:
        wrong.append(f"{size / 1e6:.0f} MB are more than {MOST_BYTES / 1e6:.0f}")
    return f"{size / 1e6:.0f} MB, runs read-only without rights, network and shell", wrong


def _faults(place: Path) -> Iterator[str]:
    (place / "config.toml").write_text(CONFIG)
    (place / "config.toml").chmod(0o644)
    place.chmod(0o755)
    volume = _docker("volume", "create").stdout.strip()
    mounts = ["-v", f"{place}:/etc/pegel:ro", "-v", f"{SAMPLES}:/var/log/ookla:ro", "-v", f"{volume}:/var/lib/pegel"]
    try:
        yield from _expect(_run([], "--version"), "pegel ")
        yield from _expect(_run(mounts, "check"), "fine")
        yield from _expect(_run(mounts, "run", "--once", "--close"), "")
        points = _run(mounts, "points", "ookla_speedtest_daily", "--last", "1", "--format", "ndjson")
        if points.returncode or json.loads(points.stdout)["values"]["tests"] < 1:
            yield f"no points of the sample: {points.stderr[-300:]}"
        if _run(["--entrypoint", "/bin/sh"], "-c", "true").returncode == 0:
            yield "there is a shell in the image"
    finally:
        _docker("volume", "rm", volume)


def _expect(done: subprocess.CompletedProcess[str], text: str) -> Iterator[str]:
    if done.returncode or text not in done.stdout:
        yield f"{' '.join(done.args[-3:])}: exit code {done.returncode}, {(done.stdout + done.stderr)[-300:]}"


def _run(options: list[str], *words: str) -> subprocess.CompletedProcess[str]:
    limits = ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--network", "none"]
    return _docker("run", "--rm", "--user", ACCOUNT, *limits, *options, TAG, *words)


def _docker(*words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DOCKER_BUILDKIT": "1"}
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=False, env=environment)
