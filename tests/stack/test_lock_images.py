"""`./dev lock-images`: all digests or none, and nobody is asked for an image of ours."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from stack.project import ROOT, project

FILE = ROOT / "stack" / "images.yaml"


@pytest.fixture
def module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("lock_images", ROOT / "stack" / "lock_images.py")
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def digest(name: str) -> str:
    """A digest of its own for each image."""
    return f"sha256:{name.encode().hex():0<64.64}"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    copy = tmp_path / "images.yaml"
    copy.write_text(FILE.read_text())
    return copy


def test_every_official_image_gets_its_digest(module: ModuleType, file: Path) -> None:
    asked: list[str] = []

    def resolve(name: str) -> str:
        asked.append(name)
        return digest(name)

    assert module.main(resolve, file) == 0
    assert sorted(name.split(":")[0] for name in asked) == [
        "grafana/grafana",
        "influxdb",
        "prom/prometheus",
        "prom/pushgateway",
    ]
    assert all(f"    image: {name}@{digest(name)}\n" in file.read_text() for name in asked)
    assert "pegel:" in file.read_text()
    assert "pegel:0.1.0@" not in file.read_text()


def test_locking_again_asks_for_the_tag_and_not_for_the_old_digest(module: ModuleType, file: Path) -> None:
    module.main(digest, file)
    before = file.read_text()
    assert module.main(digest, file) == 0
    assert file.read_text() == before
    assert module.main(lambda name: digest(f"another {name}"[:20]), file) == 0
    assert file.read_text() != before
    assert len(re.findall("@sha256:", file.read_text())) == 4


def test_one_that_is_not_found_leaves_all_as_they_were(
    module: ModuleType, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half of the digests of one day and half of another are no version of anything."""

    def resolve(name: str) -> str:
        if "grafana" in name:
            raise module.Unresolved(f"{name}: the registry did not answer within a minute")
        return digest(name)

    before = file.read_text()
    assert module.main(resolve, file) == 1
    assert file.read_text() == before
    assert "left as it was: grafana/grafana:" in capsys.readouterr().err


def test_compose_takes_the_locked_file(module: ModuleType, file: Path, compose: Path) -> None:
    module.main(digest, file)
    prometheus = project(compose, files=(file,))["services"]["prometheus"]
    assert re.fullmatch(r"prom/prometheus:v[\d.]+@sha256:[0-9a-f]{64}", prometheus["image"])
