"""What a user does first: install the wheel into a fresh environment, look at the demonstration, begin."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]

STEPS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("--version",), "pegel "),
    (("demo", "--seconds", "3"), "counted exactly once"),
    (("init", "--preset", "ookla"), "config.toml is written"),
    (("check",), "fine"),
)
"""Words after `pegel`, and what must be among the answer."""


def install() -> list[str]:
    """Build the wheel, install it with its dependencies from the package index, and take the first steps.

    Returns:
        What was wrong.
    """
    with tempfile.TemporaryDirectory(prefix="pegel-install-") as name:
        place = Path(name)
        for command in (
            [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(place)],
            [sys.executable, "-m", "venv", str(place / "venv")],
        ):
            subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
        (wheel,) = place.glob("*.whl")
        pip = [str(place / "venv" / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", str(wheel)]
        installed = subprocess.run(pip, capture_output=True, text=True, check=False)
        if installed.returncode:
            return [f"pip install {wheel.name}: {installed.stderr.strip()[-300:]}"]
        pegel = str(place / "venv" / "bin" / "pegel")
        return [wrong for words, expected in STEPS for wrong in _step([pegel, *words], place, expected)]


def _step(command: list[str], place: Path, expected: str) -> list[str]:
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(place)}  # nothing of the developer's own
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False, timeout=120)
    said = done.stdout + done.stderr
    if done.returncode == 0 and expected in said and "Traceback" not in said:
        return []
    return [f"pegel {' '.join(command[1:])}: exit code {done.returncode}, {said.strip()[-300:]}"]
