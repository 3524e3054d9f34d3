"""The compose project as compose itself reads it, for tests: no daemon is needed, nothing of this machine counts."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

ALWAYS = ("prometheus", "pushgateway", "influxdb", "grafana", "runner")
"""Services that plain `docker compose up` starts."""

DEMO = ("demo-log", "demo-cdn", "demo")
DEV = ("runner-dev",)


def run(
    compose: Path, *words: str, files: tuple[Path, ...] = (), environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Compose on the files of the repository, with these variables and no others."""
    named = [word for file in (ROOT / "compose.yaml", *files) for word in ("--file", str(file))]
    return subprocess.run(
        [str(compose), "--env-file", "/dev/null", *named, *words],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **(environ or {})},
        capture_output=True,
        text=True,
        check=False,
    )


def project(
    compose: Path, *profiles: str, files: tuple[Path, ...] = (), environ: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """What `config` makes of it; "*" is every profile."""
    chosen = [word for profile in profiles for word in ("--profile", profile)]
    done = run(compose, *chosen, "config", "--format", "json", files=files, environ=environ)
    assert done.returncode == 0, done.stderr
    read: dict[str, Any] = json.loads(done.stdout)
    return read
