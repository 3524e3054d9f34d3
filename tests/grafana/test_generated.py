"""The committed files are what the boards say."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboards.__main__ import FOLDER, dashboards, main
from dashboards.rendering import text
from grafana.conftest import FILES


def test_the_committed_files_are_the_generated_ones() -> None:
    """`./dev dashboards` was forgotten, or somebody edited the result."""
    made = {f"{dashboard.uid}.json": text(dashboard) for dashboard in dashboards()}
    assert {file.name for file in FILES} == set(made)
    assert [file.name for file in FILES if file.read_text(encoding="utf-8") != made[file.name]] == []


def test_writing_again_touches_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Grafana saves a file again when its time changes."""
    main(tmp_path)
    before = {file.name: file.stat().st_mtime_ns for file in tmp_path.iterdir()}
    capsys.readouterr()
    main(tmp_path)
    assert {file.name: file.stat().st_mtime_ns for file in tmp_path.iterdir()} == before
    assert capsys.readouterr().out == ""


def test_a_dashboard_that_is_gone_is_deleted_and_the_provider_stays(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text("{}")
    (tmp_path / "pegel.yaml").write_text("apiVersion: 1\n")
    main(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {"pegel.yaml", *(file.name for file in FILES)}


def test_this_is_where_grafana_looks() -> None:
    assert FILES[0].parent == FOLDER
