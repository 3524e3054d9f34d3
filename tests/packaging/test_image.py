"""Rules for the container image; `./dev prove --only image` builds and runs it."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
HERE = ROOT / "stack" / "runner"


def instructions() -> list[tuple[str, str]]:
    """The lines of the Dockerfile as (word, rest), continued lines joined."""
    text = re.sub(r"^#.*\n", "", (HERE / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [(line.split()[0], line.partition(" ")[2].strip()) for line in text.splitlines() if line.strip()]


def told(word: str) -> list[str]:
    return [rest for name, rest in instructions() if name == word]


def final() -> list[tuple[str, str]]:
    """The instructions of the last stage."""
    lines = instructions()
    return lines[max(index for index, (word, _) in enumerate(lines) if word == "FROM") :]


def test_the_base_is_an_exact_version() -> None:
    """A tag that moves changes the image without anybody having changed anything."""
    (base,) = [rest for rest in told("ARG") if rest.startswith("BASE=")]
    assert re.fullmatch(r"BASE=python:3\.\d+\.\d+-slim-[a-z]+", base)
    assert told("FROM") == ["${BASE} AS build", "scratch"]


def test_nothing_asks_a_registry_for_a_syntax() -> None:
    assert "syntax=" not in (HERE / "Dockerfile").read_text()


def test_no_step_needs_a_shell() -> None:
    for word, rest in instructions():
        if word in ("RUN", "CMD", "ENTRYPOINT"):
            assert isinstance(json.loads(rest), list), rest
    (health,) = told("HEALTHCHECK")
    assert isinstance(json.loads(health.partition("CMD ")[2]), list)


def test_every_package_is_known_by_its_hash() -> None:
    installs = [json.loads(rest) for rest in told("RUN") if '"install"' in rest]
    assert installs
    for words in installs:
        assert "--require-hashes" in words or {"--no-index", "--no-deps"} <= set(words)


def test_it_runs_as_nobody_in_particular() -> None:
    """Numbers, not names: Kubernetes checks `runAsNonRoot` only with numbers."""
    (user,) = [rest for word, rest in final() if word == "USER"]
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user)
    assert user == f"{assemble().ACCOUNT}:{assemble().ACCOUNT}"
    assert (f":{assemble().ACCOUNT}:{assemble().ACCOUNT}:") in assemble().ACCOUNTS["/etc/passwd"]


@pytest.mark.parametrize("word", ["VOLUME", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "LABEL", "WORKDIR"])
def test_the_final_stage_says_how_it_is_run(word: str) -> None:
    assert word in [name for name, _ in final()]


def test_configuration_and_state_are_where_the_documents_say() -> None:
    (variables,) = [dict(pair.split("=", 1) for pair in shlex.split(rest)) for word, rest in final() if word == "ENV"]
    assert variables["PEGEL_CONFIG"] == "/etc/pegel/config.toml"
    (volume,) = [rest for word, rest in final() if word == "VOLUME"]
    assert variables["PEGEL_STATE"] == volume == "/var/lib/pegel"


def test_no_secret_of_a_checkout_reaches_the_daemon() -> None:
    """Everything is left out and some things are let in; the other way round forgets one some day."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    copied = {word for rest in told("COPY") if "--from" not in rest for word in rest.split()[:-1]}
    let_in = {line.removeprefix("!") for line in lines if line.startswith("!")}
    assert all(any(Path(one).is_relative_to(place) for place in let_in) for one in copied)
    assert all((ROOT / place).exists() for place in let_in)


def test_the_image_has_the_versions_that_are_tested() -> None:
    """`./dev lock` writes all three locks."""
    tested = pins(ROOT / "requirements.lock")
    for lock in ("requirements.lock", "build.lock"):
        found = pins(HERE / lock)
        assert found
        assert found <= tested
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {re.split(r"[>=<\[ ;]", one)[0] for one in project["dependencies"]}
    assert needed <= {pin.partition("==")[0] for pin in pins(HERE / "requirements.lock")}


def pins(lock: Path) -> set[str]:
    return set(re.findall(r"^([a-z0-9._-]+==[^\s;]+)", lock.read_text(), re.MULTILINE))


def assemble() -> ModuleType:
    spec = importlib.util.spec_from_file_location("assemble", HERE / "assemble.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_libraries_are_found_by_asking_the_loader(tmp_path: Path) -> None:
    """A library that is forgotten is found by whoever first needs it, at run time."""
    found = {path.name for path in assemble()._linked(Path(sys.executable).resolve(), tmp_path)}
    assert any(name.startswith("libc.so") for name in found)
    assert any(name.startswith("ld-linux") for name in found)


def test_what_is_copied_has_the_links_on_its_way(tmp_path: Path) -> None:
    """On Debian /lib is a link to /usr/lib, and programs name both."""
    real = tmp_path / "usr" / "lib"
    real.mkdir(parents=True)
    (real / "libx.so.1.2").write_text("x")
    (real / "libx.so.1").symlink_to("libx.so.1.2")
    (tmp_path / "lib").symlink_to("usr/lib")
    image = tmp_path / "image"
    assemble()._copy(tmp_path / "lib" / "libx.so.1", image)
    inside = image / tmp_path.relative_to("/")
    assert (inside / "usr" / "lib" / "libx.so.1").read_text() == "x"
    assert (inside / "lib").is_symlink()
    assert (inside / "lib" / "libx.so.1").read_text() == "x"
