"""What is shipped: the wheel and the source archive, built offline."""

from __future__ import annotations

import email
import hashlib
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.message import Message
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SOURCES = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["sdist"][
    "only-include"
]
EPOCH = "1767225600"


def copy(target: Path) -> Path:
    """What the source archive is made of, in a directory of its own: nobody edits it while it is built."""
    for name in SOURCES:
        source, place = ROOT / name, target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, place, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, place)
    return target


def build(tree: Path, kind: str, out: Path) -> Path:
    """Build a wheel or a source archive as `./dev build` does."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", str(out)]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": EPOCH}
    subprocess.run(command, cwd=tree, check=True, capture_output=True, env=environment)
    (built,) = out.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return built


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy(tmp_path_factory.mktemp("tree"))


@pytest.fixture(scope="module")
def wheel(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tree, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tree, "sdist", tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [one for one in archive.namelist() if one.endswith("/METADATA")]
        return email.message_from_bytes(archive.read(name))


def test_the_wheel_has_the_package_and_nothing_else(wheel: Path, tree: Path) -> None:
    """A file that is missing is found by a user; one too many is in everybody's site-packages for ever."""
    package = tree / "runner"
    expected = {str(file.relative_to(package)) for file in package.rglob("*") if file.is_file()}
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
    page = f"pegel-{PROJECT['version']}.data/data/share/man/man1/pegel.1"
    assert found == expected | {page}
    assert {"pegel/py.typed", "pegel/presets/ookla.toml"} < found
    assert any(name.startswith("pegel/presets/samples/ookla/") and name.endswith(".gz") for name in found)


def test_nothing_in_the_wheel_runs_by_itself(wheel: Path) -> None:
    """A `.pth` file runs code in every Python that starts; it is how packages are turned into traps."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert [name for name in names if name.endswith((".pth", ".so", ".exe")) or "/test_" in name] == []


def test_the_source_archive_has_no_tests_and_no_leftovers(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = [name.partition("/")[2] for name in archive.getnames()]
    assert [name for name in names if name.startswith(("tests/", "dist/", ".venv/")) or "__pycache__" in name] == []
    assert {"LICENSE", "README.md", "CHANGELOG.md", "pyproject.toml", "docs/pegel.1"} < set(names)


def test_two_machines_build_the_same_bytes(tree: Path, wheel: Path, sdist: Path, tmp_path: Path) -> None:
    """Whoever doubts a published file builds it and compares."""
    other = shutil.copytree(tree, tmp_path / "elsewhere" / "checkout")
    for file in other.rglob("*"):
        os.utime(file, (1_000_000_000, 1_000_000_000))
        file.chmod(stat.S_IMODE(file.stat().st_mode) & ~0o077)
    assert digest(build(other, "wheel", tmp_path / "w")) == digest(wheel)
    assert digest(build(other, "sdist", tmp_path / "s")) == digest(sdist)


def test_the_source_archive_builds_the_same_wheel(sdist: Path, wheel: Path, tmp_path: Path) -> None:
    """Distributions build from it, and must ship what was tested."""
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    assert digest(build(unpacked, "wheel", tmp_path / "w")) == digest(wheel)


def test_the_metadata_is_complete(metadata: Message) -> None:
    for name in ("Name", "Version", "Summary", "Author", "License-Expression", "License-File", "Keywords"):
        assert metadata[name], name
    assert metadata["Requires-Python"] == PROJECT["requires-python"]
    assert "Operating System :: POSIX :: Linux" in metadata.get_all("Classifier", [])
    assert metadata.get_payload().startswith("# Pegel")  # type: ignore[union-attr]


def test_no_dependency_comes_from_a_place_of_its_own(metadata: Message) -> None:
    """A requirement with an address would pass by the index that a company trusts."""
    assert [one for one in metadata.get_all("Requires-Dist", []) if "@" in one or "/" in one] == []


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel unpacked as an installer does it; its dependencies are those of this environment."""
    place = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place)
    return place


def run(installed: Path, cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Call the command as the entry point of the wheel does."""
    code = "import sys, pegel, pegel.cli; assert pegel.__file__.startswith(sys.argv.pop(1)); pegel.cli.main()"
    environment = {**os.environ, "PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("PEGEL_CONFIG", None)
    command = [sys.executable, "-c", code, str(installed), *words]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=120)


def test_the_entry_point_is_the_command(installed: Path, tmp_path: Path) -> None:
    (points,) = installed.glob("*.dist-info/entry_points.txt")
    assert points.read_text() == "[console_scripts]\npegel = pegel.cli:main\n"
    assert run(installed, tmp_path, "--version").stdout == f"pegel {PROJECT['version']}\n"


def test_what_is_installed_writes_checks_and_runs_a_configuration(installed: Path, tmp_path: Path) -> None:
    assert run(installed, tmp_path, "init", "--preset", "ookla").returncode == 0
    checked = run(installed, tmp_path, "check")
    assert checked.returncode == 0, checked.stderr
    assert "fine" in checked.stdout


def test_what_is_installed_gives_a_demonstration(installed: Path, tmp_path: Path) -> None:
    """The first thing that a curious person does; it needs the samples that the wheel brings."""
    result = run(installed, tmp_path, "demo", "--seconds", "3")
    assert result.returncode == 0, result.stderr
    assert "minutes, newest:" in result.stdout or "catching up" in result.stdout
    assert "Traceback" not in result.stderr
