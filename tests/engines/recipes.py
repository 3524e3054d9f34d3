"""Ways to install an engine: a Go or Node module of ours, or Debian packages. One class per way."""

from __future__ import annotations

import os
import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent

TOOLS = {
    "go": "Go 1.23 or newer: https://go.dev/dl, or `apt install golang-go` where that is new enough",
    "cargo": "Rust with cargo: https://rustup.rs, or `apt install cargo`",
    "cc": "a C compiler: `apt install build-essential`",
    "node": "Node 20 or newer: https://nodejs.org, or `apt install nodejs npm`",
    "npm": "npm, which comes with Node, or `apt install npm`",
    "apt-cache": "apt-cache, which comes with apt-get",
    "apt-get": "apt-get, that is Debian or Ubuntu; elsewhere install the program itself, it is found on PATH",
    "dpkg": "dpkg, that is Debian or Ubuntu; elsewhere install the program itself, it is found on PATH",
}
"""How to get what a recipe needs, by the name of the program."""


class InstallError(Exception):
    """An engine could not be installed; the text has the last words of what failed."""


class Recipe(ABC):
    """A way to install an engine.

    Attributes:
        needs: Programs of this machine.
        takes: How long it takes, in words.
    """

    needs: Sequence[str]
    takes: str

    def missing(self, path: str | None = None) -> list[str]:
        """What this machine (or this search path) lacks, as sentences that say how to get it."""
        return [TOOLS[name] for name in self.needs if shutil.which(name, path=path) is None]

    @abstractmethod
    def install(self, directory: Path) -> None:
        """Put everything into an empty directory.

        Raises:
            InstallError: A step failed.
        """


@dataclass(frozen=True)
class GoWithRust(Recipe):
    """Builds a program out of a module of ours, which pins it; a part of it is built by cargo.

    Attributes:
        module: Directory beside this file, with go.mod, go.sum and an import of the package.
        package: What to build.
        program: Name of the result.
        helpers: Programs of other modules that the build calls, as `go install` takes them.
        tags: Build tags.
    """

    module: str
    package: str
    program: str
    helpers: Sequence[str]
    tags: str
    takes = "4 to 10 minutes, 3 GB of module and build cache"
    needs = ("go", "cargo", "cc")

    def install(self, directory: Path) -> None:
        work = directory / "work"
        shutil.copytree(HERE / self.module, work)
        environment = self._environment(work)
        for helper in self.helpers:
            _run(["go", "install", helper], work, environment)
        command = ["go", "build", "-mod=readonly", "-buildvcs=false", "-tags", self.tags, "-ldflags", "-s -w"]
        _run([*command, "-o", str(directory / self.program), self.package], work, environment)
        shutil.rmtree(work)

    def _environment(self, work: Path) -> dict[str, str]:
        """Helpers come first on PATH; the Rust code is built by the toolchain that is there.

        It pins an old toolchain, and new ones warn of things that it takes for errors. RUSTFLAGS would not
        reach what is built for the build itself, a wrapper of the compiler does.
        """
        wrapper = work / "rustc-without-lints"
        wrapper.write_text('#!/bin/sh\nexec "$@" --cap-lints warn\n')
        wrapper.chmod(0o755)
        environment = {
            **os.environ,
            "GOBIN": str(work / "bin"),
            "PATH": f"{work / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "RUSTC_WRAPPER": str(wrapper),
            "GOWORK": "off",
        }
        toolchain = rust_toolchain(os.environ)
        return environment | ({"RUSTUP_TOOLCHAIN": toolchain} if toolchain else {})


@dataclass(frozen=True)
class GoProgram(Recipe):
    """Builds a program of a published module; Go checks it against the sums that it knows.

    Attributes:
        package: What to build, with its version.
    """

    package: str
    takes = "1 to 3 minutes, 1 GB of module and build cache"
    needs = ("go",)

    def install(self, directory: Path) -> None:
        environment = {**os.environ, "GOBIN": str(directory), "GOWORK": "off", "GOFLAGS": "-ldflags=-s"}
        _run(["go", "install", self.package], directory, environment)


def rust_toolchain(environ: Mapping[str, str]) -> str:
    """The toolchain that rustup would use outside any project; "" where there is no rustup, so nothing to choose."""
    if "RUSTUP_TOOLCHAIN" in environ or shutil.which("rustup") is None:
        return environ.get("RUSTUP_TOOLCHAIN", "")
    return _run(["rustup", "default"], Path("/"), environ).split()[0]


@dataclass(frozen=True)
class NodeModule(Recipe):
    """Installs what a module of ours pins, with checksums, and its script beside it. No package runs code of its own.

    Attributes:
        module: Directory beside this file, with package.json, package-lock.json and the script.
    """

    module: str
    takes = "half a minute, 60 to 180 MB"
    needs = ("node", "npm")

    def install(self, directory: Path) -> None:
        shutil.copytree(
            HERE / self.module, directory, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules")
        )
        _run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], directory, os.environ)


@dataclass(frozen=True)
class DebianPackages(Recipe):
    """Unpacks packages, without installing them or touching what apt knows.

    Attributes:
        packages: Their names.
        suite: A release of Debian to take them from; this machine's own sources if empty.
    """

    packages: Sequence[str]
    suite: str = ""
    takes = "some seconds"
    needs = ("apt-get", "dpkg")

    def missing(self, path: str | None = None) -> list[str]:
        without_key = [KEYRING_MISSING] if self.suite and not KEYRING.exists() else []
        return [*super().missing(path), *without_key]

    def install(self, directory: Path) -> None:
        _unpack(directory, self.suite, b"", ["download", *self.packages])


@dataclass(frozen=True)
class DebianTools(Recipe):
    """Unpacks packages of this machine's release with all that they depend on and the machine lacks.

    Each program gets a script in `bin/` that lets it find the others and its libraries, wherever they lie.

    Attributes:
        packages: Their names.
        programs: What to start for a name: the path of a program that was unpacked, and its first words.
        where_known: More packages, for the releases that have them.
        takes: How long it takes, in words.
        for_root: Whether the programs are of use to root only.
    """

    packages: Sequence[str]
    programs: Mapping[str, Sequence[str]]
    where_known: Sequence[str] = ()
    takes: str = "some seconds"
    for_root: bool = False
    needs = ("apt-get", "apt-cache", "dpkg")

    def missing(self, path: str | None = None) -> list[str]:
        return [*super().missing(path), *(["root, who alone can start it"] if self.for_root and os.geteuid() else [])]

    def install(self, directory: Path) -> None:
        fetch = ["install", "--download-only", "--yes", "--no-install-recommends", *self.packages]
        _unpack(directory, "", DPKG_STATUS.read_bytes(), fetch, self.where_known)
        self.write_scripts(directory)

    def write_scripts(self, directory: Path) -> None:
        """For the programs that were unpacked; the machine has the others."""
        (directory / "bin").mkdir(exist_ok=True)
        for name, (place, *words) in self.programs.items():
            if (directory / place).exists():
                script = directory / "bin" / name
                script.write_text(_SCRIPT.format(start=" ".join([f'"$root/{place}"', *words])))
                script.chmod(0o755)


def _unpack(directory: Path, suite: str, status: bytes, fetch: Sequence[str], where_known: Sequence[str] = ()) -> None:
    """Fetch packages as `apt-get` is told to, knowing what `status` says is installed, and unpack them."""
    root = directory / "apt"
    (root / "state" / "lists" / "partial").mkdir(parents=True)
    (root / "cache" / "archives" / "partial").mkdir(parents=True)
    (root / "status").write_bytes(status)
    (root / "apt.conf").write_text(_APT.format(root=root) + (_OTHER.format(root=root) if suite else ""))
    (root / "sources.list").write_text(f"deb [signed-by={KEYRING}] {MIRROR} {suite} main\n")
    environment = {**os.environ, "APT_CONFIG": str(root / "apt.conf"), "LC_ALL": "C"}
    _run(["apt-get", "update"], root, environment)
    known = [name for name in where_known if _run(["apt-cache", "madison", name], root, environment)]
    _run(["apt-get", *fetch, *known], root, environment)
    for package in sorted(root.rglob("*.deb")):
        _run(["dpkg", "-x", str(package), str(directory)], root, environment)
    shutil.rmtree(root)


MIRROR = "http://deb.debian.org/debian"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
KEYRING_MISSING = f"Debian's keys in {KEYRING}: `apt install debian-archive-keyring`"

DPKG_STATUS = Path("/var/lib/dpkg/status")

_SCRIPT = """\
#!/bin/sh
root=$(dirname "$(dirname "$(realpath "$0")")")
export PATH="$root/bin:$root/usr/sbin:$root/usr/bin:$root/sbin:$root/bin:$PATH"
for libraries in "$root"/lib/*-linux-gnu* "$root"/usr/lib/*-linux-gnu*; do
    [ ! -d "$libraries" ] || export LD_LIBRARY_PATH="$libraries${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}"
    [ ! -d "$libraries/xtables" ] || export XTABLES_LIBDIR="$libraries/xtables"
done
[ ! -d "$root/usr/share/debootstrap" ] || export DEBOOTSTRAP_DIR="$root/usr/share/debootstrap"
exec {start} "$@"
"""

_APT = """\
Dir::State "{root}/state";
Dir::State::status "{root}/status";
Dir::Cache "{root}/cache";
APT::Sandbox::User "";
Debug::NoLocking "true";
Acquire::Languages "none";
"""
"""The machine's own sources and keys, everything else in a directory of ours."""

_OTHER = """\
Dir::Etc::SourceList "{root}/sources.list";
Dir::Etc::SourceParts "-";
Dir::Etc::Preferences "-";
Dir::Etc::PreferencesParts "-";
"""
"""In the place of the machine's sources."""


def _run(command: Sequence[str], directory: Path, environment: Mapping[str, str]) -> str:
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        last = "\n    ".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise InstallError(f"`{' '.join(command)}` ended with {done.returncode}:\n    {last}")
    return done.stdout
