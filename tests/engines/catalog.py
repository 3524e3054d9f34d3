"""The real servers and programs that tests run against: one line each."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engines.recipes import HERE, DebianPackages, DebianTools, GoProgram, GoWithRust, NodeModule, Recipe
from engines.store import home


@dataclass(frozen=True)
class Engine:
    """A program, where it comes from, and how to know it.

    Attributes:
        name: What `./dev engines NAME` calls it.
        version: Of the program, or of the Debian release that it is taken from.
        program: Its path inside the engine's directory.
        says: What the right program prints: (its argument, a pattern).
        recipe: How it is installed.
    """

    name: str
    version: str
    program: str
    says: tuple[str, str]
    recipe: Recipe

    @property
    def key(self) -> str:
        """Name of its directory."""
        return f"{self.name}-{self.version}"

    def find(self, environ: Mapping[str, str] = os.environ) -> Path | None:
        """The program: the one that `./dev engines` installed, or one on PATH of the same kind."""
        installed = home(environ) / self.key / self.program
        if installed.exists():
            return installed
        path = os.pathsep.join([environ.get("PATH", ""), "/usr/sbin", "/sbin"])
        other = shutil.which(Path(self.program).name, path=path)
        return Path(other) if other and not self.objection(other) else None

    def objection(self, program: str | Path) -> str:
        """Why a program is not the right one, or does not start here; "" if it is and does."""
        argument, pattern = self.says
        done = subprocess.run([program, argument], capture_output=True, text=True, check=False)
        printed = done.stdout + done.stderr
        return "" if re.search(pattern, printed) else f"`{program} {argument}` said: {printed.strip()[:500]}"


def digest(module: Path) -> str:
    """Of the files of a module whose script is part of the engine: a changed one is another version."""
    texts = [file.read_bytes() for file in sorted(module.iterdir()) if file.is_file()]
    return hashlib.sha256(b"\0".join(texts)).hexdigest()[:8]


def release() -> str:
    """The code name of this machine's release, such as `bookworm`; "unknown" where it has none."""
    for place in ("/etc/os-release", "/usr/lib/os-release"):
        if Path(place).exists():
            entries = dict(line.split("=", 1) for line in Path(place).read_text().splitlines() if "=" in line)
            return entries.get("VERSION_CODENAME", "unknown").strip('"') or "unknown"
    return "unknown"


ENGINES = {
    engine.name: engine
    for engine in (
        Engine(
            "influxdb2",
            "2.7.12",
            "influxd",
            ("version", r"InfluxDB (v2\.7|dev)"),
            GoWithRust(
                module="influxd",
                package="github.com/influxdata/influxdb/v2/cmd/influxd",
                program="influxd",
                helpers=["github.com/influxdata/pkg-config@v0.2.7"],
                tags="sqlite_foreign_keys sqlite_json",
            ),
        ),
        Engine(
            "influxdb1",
            "1.6.7",
            "usr/bin/influxd",
            ("version", r"InfluxDB v?1\.[678]"),
            DebianPackages(["influxdb"], suite="trixie"),
        ),
        Engine(
            "dashboard-checks",
            f"13.2.3-{digest(HERE / 'node')}",
            "check.cjs",
            ("--version", r"@grafana/schema 13\."),
            NodeModule("node"),
        ),
        Engine(
            "versitygw",
            "1.8.0",
            "versitygw",
            ("--version", r"Version\s*:"),
            GoProgram("github.com/versity/versitygw/cmd/versitygw@v1.8.0"),
        ),
        Engine(
            "grafana-display",
            f"13.2.3-{digest(HERE / 'display')}",
            "shown.cjs",
            ("--version", r"@grafana/data 13\."),
            NodeModule("display"),
        ),
        Engine(
            "logrotate",
            release(),
            "usr/sbin/logrotate",
            ("--version", r"logrotate 3\."),
            DebianPackages(["logrotate"]),
        ),
        Engine(
            "docker",
            release(),
            "bin/dockerd",
            ("--version", r"Docker version (2[0-9]|[3-9][0-9])\."),
            DebianTools(
                packages=["docker.io", "iptables"],
                where_known=["docker-cli"],
                programs={
                    "dockerd": ["usr/sbin/dockerd"],
                    "docker": ["usr/bin/docker"],
                    "iptables": ["usr/sbin/xtables-nft-multi", "iptables"],
                    "ip6tables": ["usr/sbin/xtables-nft-multi", "ip6tables"],
                },
                takes="half a minute, 250 MB",
                for_root=True,
            ),
        ),
        Engine(
            "debootstrap",
            release(),
            "bin/debootstrap",
            ("--version", r"debootstrap 1\."),
            DebianTools(
                packages=["debootstrap", "debian-archive-keyring"],
                programs={"debootstrap": ["usr/sbin/debootstrap"]},
                for_root=True,
            ),
        ),
        Engine(
            "compose",
            "2.26.1",
            "usr/libexec/docker/cli-plugins/docker-compose",
            ("version", r"v?2\.2[6-9]|v?2\.[3-9][0-9]|v?[5-9]\."),
            DebianPackages(["docker-compose"], suite="trixie"),
        ),
        Engine(
            "buildx",
            "0.13.1",
            "usr/libexec/docker/cli-plugins/docker-buildx",
            ("version", r"docker/buildx"),
            DebianPackages(["docker-buildx"], suite="trixie"),
        ),
        Engine(
            "shellcheck",
            release(),
            "usr/bin/shellcheck",
            ("--version", r"version: 0\."),
            DebianPackages(["shellcheck"]),
        ),
        Engine(
            "prometheus",
            "2.53.3",
            "usr/bin/prometheus",
            ("--version", r"prometheus, version (2\.5[3-9]|[3-9])"),
            DebianPackages(["prometheus"], suite="trixie"),
        ),
        Engine(
            "promtool",
            "2.53.3",
            "usr/bin/promtool",
            ("--version", r"promtool, version (2\.5[3-9]|[3-9])"),
            DebianPackages(["promtool"], suite="trixie"),
        ),
        Engine(
            "pushgateway",
            "1.11.0",
            "usr/bin/prometheus-pushgateway",
            ("--version", r"pushgateway, version 1\."),
            DebianPackages(["prometheus-pushgateway"], suite="trixie"),
        ),
    )
}


def program(name: str) -> Path:
    """The program of an engine.

    Raises:
        FileNotFoundError: It is not on this machine; the sentence says how to get it.
    """
    found = ENGINES[name].find()
    if found is None:
        raise FileNotFoundError(f"{name} is not on this machine: `./dev engines {name}` installs it")
    return found
